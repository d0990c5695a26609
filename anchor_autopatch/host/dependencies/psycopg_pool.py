"""psycopg's pool: what is asked of it, and not what it tries again by itself in the background."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import psycopg, watching

if TYPE_CHECKING:
    from anchor_autopatch.host.dependencies.judging import Verdict


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("psycopg_pool._version"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Watches one pool; `module` is `psycopg_pool.pool` or its asynchronous twin."""
    asynchronous = module.__name__.endswith("_async")
    make = watching.wrap_async if asynchronous else watching.wrap
    quiet = watching.quiet_async if asynchronous else watching.quiet
    pool = module.AsyncConnectionPool if asynchronous else module.ConnectionPool
    library = _Pool()
    for name in ("getconn", "wait"):
        # Connections that are found dead are replaced meanwhile.
        patching.replace(pool, name, lambda original: make(library)(quiet(original)))
    # Workers connect again and again while the server is gone, and roll back what is given back.
    for name in ("_connect", "_reset_connection"):
        patching.replace_if_present(pool, name, quiet)


class _Pool(watching.Library):
    name = "psycopg"

    def address(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str | None:
        """host:port of the first server that the pool connects to, where it is said beforehand."""
        given, options = owner.conninfo, owner.kwargs
        if not isinstance(given, str) or not (options is None or isinstance(options, dict)):
            return "postgresql"
        return psycopg.server(given, options or {})

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_database`; nothing where the application itself had closed the pool."""
        from anchor_autopatch.host.dependencies import judging

        if type(links[0]).__name__ == "PoolClosed":
            return None
        if type(links[0]).__name__ == "TooManyRequests":
            # As many wait as may: the server does not serve as fast as it is asked.
            return judging.Verdict("timeout")
        return judging.of_database(links)
