"""Switches capture on in this process.

The off switches, the deny list, the finder. Idempotent and silent.

Runs at the start of every hooked interpreter, so it may use nothing but `sys` and `os`: everything
else is imported when a target is (measured: wrapt 50 ms, sqlite3 4 ms, json 6 ms at a cold start).
"""

from __future__ import annotations

import os
import sys

_installed = False

# Tools that never call a provider, and whose own start-up or isolation must not be touched.
_TOOLS = frozenset(
    (
        "pip", "pip3", "pipx", "uv", "poetry", "pdm", "hatch", "build", "flit", "twine",
        "virtualenv", "venv", "ensurepip", "conda", "pipenv", "easy_install", "git", "hg",
        "mercurial", "meson", "ninja", "cython", "f2py", "black", "ruff", "mypy", "pyright",
        "pre-commit", "pre_commit",
    )
)  # fmt: skip
_OPTIONS_WITH_A_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def install() -> bool:
    """Patches the provider SDKs as they are imported, and those that are imported already.

    Returns:
        True when capture is on in this process, False when it was switched off or is not supported
        here.
    """
    global _installed
    if _installed:
        return True
    if _switched_off():
        return False
    from anchor_autopatch.host import finder

    finder.add(_disabled_targets())
    _installed = True
    return True


def uninstall() -> None:
    """Takes the finder away and unpatches every target; for tests and interactive work."""
    global _installed
    from anchor_autopatch.host import finder

    finder.remove()
    _installed = False


def off_reason() -> str | None:
    """Why capture stays off in this process, in words, or None when nothing stands against it."""
    if os.environ.get("ANCHOR_DISABLED", "") not in ("", "0"):
        return "ANCHOR_DISABLED is set"
    if sys.version_info < (3, 11):  # noqa: UP036 - on PYTHONPATH the hook meets any Python
        return "Python is older than 3.11"
    if _running_a_tool():
        return "this is a packaging or development tool"
    if _in_subinterpreter():
        return "this is a subinterpreter"
    return None


def _switched_off() -> bool:
    return off_reason() is not None


def _disabled_targets() -> frozenset[str]:
    return frozenset(filter(None, os.environ.get("ANCHOR_DISABLE", "").replace(" ", "").split(",")))


def _running_a_tool() -> bool:
    # sys.argv is not complete yet when `site` runs; orig_argv is: [python, options..., script | -m,
    # module, ...]
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word == "-m":
            return next(words, "").partition(".")[0] in _TOOLS
        if word in _OPTIONS_WITH_A_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            # A console script has no ending; an application's own build.py must not be taken for a
            # tool.
            return os.path.basename(word) in _TOOLS
        elif word == "-c":
            return False
    return False


def _in_subinterpreter() -> bool:
    # Only the main interpreter loads `_signal` for itself before `site` runs. Where it is there,
    # the question costs nothing; code that runs later in a subinterpreter may have loaded it.
    return "_signal" not in sys.modules and in_subinterpreter()


def in_subinterpreter() -> bool:
    """Whether this is not the main interpreter of its process; loads a module to find out.

    The lock and the fork handlers of an outbox are the process's, and on Python 3.12 importing
    hashlib in a subinterpreter brings the process down at its end: capture is off there.
    """
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    try:
        interpreters = __import__(name)
    except ImportError:
        return False
    current = interpreters.get_current()
    return bool((current[0] if isinstance(current, tuple) else int(current)) != 0)
