"""The function of the application that made the call.

The nearest frame that is neither library nor ours.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from types import CodeType, FrameType, TracebackType

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
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_KNOWN_LIMIT = 4_096
_DEPTH_LIMIT = 200
_OWN_FRAMES = 3
"""`find`, the beginning of the call that asks, and who begins it."""

# By the id of a code object, because hashing one reads all its constants. The object is held beside
# its id, so that the id cannot be given to another one.
_libraries: dict[int, CodeType] = {}
_ends: dict[int, tuple[CodeType, str | None]] = {}
"""Where a walk ends: at a function of the application, named, or at the event loop, None."""


def find() -> str | None:
    """`module:function` of the nearest application frame, without its line, or None.

    The walk stops at the event loop: a task that was started elsewhere has no caller of the
    application's on its stack, and a guess would charge the wrong function.
    """
    # Each frame that is looked at becomes an object, 0.1 us; the nearest ones are ours.
    frame: FrameType | None = sys._getframe(_OWN_FRAMES)
    for _ in range(_DEPTH_LIMIT):
        if frame is None:
            return None
        code = frame.f_code
        if id(code) not in _libraries:
            end = _ends.get(id(code)) or _learn(code, frame)
            if end is not None:
                return end[1]
        frame = frame.f_back
    return None


def of_traceback(traceback: TracebackType | None) -> str | None:
    """`module:function` of the innermost application frame of an exception, or None."""
    found: FrameType | None = None
    while traceback is not None:
        if not _is_library(traceback.tb_frame.f_code.co_filename):
            found = traceback.tb_frame
        traceback = traceback.tb_next
    return None if found is None else _name(found.f_code, found)


def _learn(code: CodeType, frame: FrameType) -> tuple[CodeType, str | None] | None:
    """The end of the walk that this frame is; None for a library's."""
    if len(_libraries) + len(_ends) >= _KNOWN_LIMIT:
        # Programs that make code objects without end (templates, exec) must not grow this process.
        _libraries.clear()
        _ends.clear()
    loop = _is_loop(code)
    if not loop and _is_library(code.co_filename):
        _libraries[id(code)] = code
        return None
    end = _ends[id(code)] = (code, None if loop else _name(code, frame))
    return end


def _is_loop(code: CodeType) -> bool:
    return code.co_name in _LOOP_FUNCTIONS and code.co_filename.endswith(_LOOP_FILES)


def _is_library(file: str) -> bool:
    return (
        file.startswith(("<frozen", _OURS))
        or file.startswith(_LIBRARY_FOLDERS)
        or any(folder in file for folder in _PACKAGE_FOLDERS)
    )


def _name(code: CodeType, frame: FrameType) -> str:
    module = frame.f_globals.get("__name__")
    # A process that multiprocessing has spawned knows the script of its parent as __mp_main__.
    if not isinstance(module, str) or module in ("__main__", "__mp_main__"):
        module = _script(code.co_filename, frame.f_globals.get("__spec__"))
    function = code.co_qualname
    # Python 3.12 has no frames for most of these any more: the name must not tell the version.
    while function.endswith(_COMPREHENSIONS):
        function = function.rpartition(".<locals>.")[0] or "<module>"
    return f"{module}:{function}"


def _script(file: str, spec: object) -> str:
    """What a program's own file is called: by `python -m` as there, else by its path."""
    name = getattr(spec, "name", None)
    if isinstance(name, str) and name not in ("__main__", "__mp_main__"):
        return name
    # What `python -c` and notebooks run has no file, or another one each time.
    if not file.endswith(".py") or f"{os.sep}ipykernel_" in file:
        return "__main__"
    return _below_project(file).removesuffix(".py").replace(os.sep, ".")


def _below_project(file: str) -> str:
    """The path below the folder that the program was started in, which is taken for the project.

    The file's name alone where it lies elsewhere, or where that folder is nobody's project: the
    path to it would be the machine's, and another one on the next machine.
    """
    try:
        folder = os.getcwd()
    except OSError:
        folder = os.sep
    if folder not in (os.sep, os.path.expanduser("~")) and file.startswith(folder + os.sep):
        return file[len(folder) + 1 :]
    return os.path.basename(file)
