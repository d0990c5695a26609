"""The section `[alerts]` of `anchor.toml`: who is told, from which severity, and how often.

Secrets are named, never written down: `url_env` and `secret_env` name the variables of the
environment that hold them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.durations import duration_us
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.incidents import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SEVERITIES,
    Incident,
    rank,
)
from anchor_autopatch.core.mistakes import Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS = ("webhook", "slack", "pagerduty", "alertmanager", "smtp")
ALERT_URL = "ANCHOR_ALERT_URL"
ALLOW_PRIVATE = "ANCHOR_ALERT_ALLOW_PRIVATE"
ENVIRONMENT_SINK = "ANCHOR_ALERT_URL"
"""Name of the sink that the environment alone makes."""
_SLACK_HOST = "hooks.slack.com"


class Sink(NamedTuple):
    """One place that is told."""

    name: str
    kind: str
    url: str | None = None
    url_env: str | None = None
    """Variable that holds the URL, where the URL is a secret itself."""
    secret_env: str | None = None
    """Variable with what signs (webhook), routes (pagerduty) or logs in (smtp: the password)."""
    user: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    allow_private: bool = False
    """Whether plain http and addresses of one's own network may be told."""
    minimum: str = "warning"
    classes: tuple[str, ...] = ()
    """Only these; empty = all. The same for the two below."""
    teams: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    second: str | None = None
    """Sink that is told as well once this one has failed three times."""
    standby: bool = False
    """Told of nothing at first hand: it is the second sink of others."""


class Heartbeat(NamedTuple):
    """Where is told that all is well: whoever listens there notices when nothing comes."""

    url_env: str
    """Variable that holds the URL, which is a secret: who knows it could speak in our place."""
    every_us: int = 5 * MINUTE_US
    allow_private: bool = False


class AlertRules(NamedTuple):
    """All sinks, and how often they hear of what goes on."""

    sinks: tuple[Sink, ...] = ()
    reminders: tuple[int, ...] = (HOUR_US, 4 * HOUR_US, DAY_US)
    """Microseconds after the first message; the last one repeats."""
    heartbeat: Heartbeat | None = None

    @property
    def minimum(self) -> str:
        """The lowest severity that any sink wants."""
        wanted = [sink.minimum for sink in self.sinks if not sink.standby]
        return min(wanted, key=rank, default=SEVERITIES[-1])

    def named(self, name: str) -> Sink | None:
        """The sink of this name."""
        return next((sink for sink in self.sinks if sink.name == name), None)


def wants(sink: Sink, incident: Incident, teams: Sequence[str], services: Sequence[str]) -> bool:
    """Whether a sink is to be told of an incident that hit these teams and services."""
    if sink.standby or rank(incident.severity) < rank(sink.minimum):
        return False
    return (
        (not sink.classes or incident.event_class in sink.classes)
        and (not sink.teams or not set(sink.teams).isdisjoint(teams))
        and (not sink.services or not set(sink.services).isdisjoint(services))
    )


def read_rules(config: Mapping[str, object], environ: Mapping[str, str]) -> AlertRules:
    """The rules of a parsed `anchor.toml`, with the sink that the environment makes.

    Raises:
        ConfigError: a value that nobody can read, or a key that nobody reads.
    """
    table = config.get("alerts", {})
    if not isinstance(table, dict):
        raise ConfigError(f"Cannot use {table!r} for 'alerts'; expected a table [alerts]")
    wrong = Mistakes()
    wrong.known(table, ("sink", "reminders", "heartbeat"), "[alerts]")
    tables = wrong.read(_tables, table.get("sink", [])) or []
    sinks = wrong.each(tables, _sink)
    # Of a sink that cannot be read the name still counts: others may name it as their second.
    names = [each.get("name") for each in tables]
    if environ.get(ALERT_URL):
        sinks.append(_from_environment(environ))
        names.append(ENVIRONMENT_SINK)
    wrong.each(sinks, lambda sink: _check_name(sink, names))
    heartbeat = wrong.read(_heartbeat, table.get("heartbeat"))
    reminders = wrong.read(_reminders, table) or ()
    wrong.refuse()
    return AlertRules(tuple(sinks), reminders, heartbeat)


def _reminders(table: Mapping[str, object]) -> tuple[int, ...]:
    if "reminders" not in table:
        return AlertRules().reminders
    given = _list(table["reminders"], "reminders")
    return tuple(sorted(duration_us(each, "[alerts] reminders") for each in given))


def _heartbeat(table: object) -> Heartbeat | None:
    if table is None:
        return None
    where = "[alerts.heartbeat]"
    if not isinstance(table, dict):
        raise ConfigError(f"Cannot use {table!r} for 'heartbeat'; expected a table {where}")
    _known(table, ("url_env", "every", "allow_private"), where)
    made = Heartbeat(_text(table.get("url_env"), "url_env", where))
    if "every" in table:
        made = made._replace(every_us=duration_us(table["every"], f"{where} every"))
    private = _flag(table.get("allow_private", False), "allow_private", where)
    return made._replace(allow_private=private)


def _from_environment(environ: Mapping[str, str]) -> Sink:
    slack = _SLACK_HOST in environ[ALERT_URL]
    return Sink(
        name=ENVIRONMENT_SINK,
        kind="slack" if slack else "webhook",
        url_env=ALERT_URL,
        allow_private=environ.get(ALLOW_PRIVATE) == "1",
    )


def _sink(table: dict[str, Any]) -> Sink:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"Cannot use {name!r} as name of a sink in [[alerts.sink]]")
    where = f"sink {name!r} of [[alerts.sink]]"
    _known(table, Sink._fields, where)
    wrong = Mistakes()
    given: dict[str, Any] = dict(
        wrong.each(table, lambda key: (key, _value(key, table[key], where)))
    )
    for key, known in (("kind", KINDS), ("minimum", SEVERITIES)):
        # One that is no text has been told; there is no usual kind.
        asked = key in given or (key == "kind" and key not in table)
        if asked and given.get(key) not in known:
            wrong.add(f"Unknown {key} {given.get(key)!r} of {where}; known: {', '.join(known)}")
    # Only then: what a sink needs depends on its kind.
    wrong.refuse()
    return _complete(Sink(**given), where)


def _value(key: str, value: object, where: str) -> str | bool | tuple[str, ...]:
    if key in _LISTS:
        return tuple(_list(value, key))
    return _flag(value, key, where) if key in _FLAGS else _text(value, key, where)


_LISTS = ("recipients", "classes", "teams", "services")
_FLAGS = ("allow_private", "standby")


def _complete(sink: Sink, where: str) -> Sink:
    if sink.kind == "pagerduty":
        sink = sink._replace(url=sink.url or "https://events.pagerduty.com/v2/enqueue")
        if not sink.secret_env:
            raise ConfigError(f"{where} needs secret_env: the variable that holds the routing key")
    if not (sink.url or sink.url_env):
        raise ConfigError(f"{where} needs url, or url_env where the URL is a secret")
    if sink.kind == "slack" and not sink.url_env:
        raise ConfigError(f"{where} needs url_env: whoever knows a Slack URL can post to it")
    if sink.kind == "smtp" and not (sink.sender and sink.recipients):
        raise ConfigError(f"{where} needs sender and recipients")
    return sink


def _check_name(sink: Sink, names: Sequence[object]) -> None:
    if names.count(sink.name) > 1:
        raise ConfigError(f"Two sinks are called {sink.name!r}; names say which one was told")
    if sink.second is not None and (sink.second not in names or sink.second == sink.name):
        others = [str(name) for name in names if name and name != sink.name]
        raise ConfigError(
            f"Unknown second sink {sink.second!r} of sink {sink.name!r}; known: "
            f"{', '.join(others) or 'none'}"
        )


def _known(table: Mapping[str, object], known: Sequence[str], where: str) -> None:
    wrong = Mistakes()
    wrong.known(table, known, where)
    # What is missing may be what is misspelt: the rest of this table tells no more.
    wrong.refuse()


def _tables(value: object) -> list[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise ConfigError(f"Cannot use {value!r} for 'sink' in [alerts]; write [[alerts.sink]]")


def _list(value: object, key: str) -> list[str]:
    if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
        return value
    raise ConfigError(f"Cannot use {value!r} for {key!r} in [alerts]; expected a list of texts")


def _text(value: object, key: str, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigError(f"Cannot use {value!r} for {key!r} of {where}; expected a text")


def _flag(value: object, key: str, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"Cannot use {value!r} for {key!r} of {where}; expected true or false")
