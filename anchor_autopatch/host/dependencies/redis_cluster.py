"""redis-py's clusters: commands, whose redirections and retries are over when they raise."""

from __future__ import annotations

from types import ModuleType

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import redis, watching


def version() -> str | None:
    """The imported library's version."""
    return redis.version()


def patch(module: ModuleType) -> None:
    """Watches the commands; `module` is `redis.cluster` or `redis.asyncio.cluster`."""
    make = watching.wrap_async if ".asyncio" in module.__name__ else watching.wrap
    patching.replace(module.RedisCluster, "execute_command", make(redis.Redis()))
