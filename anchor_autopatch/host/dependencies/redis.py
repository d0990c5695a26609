"""redis-py: commands and pipelines of both clients, whose own retries are over when they raise."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from anchor_autopatch.host.dependencies.judging import Verdict

_DEFAULT_PORT = 6379


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("redis"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Watches the commands; `module` is `redis.client` or `redis.asyncio.client`."""
    make = watching.wrap_async if ".asyncio" in module.__name__ else watching.wrap
    for owner, names in (
        (module.Redis, ("execute_command",)),
        # Commands of a pipeline are only collected, except after WATCH.
        (module.Pipeline, ("execute", "immediate_execute_command")),
        (module.PubSub, ("execute_command", "parse_response")),
    ):
        for name in names:
            patching.replace(owner, name, make(Redis()))


class Redis(watching.Library):
    """A server, or several that are one."""

    name = "redis"

    def address(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str | None:
        """host:port of the server, or of the first one that a cluster was asked for at."""
        from anchor_autopatch.host.dependencies import telling

        pool = getattr(owner, "connection_pool", None)
        if pool is None:
            nodes = getattr(getattr(owner, "nodes_manager", None), "startup_nodes", None) or {}
            return next(iter(nodes), "redis")
        given = pool.connection_kwargs
        if given.get("path"):
            return "localhost"
        return telling.hosts(given.get("host"), given.get("port") or _DEFAULT_PORT)

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_redis`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_redis(links)
