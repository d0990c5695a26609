"""Switches anchor_autopatch on in every Python process that has this folder on PYTHONPATH.

Python imports only one `sitecustomize`, the first on the path. The application's own one, if there
is one further down, is run first and takes this module's place, as if this folder were not there.
"""

import os
import sys


def _next_on_path():  # noqa: ANN202 - no import is spent on annotations here
    """The spec of the sitecustomize that would have run without this folder, or None."""
    # Two environments' hooks on one path would hand over to each other for ever: each leaves its
    # folder on `sys` for the next one to pass over.
    ours = (*getattr(sys, "_anchor_hooks", ()), os.path.dirname(os.path.realpath(__file__)))
    sys.__dict__["_anchor_hooks"] = ours
    rest = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) not in ours]
    # The last finder on meta_path is the path finder; asking it keeps importlib.machinery out of
    # start-up.
    for finder in reversed(sys.meta_path):
        if getattr(finder, "__name__", "") == "PathFinder":
            return finder.find_spec("sitecustomize", rest)
    return None


def _run(spec) -> None:  # noqa: ANN001
    """Runs the application's sitecustomize under its own name.

    Its errors are its own and stay visible.
    """
    module = type(sys)("sitecustomize")
    module.__spec__ = spec
    module.__file__ = spec.origin
    module.__loader__ = spec.loader
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _install() -> None:
    try:
        from anchor_autopatch.host.startup import install

        install()
    except Exception:  # noqa: BLE001 - the package is gone or broken: `anchor doctor` says so, the host never hears
        pass


try:
    _spec = _next_on_path()
    if _spec is not None and _spec.loader is not None:
        _run(_spec)
finally:
    _install()
