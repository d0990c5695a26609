"""Sends what was committed, until it has arrived; every try is kept in a chain.

At least once: a process that dies between sending and noting sends again, under the same key, which
the receiver knows. Of several processes one sends, the others leave it to that one.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.alerting.addresses import look_at, resolve
from anchor_autopatch.core.alerting.attempts import Attempt, Outcome, as_kept
from anchor_autopatch.core.alerting.documents import trial_document
from anchor_autopatch.core.alerting.posting import BUDGET_SECONDS
from anchor_autopatch.core.alerting.sending import Channel, attempt
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.delivery import mail, queue
from anchor_autopatch.job.delivery.queue import Due
from anchor_autopatch.job.delivery.schedule import SECOND_SINK_AFTER, is_dead, next_try_us
from anchor_autopatch.job.lease import lease

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from anchor_autopatch.core.alerting.addresses import Resolver
    from anchor_autopatch.core.alerting.posting import Answer
    from anchor_autopatch.core.alerting.rules import AlertRules, Sink
    from anchor_autopatch.job.incidents.store import Store

SENDER_LOCK = "alerts.lock"
_AT_ONCE = 8


class SendReport(NamedTuple):
    """What became of messages in one run."""

    delivered: int = 0
    failed: int = 0
    """Tries, of messages that are tried again."""
    dead: int = 0


class Sender:
    """Knows the sinks and their secrets; one run after the other."""

    def __init__(
        self,
        alerts: AlertRules,
        environ: Mapping[str, str],
        resolver: Resolver = resolve,
        budget_s: float = BUDGET_SECONDS,
    ) -> None:
        self._alerts = alerts
        self._channel = Channel(environ, resolver, budget_s)

    def send_due(self, store: Store, home: Path, now: datetime) -> SendReport:
        """Sends everything whose time has come; a sink that fails is left for its next time.

        Args:
            store: Open incidents.db.
            home: Where the lock of the sender lies.
            now: Aware; of the tries, and of the signatures.
        """
        report = SendReport()
        with lease(home / SENDER_LOCK) as mine:
            failed: set[str] = set()
            while mine:
                due = [
                    each for each in queue.due(store.con, to_micros(now)) if each.sink not in failed
                ]
                if not due:
                    break
                for message, outcome in self._try_all(due, now):
                    state = self._note(store, message, outcome, now)
                    if state != "delivered":
                        failed.add(message.sink)
                    report = _counted(report, state)
        return report

    def prove(self, store: Store, sink: Sink, now: datetime) -> Outcome:
        """Sends one test message to a sink, once, and says what became of it.

        It takes the way of every other message: committed, sent, kept in the chain.
        """
        alert = trial_document(f"test-{secrets.token_hex(4)}", to_micros(now))
        with store.transaction():
            key = queue.enqueue(store.con, sink.name, alert, to_micros(now))
        message = Due(key, None, sink.name, alert["kind"], to_micros(now), 0, alert)
        outcome = self.attempt(message, now)
        state = "delivered" if outcome.outcome == "delivered" else "dead"
        with store.transaction():
            queue.note(
                store.con, _as_kept(message, outcome, to_micros(now)), state, None, to_micros(now)
            )
        return outcome

    def _try_all(self, due: list[Due], now: datetime) -> list[tuple[Due, Outcome]]:
        # One thread for each sink: a sink that hangs costs the others nothing.
        with ThreadPoolExecutor(min(len(due), _AT_ONCE)) as threads:
            outcomes = threads.map(lambda message: self.attempt(message, now), due)
            return list(zip(due, outcomes, strict=True))

    def attempt(self, message: Due, now: datetime) -> Outcome:
        """One try; whatever happens is an outcome, never an exception."""
        return attempt(lambda: self._tell(message, now))

    def _tell(self, message: Due, now: datetime) -> tuple[Answer, bytes] | None:
        sink = self._sink(message.sink)
        # The sink is part of the key: two sinks of one alert may share a receiver.
        alert = {**message.alert, "key": message.delivery_key}
        if sink.kind != "smtp":
            return self._channel.post(sink, alert, int(now.timestamp()))
        self._send_mail(sink, alert)
        return None

    def _sink(self, name: str) -> Sink:
        sink = self._alerts.named(name)
        if sink is None:
            raise ConfigError(f"Sink {name!r} is no longer in [[alerts.sink]] of anchor.toml")
        return sink

    def _send_mail(self, sink: Sink, alert: dict[str, Any]) -> None:
        target = look_at(
            self._channel.url(sink),
            allow_private=sink.allow_private,
            resolver=self._channel.resolver,
        )
        text = mail.render(alert, sink.sender or "", sink.recipients)
        mail.send(target, text, sink, self._channel.secret(sink))

    def _note(self, store: Store, message: Due, outcome: Outcome, now: datetime) -> str:
        """Keeps the try, and says what the message is now."""
        now_us, tries = to_micros(now), message.attempts + 1
        state = "delivered"
        if outcome.outcome != "delivered":
            dead = is_dead(message.created_at_us, now_us, tries, outcome.http_status)
            state = "dead" if dead else "pending"
        attempt = _as_kept(message, outcome, now_us)
        again = next_try_us(message.delivery_key, tries, now_us, outcome.retry_after_s)
        with store.transaction():
            queue.note(store.con, attempt, state, again, now_us)
            self._tell_second(store, message, state, tries, now_us)
        return state

    def _tell_second(self, store: Store, message: Due, state: str, tries: int, now_us: int) -> None:
        sink = self._alerts.named(message.sink)
        if state != "delivered" and tries >= SECOND_SINK_AFTER and sink and sink.second:
            queue.enqueue(store.con, sink.second, message.alert, now_us)


def _as_kept(message: Due, outcome: Outcome, now_us: int) -> Attempt:
    return as_kept(message.delivery_key, message.sink, message.attempts + 1, outcome, now_us)


def _counted(report: SendReport, state: str) -> SendReport:
    field = {"delivered": "delivered", "dead": "dead"}.get(state, "failed")
    return report._replace(**{field: getattr(report, field) + 1})
