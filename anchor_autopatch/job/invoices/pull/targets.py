"""Which accounts are pulled: keys from the environment, names of accounts from `anchor.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("PROVIDERS", "Target", "read_targets")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SETTINGS = ("provider", "account", "key_env", "team", "url")


class _Api(NamedTuple):
    url: str
    key_env: str
    """Variable of the key; an ordinary API key may not read costs."""
    team_env: str = ""


PROVIDERS = {
    "openai": _Api("https://api.openai.com/v1", "OPENAI_ADMIN_KEY"),
    "anthropic": _Api("https://api.anthropic.com/v1", "ANTHROPIC_ADMIN_KEY"),
    "xai": _Api("https://management-api.x.ai", "XAI_MANAGEMENT_KEY", "XAI_TEAM_ID"),
    "openrouter": _Api("https://openrouter.ai/api/v1", "OPENROUTER_MANAGEMENT_KEY"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One billing account that can be asked."""

    provider: str
    account: str
    """As receipts and invoices name it; empty = the only one."""
    url: str
    key_env: str
    key: str = field(repr=False)
    team: str = ""


def read_targets(
    config: Mapping[str, object], environ: Mapping[str, str], providers: Sequence[str]
) -> list[Target]:
    """The accounts to pull: every `[[pull]]` of the file, and each provider with a key besides.

    Args:
        config: `anchor.toml`.
        environ: Holds the keys; they are read from nowhere else.
        providers: Only these; empty = all that have a key.

    Raises:
        ConfigError: a setting cannot be used, or a key is missing.
    """
    unknown = [name for name in providers if name not in PROVIDERS]
    if unknown:
        raise ConfigError(
            f"Cannot pull {unknown[0]!r}; known: {', '.join(PROVIDERS)}. Import its export instead"
        )
    tables = _tables(config)
    named = {table["provider"] for table in tables}
    # A provider that is asked for by name must have its key; others are left out without one.
    implied = [name for name in PROVIDERS if name not in named]
    wanted = [
        table
        for table in (*tables, *({"provider": name} for name in implied))
        if table["provider"] in (providers or PROVIDERS)
    ]
    targets = [_target(table, environ) for table in wanted if _is_due(table, environ, providers)]
    if not targets:
        keys = ", ".join(api.key_env for api in PROVIDERS.values())
        raise ConfigError(f"No key to pull with; set one of {keys} in the environment")
    return targets


def _tables(config: Mapping[str, object]) -> list[dict[str, str]]:
    tables = config.get("pull", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError("Section 'pull' is no list of tables; write [[pull]] above each account")
    for table in tables:
        for name, value in table.items():
            if name not in _SETTINGS or not isinstance(value, str):
                raise ConfigError(
                    f"Cannot read {name} = {value!r} in [[pull]]; known: {', '.join(_SETTINGS)}"
                )
        if table.get("provider") not in PROVIDERS:
            raise ConfigError(
                f"Unknown provider {table.get('provider')!r} in [[pull]]; "
                f"known: {', '.join(PROVIDERS)}"
            )
    return tables


def _is_due(table: Mapping[str, str], environ: Mapping[str, str], asked: Sequence[str]) -> bool:
    configured = len(table) > 1
    return configured or bool(asked) or bool(environ.get(PROVIDERS[table["provider"]].key_env))


def _target(table: Mapping[str, str], environ: Mapping[str, str]) -> Target:
    provider = table["provider"]
    api = PROVIDERS[provider]
    key_env = table.get("key_env", api.key_env)
    key = environ.get(key_env, "").strip()
    if not key:
        raise ConfigError(
            f"No key for {provider}: set {key_env} in the environment to an admin or management key"
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"The value of {key_env} is no key; set it anew, without line breaks")
    team = table.get("team") or environ.get(api.team_env, "") if api.team_env else ""
    if api.team_env and not team.replace("-", "").isalnum():
        raise ConfigError(f"{provider} needs a team id, not {team!r}; set {api.team_env}")
    url = table.get("url", api.url).rstrip("/")
    parts = urlsplit(url)
    # The key would cross the network readable by everyone.
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ConfigError(
            f"Address {url!r} of [[pull]] is not https; the key is sent encrypted only"
        )
    return Target(provider, table.get("account", ""), url, key_env, key, team)
