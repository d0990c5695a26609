"""psycopg2: `connect`. What statements fail at is not seen here.

Its connections and cursors are C types that nothing can be put into, and other classes in their
place (`connection_factory`) would be seen by the application.
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

_DEFAULT_PORT = 5432


def version() -> str | None:
    """The imported library's version, without the words about how it was built."""
    found = getattr(sys.modules.get("psycopg2"), "__version__", None)
    return str(found).partition(" ")[0] if found else None


def patch(module: ModuleType) -> None:
    """Watches what connects; `module` is `psycopg2`."""
    patching.replace(module, "connect", _wrap_connect)


def _wrap_connect(original: Any) -> Any:
    library = _Connecting()

    @wraps(original)
    def connect(*args: Any, **kwargs: Any) -> Any:
        handling = id(sys.exception())
        try:
            return original(*args, **kwargs)
        except Exception as error:
            watching.failed(library, error, handling, None, args, kwargs)
            raise

    return connect


class _Connecting(watching.Library):
    """A function that connects to one of several servers; its last try is its result."""

    name = "psycopg2"

    def address(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """host:port of the first server that was asked for."""
        from anchor_autopatch.host.dependencies import telling

        extensions = sys.modules["psycopg2.extensions"]
        own = {name: kwargs[name] for name in ("host", "port") if kwargs.get(name) is not None}
        dsn = args[0] if args else kwargs.get("dsn")
        given = extensions.parse_dsn(extensions.make_dsn(dsn, **own))
        first = {name: given.get(name, "").partition(",")[0] for name in ("host", "port")}
        return telling.hosts(first["host"], first["port"] or _DEFAULT_PORT)

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_database`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_database(links)
