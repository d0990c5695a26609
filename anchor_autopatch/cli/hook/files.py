"""The files that switch capture on.

The PYTHONPATH folder, and the `.pth` / `.start` files in site-packages.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from anchor_autopatch.core.errors import AnchorError

_PACKAGE = Path(__file__).resolve().parents[2]
_PTH = "anchor_autopatch.pth"
_START = "anchor_autopatch.start"

# One line, as `site` wants it; silent when the package is gone, because a .pth file outlives an
# uninstall.
_PTH_LINE = (
    "import sys; exec("
    "'try:\\n from anchor_autopatch.host.startup import install\\n install()\\n"
    "except Exception:\\n pass')\n"
)
# PEP 829 (read 2026-11): from Python 3.15 on a .start file of the same name takes the place of the
# import line.
_START_LINE = "anchor_autopatch.host.startup:install\n"


def template_folder() -> Path:
    """The folder that holds our `sitecustomize.py`.

    In the wheel, or beside the package in a checkout.

    Raises:
        AnchorError: neither is there.
    """
    for folder in (_PACKAGE / "_hook", _PACKAGE.parent / "sitecustomize_template"):
        if (folder / "sitecustomize.py").is_file():
            return folder
    raise AnchorError(
        f"Cannot find sitecustomize.py beside {str(_PACKAGE)!r}; the installation is incomplete: "
        "pip install --force-reinstall anchor-autopatch"
    )


def site_packages() -> Path:
    """This environment's own site-packages folder."""
    return Path(sysconfig.get_path("purelib"))


def files(folder: Path) -> list[Path]:
    """The start-up files of ours that are in the folder now."""
    return [path for name in (_PTH, _START) if (path := folder / name).is_file()]


def write(folder: Path) -> list[Path]:
    """Writes the start-up files for this Python version and returns them.

    Raises:
        AnchorError: the folder cannot be written.
    """
    wanted = {_PTH: _PTH_LINE}
    if sys.version_info >= (3, 15):
        wanted[_START] = _START_LINE
    for name, line in wanted.items():
        try:
            (folder / name).write_text(line, encoding="utf-8")
        except OSError as error:
            raise AnchorError(
                f"Cannot write {str(folder / name)!r}: {error.strerror}; "
                "use PYTHONPATH=$(anchor hook) instead"
            ) from error
    return [folder / name for name in wanted]


def remove(folder: Path) -> list[Path]:
    """Removes the start-up files and returns those that were there."""
    found = files(folder)
    for path in found:
        path.unlink()
    return found
