"""What a failure of a client library is: the service's, and of which class, or none of its fault.

By duck typing and by the names of classes: nothing is imported that the application has not. Only
names, numbers and codes leave this module; texts are looked at and never kept, because they quote
URLs, statements and addresses.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.failures import DEPENDENCY_ERROR
from anchor_autopatch.host.dependencies.watching import FAILED_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Verdict(NamedTuple):
    """A failure of a service that the application depends on."""

    event_class: str
    http_status: int | None = None
    code: str | None = None
    """SQLSTATE, Redis's error word, the cloud's error code, or the name of the system's error."""


# netdb.h of glibc: names that are not resolved have numbers of their own.
_RESOLVING = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA"}
_QUOTED_ERRNO = re.compile(r"\[Errno (-?\d{1,5})\]")
_TIMEOUT_WORDS = ("timeout", "timedout")

# -- HTTP --

_HTTP_ROOTS = frozenset(
    ("aiohttp", "h2", "http", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3")
)
# Of the system's own errors only those of connections: a file to upload may be missing.
_CONNECTION_ERRORS = frozenset(("ConnectionError", "TimeoutError", "gaierror", "SSLError"))
# What the application asked for cannot be sent, or it closed what it sends with. Also what it makes
# of an answer that came whole.
_OWN_FAULTS = frozenset(
    (
        "ClosedPoolError",
        "CookieConflict",
        "InvalidHeader",
        "InvalidJSONError",
        "InvalidProxyURL",
        "InvalidSchema",
        "InvalidURL",
        "LocalProtocolError",
        "LocationValueError",
        "MissingSchema",
        "NonHttpUrlClientError",
        "StreamError",
        "TooManyRedirects",
        "UnrewindableBodyError",
        "UnsupportedProtocol",
    )
)
# An answer that nobody could use, or too many with a status that was to be tried again.
_ANSWERS = frozenset(
    ("ContentDecodingError", "DecodeError", "DecodingError", "ResponseError", "RetryError")
)
_STATUS_CLASSES = {429: "rate_limited", 504: "timeout"}


def of_status(status: int, code: str | None = None) -> Verdict | None:
    """The verdict on an answer; None for a status that is no failure of the service."""
    if status not in FAILED_STATUSES:
        return None
    return Verdict(_STATUS_CLASSES.get(status, DEPENDENCY_ERROR), status, code)


def of_http(links: Sequence[BaseException]) -> Verdict | None:
    """The verdict on what an HTTP client raised."""
    error = links[0]
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None and _root(error) == "aiohttp" and not _is_garbled(links):
        status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        # `raise_for_status` in a hook of the application's.
        return of_status(status)
    names = _ancestors(error)
    if names & _OWN_FAULTS or not (_root(error) in _HTTP_ROOTS or names & _CONNECTION_ERRORS):
        return None
    return Verdict(_transport_class(links), None, system_code(links))


def _is_garbled(links: Iterable[BaseException]) -> bool:
    """Whether the answer could not be read: aiohttp gives it a status of its own invention."""
    return any("HttpProcessingError" in _ancestors(link) for link in links)


def _transport_class(links: Iterable[BaseException]) -> str:
    names = {type(link).__name__ for link in links}
    if any(word in name.lower() for name in names for word in _TIMEOUT_WORDS):
        return "timeout"
    return "network" if names.isdisjoint(_ANSWERS) else DEPENDENCY_ERROR


# -- databases --

# PEP 249. Others (IntegrityError, ProgrammingError, DataError ...) are answers to what was asked.
_DATABASE_FAILURES = frozenset(("OperationalError", "InterfaceError", "InternalError"))
# PostgreSQL 15, appendix A, "Error Codes", by their first two characters: connection (08), not
# allowed in (28), no such database (3D), out of resources (53), intervention of an operator (57),
# system error (58), internal error (XX). The rest is the answer to a statement, among them
# conflicts that are to be tried again (40) and locks that were not to be waited for (55).
_SQLSTATES = frozenset(("08", "28", "3D", "53", "57", "58", "XX"))
_QUERY_CANCELLED = "57014"
_SQLSTATE_LENGTH = 5
# SQLite's primary result codes (sqlite.org/rescode.html, read 2026-11). Code 1, a statement that is
# wrong, has the same class in Python.
_SQLITE_FAILURES = {
    3: "SQLITE_PERM",
    5: "SQLITE_BUSY",
    6: "SQLITE_LOCKED",
    7: "SQLITE_NOMEM",
    8: "SQLITE_READONLY",
    10: "SQLITE_IOERR",
    11: "SQLITE_CORRUPT",
    13: "SQLITE_FULL",
    14: "SQLITE_CANTOPEN",
    15: "SQLITE_PROTOCOL",
    26: "SQLITE_NOTADB",
}
_SQLITE_WAITED = (5, 6)
_PRIMARY = 0xFF


def of_database(links: Sequence[BaseException]) -> Verdict | None:
    """The verdict on what a database driver raised (PEP 249), or the pool around it."""
    error = links[0]
    names = _ancestors(error)
    sqlite_code = getattr(error, "sqlite_errorcode", None)
    if isinstance(sqlite_code, int):
        return _of_sqlite(sqlite_code & _PRIMARY)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str) and len(state) == _SQLSTATE_LENGTH:
        return _of_sqlstate(state, str(error))
    if names & _DATABASE_FAILURES:
        return Verdict(_class_by_text(str(error), links), None, system_code(links))
    if "TimeoutError" in names or names & _CONNECTION_ERRORS:
        # A pool with no connection left to give; a driver that lets the system's errors through.
        return Verdict(_transport_class(links), None, system_code(links))
    return None


def _of_sqlite(code: int) -> Verdict | None:
    name = _SQLITE_FAILURES.get(code)
    if name is None:
        return None
    return Verdict("timeout" if code in _SQLITE_WAITED else DEPENDENCY_ERROR, None, name)


def _of_sqlstate(state: str, text: str) -> Verdict | None:
    if state == _QUERY_CANCELLED:
        # The same state for a statement that took too long and for one that was called off.
        return None if "user request" in text else Verdict("timeout", None, state)
    if state[:2] not in _SQLSTATES:
        return None
    kind = {"08": "network", "28": "auth"}.get(state[:2], DEPENDENCY_ERROR)
    return Verdict(kind, None, state)


def _class_by_text(text: str, links: Sequence[BaseException]) -> str:
    """The class of an error without a state: what failed while connecting is told in words only."""
    lowered = text.lower()
    if "authentication failed" in lowered or "no password supplied" in lowered:
        return "auth"
    if "timeout" in lowered or "timed out" in lowered:
        return "timeout"
    # PostgreSQL's own word for a refusal; without it nobody answered.
    return DEPENDENCY_ERROR if "fatal:" in lowered else _transport_class(links)


# -- Redis --

# Answers that say that the server cannot serve (redis.io, "Redis serialization protocol"; the words
# are those of server.c, read 2026-11); all others are answers to a command.
_REDIS_WORDS = frozenset(("CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "OOM", "READONLY"))
_REDIS_NAMES = {
    "BusyLoadingError": "LOADING",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
}
_REDIS_AUTH = frozenset(("AuthenticationError", "AuthorizationError", "ExternalAuthProviderError"))


def of_redis(links: Sequence[BaseException]) -> Verdict | None:
    """The verdict on what redis-py raised."""
    error = links[0]
    names = _ancestors(error)
    if names & _REDIS_AUTH:
        return Verdict("auth", None, "NOAUTH")
    word = next((_REDIS_NAMES[name] for name in _REDIS_NAMES if name in names), None)
    if word is None and "ResponseError" in names:
        word = str(error).partition(" ")[0].rstrip(".")
        word = word if word in _REDIS_WORDS else None
    if word is not None:
        return Verdict(DEPENDENCY_ERROR, None, word)
    if "TimeoutError" in names or names & _CONNECTION_ERRORS:
        return Verdict(_transport_class(links), None, system_code(links))
    return None


# -- AWS --

# The cloud's words for "too often", which come with status 400 as well (botocore's
# retries/standard.py, read 2026-11).
_THROTTLED = (
    "throttl",
    "toomanyrequests",
    "requestlimitexceeded",
    "provisionedthroughputexceeded",
    "limitexceededexception",
    "slowdown",
)


def of_aws(links: Sequence[BaseException]) -> Verdict | None:
    """The verdict on what botocore raised when it had tried as often as it does."""
    error = links[0]
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = str(answer.get("Error", {}).get("Code") or "") or None
        if any(word in (code or "").lower() for word in _THROTTLED):
            return Verdict("rate_limited", status, code)
        return of_status(status, code) if isinstance(status, int) else None
    if _ancestors(error) & {"ConnectionError", "HTTPClientError"}:
        return Verdict(_transport_class(links), None, system_code(links))
    return None


# -- all of them --


def system_code(links: Sequence[BaseException]) -> str | None:
    """The system's name of the deepest error of its own, such as ECONNREFUSED; None without one."""
    for link in reversed(links):
        number = link.errno if isinstance(link, OSError) else None
        # httpcore cuts the system's error off its own, whose text is that of the other.
        quoted = _QUOTED_ERRNO.search(str(link)) if number is None else None
        number = int(quoted[1]) if quoted is not None else number
        if isinstance(number, int):
            return _RESOLVING.get(number) or errno.errorcode.get(number) or type(link).__name__
    return None


def _ancestors(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _root(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]
