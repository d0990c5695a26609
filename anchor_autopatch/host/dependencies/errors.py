"""Failures of the application itself: what it logs as an error, and what nobody catches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from anchor_autopatch.host import callsite, failures
from anchor_autopatch.host.dependencies import seen

if TYPE_CHECKING:
    import logging

# What they log about a failed call or operation has left an event of that.
_OF_CALLS = (
    *("LiteLLM", "litellm", "openai", "anthropic", "google_genai", "groq", "mistralai", "cohere"),
    *("xai_sdk", "botocore", "boto3", "httpx", "httpx2", "httpcore", "urllib3", "requests"),
    *("psycopg", "psycopg2", "redis", "sqlalchemy", "aiobotocore"),
    "anchor_autopatch",
)
# They watch the application as we do: what they log is about themselves.
_OF_OBSERVERS = ("opentelemetry", "ddtrace", "sentry_sdk")
_LEFT_OUT = frozenset((*_OF_CALLS, *_OF_OBSERVERS))
_OF_TASKS = ("rq",)
"""What they log of a failed task has its traceback as text, while they handle the exception."""
_FRAMES = 16


def logged(record: logging.LogRecord) -> None:
    """Leaves an event of a record at ERROR or above, unless what it tells of has left one."""
    if record.name.partition(".")[0] in _LEFT_OUT:
        return
    error = _told_by(record)
    if error is not None:
        _raised_in(error, record.name)
        return
    caught = _caught_by(record)
    if caught is not None:
        known = seen.is_known(tuple(failures.chain(caught)), at_the_end=False)
        seen.remember(caught)
        if known:
            # `log.error("no cache: %s", error)` about a failure that has left an event.
            return
    text = record.msg if isinstance(record.msg, str) and _is_written_down(record) else None
    failures.record_application(
        record.levelname, record.name, text, f"{record.module}:{record.funcName}"
    )


def _told_by(record: logging.LogRecord) -> BaseException | None:
    """The exception that a record is about."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None and record.name.partition(".")[0] in _OF_TASKS:
        error = sys.exception()
    return error


def _caught_by(record: logging.LogRecord) -> BaseException | None:
    """The exception that was caught in the very function that logged, and is handled there now.

    Not one that was caught further up: what is logged below may be something else that went wrong.
    """
    error = sys.exception()
    trace = error.__traceback__ if error is not None else None
    if trace is None:
        return None
    code = trace.tb_frame.f_code
    here = (code.co_name, code.co_filename) == (record.funcName, record.pathname)
    return error if here else None


def raised(error: BaseException | None) -> None:
    """Leaves an event of an exception that nobody caught, unless it has left one."""
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
