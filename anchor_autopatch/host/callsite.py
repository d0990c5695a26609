"""The function of the application that made the call.

The nearest frame that is neither library nor ours.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from types import CodeType, FrameType

_LIBRARY = "library"
_LOOP = "loop"
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_LIBRARY_FOLDERS = tuple(
    {
        os.path.join(path, "")
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        for path in (sysconfig.get_path(name), os.path.realpath(sysconfig.get_path(name)))
    }
)
# Debian keeps its packages in dist-packages.
_PACKAGE_FOLDERS = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
# A loop written in C (uvloop) shows only the function that started it.
_LOOP_FILES = (
    os.path.join("asyncio", "events.py"),
    os.path.join("asyncio", "runners.py"),
    os.path.join("asyncio", "base_events.py"),
    os.path.join("trio", "_core", "_run.py"),
)
_LOOP_FUNCTIONS = ("_run", "run", "run_until_complete", "run_forever")
_KIND_LIMIT = 4_096
_DEPTH_LIMIT = 200

# id(code) -> (code, kind): the code object is held, so its id cannot be given to another one.
_kinds: dict[int, tuple[CodeType, str]] = {}


def find() -> str | None:
    """`module:function` of the nearest application frame, or None.

    The walk stops at the event loop: a task that was started elsewhere has no caller of the
    application's on its stack, and a guess would charge the wrong function.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH_LIMIT):
        if frame is None:
            return None
        code = frame.f_code
        known = _kinds.get(id(code))
        kind = known[1] if known is not None else _learn(code, frame)
        if kind is _LOOP:
            return None
        if kind is not _LIBRARY:
            return kind
        frame = frame.f_back
    return None


def _learn(code: CodeType, frame: FrameType) -> str:
    if len(_kinds) >= _KIND_LIMIT:
        # Programs that make code objects without end (templates, exec) must not grow this process.
        _kinds.clear()
    kind = _kind(code, frame)
    _kinds[id(code)] = (code, kind)
    return kind


def _kind(code: CodeType, frame: FrameType) -> str:
    file = code.co_filename
    if code.co_name in _LOOP_FUNCTIONS and file.endswith(_LOOP_FILES):
        return _LOOP
    if file.startswith("<frozen") or file.startswith(_OURS) or file.startswith(_LIBRARY_FOLDERS):
        return _LIBRARY
    if any(folder in file for folder in _PACKAGE_FOLDERS):
        return _LIBRARY
    module = frame.f_globals.get("__name__")
    if not isinstance(module, str) or module == "__main__":
        # A script is known by its file, the name that its owner knows; `python -c` stays __main__.
        module = os.path.basename(file).removesuffix(".py") if file.endswith(".py") else "__main__"
    return f"{module}:{code.co_qualname}"
