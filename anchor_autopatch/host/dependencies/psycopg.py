"""psycopg 3: `connect`, and `Connection.wait`, where everything else waits for the server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from anchor_autopatch.host.dependencies.judging import Verdict

_DEFAULT_PORT = 5432


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("psycopg.version"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Watches connections; `module` is `psycopg.connection` or its asynchronous twin."""
    asynchronous = module.__name__.endswith("_async")
    make = watching.wrap_async if asynchronous else watching.wrap
    connection = module.AsyncConnection if asynchronous else module.Connection
    patching.replace(connection, "wait", make(_Open()))
    connect = vars(connection)["connect"]
    patching.put(connection, "connect", classmethod(make(_Connecting())(connect.__func__)))


class _Open(watching.Library):
    """What is asked over a connection that stands, or stood."""

    name = "psycopg"

    def address(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str | None:
        """host:port of the server that this connection was made to."""
        pgconn = owner.pgconn
        # libpq forgets the address of a connection that is finished.
        if not getattr(pgconn, "pgconn_ptr", 1):
            return "postgresql"
        return _address(pgconn.host.decode(), pgconn.port.decode())

    def judge(self, owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_database`; nothing where the application itself had closed it."""
        from anchor_autopatch.host.dependencies import judging

        return None if owner.closed and not owner.broken else judging.of_database(links)

    def is_over(self, owner: Any) -> bool:
        """Whether the server, or the way to it, has gone."""
        return bool(owner.broken)


class _Connecting(watching.Library):
    """The class method that connects, to one of several servers; its last try is its result."""

    name = "psycopg"

    def address(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """host:port of the first server that was asked for."""
        return server(args[0] if args else kwargs.get("conninfo") or "", kwargs)

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_database`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_database(links)


def server(conninfo: str, kwargs: dict[str, Any]) -> str:
    """host:port of the first server that these parameters name."""
    own = {name: kwargs[name] for name in ("host", "port") if kwargs.get(name) is not None}
    given = sys.modules["psycopg.conninfo"].conninfo_to_dict(conninfo, **own)
    first = {name: str(given.get(name) or "").partition(",")[0] for name in ("host", "port")}
    return _address(first["host"], first["port"] or _DEFAULT_PORT)


def _address(host: str, port: object) -> str:
    from anchor_autopatch.host.dependencies import telling

    return telling.hosts(host, port)
