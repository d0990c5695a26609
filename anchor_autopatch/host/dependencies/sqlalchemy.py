"""SQLAlchemy: the errors of whichever driver is below it, and what its pool does by itself.

A driver that is watched (psycopg) has told of its failure before SQLAlchemy hears of it; this is
for all others, and so that what the pool mends by itself (`pool_pre_ping`) is told by nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from anchor_autopatch.host.dependencies.judging import Verdict

# Where a database is reached without a port in its URL.
_DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("sqlalchemy"), "__version__", None)


def patch(base: ModuleType) -> None:
    """Watches connections and what checks them out; `base` is `sqlalchemy.engine.base`."""
    library = _SQLAlchemy()
    patching.replace(base.Connection, "_handle_dbapi_exception", _wrap_handling(library))
    # Pings a pooled connection, drops those that are dead and connects anew: only what comes of it
    # all is an outcome.
    patching.replace(base.Engine, "raw_connection", _wrap_checkout(library))
    pool = sys.modules.get("sqlalchemy.pool.base")
    if pool is not None:
        # Rolls back what is given back, and swallows what that raises.
        patching.replace_if_present(pool, "_finalize_fairy", watching.quiet)


def _wrap_checkout(library: watching.Library) -> Any:
    make = watching.wrap(library)
    return lambda original: make(watching.quiet(original))


def _wrap_handling(library: watching.Library) -> Any:
    def make(original: Any) -> Any:
        # No listener of SQLAlchemy's own event: one alone makes every statement look for others.
        @wraps(original)
        def _handle_dbapi_exception(self: Any, e: Any, *args: Any, **kwargs: Any) -> Any:
            # Called where the driver's error is handled; it raises another one from that. What the
            # application was handling by then is all that the error can have for a context.
            if isinstance(e, Exception):
                watching.failed(library, e, id(e.__context__), self, args, kwargs)
            return original(self, e, *args, **kwargs)

        return _handle_dbapi_exception

    return make


class _SQLAlchemy(watching.Library):
    name = "sqlalchemy"

    def address(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str | None:
        """host:port of the engine's URL; the kind of database where it has no host."""
        from anchor_autopatch.host.dependencies import telling

        # A connection has an engine, an engine is one.
        url = getattr(owner, "engine", owner).url
        kind = url.get_backend_name()
        if not url.host:
            return str(kind)
        return telling.hosts(url.host, url.port or _DEFAULT_PORTS.get(kind))

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_database`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_database(links)
