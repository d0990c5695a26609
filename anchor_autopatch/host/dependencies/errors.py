"""Failures of the application itself: what it logs as an error, and what nobody catches.

The hooks that are there already, and the application's handlers, run first and unchanged.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import callsite, failures, patching
from anchor_autopatch.host.dependencies import seen

if TYPE_CHECKING:
    import logging
    from types import ModuleType

_ERROR = 40
"""logging.ERROR, whose module is not ours to import."""
# What they log about a failed call has left an event of that call.
_OF_CALLS = (
    *("LiteLLM", "litellm", "openai", "anthropic", "google_genai", "groq", "mistralai", "cohere"),
    *("xai_sdk", "botocore", "boto3", "httpx", "httpx2", "httpcore", "urllib3", "requests"),
    "anchor_autopatch",
)
_FRAMES = 16


def hook(logging_module: ModuleType) -> None:
    """Hooks `logging`, whose module is given, and the three hooks for what nobody catches."""
    patching.replace(logging_module.Logger, "callHandlers", _call_handlers)
    patching.put(sys, "excepthook", _excepthook(sys.excepthook))
    patching.put(sys, "unraisablehook", _one_argument_hook(sys.unraisablehook))
    # `logging` has imported it.
    threads = sys.modules["threading"]
    patching.put(threads, "excepthook", _one_argument_hook(threads.excepthook))


def _call_handlers(original: Any) -> Any:
    # Not `handle`, which loggers are given subclasses of: this is where every record passes that
    # its logger's level lets through, whatever `propagate` says.
    def callHandlers(self: Any, record: Any) -> Any:  # noqa: N802 - the name of what it stands for
        try:
            return original(self, record)
        finally:
            if record.levelno >= _ERROR:
                _logged(record)

    return callHandlers


def _excepthook(original: Any) -> Any:
    def excepthook(kind: Any, error: Any, traceback: Any) -> Any:
        try:
            return original(kind, error, traceback)
        finally:
            _raised(error)

    return excepthook


def _one_argument_hook(original: Any) -> Any:
    """The hooks of threads and finalizers: one argument with the exception in it."""

    def hook(raised: Any) -> Any:
        try:
            return original(raised)
        finally:
            _raised(raised.exc_value)

    return hook


@patching.guarded("errors")
def _logged(record: logging.LogRecord) -> None:
    if record.name.partition(".")[0] in _OF_CALLS:
        return
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, BaseException):
        _raised_in(error, record.name)
        return
    text = record.msg if isinstance(record.msg, str) and _is_written_down(record) else None
    failures.record_application(
        record.levelname, record.name, text, f"{record.module}:{record.funcName}"
    )


@patching.guarded("errors")
def _raised(error: BaseException | None) -> None:
    _raised_in(error, None)


def _raised_in(error: BaseException | None, logger: str | None) -> None:
    """Leaves an event of an exception that has none; `logger` is None where nobody caught it."""
    # Not an Exception: the application's own will to end, or to cancel.
    if not isinstance(error, Exception):
        return
    links = tuple(failures.chain(error))
    known = seen.is_known(links, at_the_end=logger is None)
    seen.remember(error)
    if not known:
        failures.record_application_error(error, logger, callsite.of_traceback(error.__traceback__))


def _is_written_down(record: logging.LogRecord) -> bool:
    """Whether the text stands in the source as it is: what was made at run time may quote a prompt.

    With arguments it is a template, and the arguments stay out.
    """
    if record.args:
        return True
    frame = sys._getframe(1)
    for _ in range(_FRAMES):
        code = frame.f_code
        if code.co_name == record.funcName and code.co_filename == record.pathname:
            return record.msg in code.co_consts
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False
