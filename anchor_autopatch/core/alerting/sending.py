"""One try to tell a sink: renders the alert, looks at the address, sends, says what came back.

The same for the process that tells first and for the job that tries again, so that both send the
same bytes under the same key.
"""

from __future__ import annotations

import http.client
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.alerting.addresses import Refused, look_at, resolve
from anchor_autopatch.core.alerting.attempts import Outcome
from anchor_autopatch.core.alerting.formats import alertmanager, pagerduty, slack, webhook
from anchor_autopatch.core.alerting.posting import BUDGET_SECONDS, post
from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anchor_autopatch.core.alerting.addresses import Resolver
    from anchor_autopatch.core.alerting.posting import Answer, Request
    from anchor_autopatch.core.alerting.rules import Sink

_FIRST_OK, _FIRST_REDIRECT = 200, 300
_ERROR_LIMIT = 200


class Channel:
    """Sends one alert to one sink; knows where secrets are, and keeps none."""

    def __init__(
        self,
        environ: Mapping[str, str],
        resolver: Resolver = resolve,
        budget_s: float = BUDGET_SECONDS,
    ) -> None:
        self._environ = environ
        self.resolver = resolver
        self._budget_s = budget_s

    def post(self, sink: Sink, alert: dict[str, Any], now_s: int) -> tuple[Answer, bytes]:
        """Sends an alert and returns the answer with the body that was sent.

        Args:
            sink: Any but one of mail.
            alert: With the key of this sink.
            now_s: Of the signature, seconds since 1970.

        Raises:
            Refused: the sink's address is none that may be told.
            ConfigError: a variable that the sink names is not set.
            OSError: no answer within the budget.
            http.client.HTTPException: what came back is no HTTP.
        """
        request = self._render(sink, alert, now_s)
        target = look_at(request.url, allow_private=sink.allow_private, resolver=self.resolver)
        return post(target, request, self._budget_s), request.body

    def _render(self, sink: Sink, alert: dict[str, Any], now_s: int) -> Request:
        url = self.url(sink)
        if sink.kind == "slack":
            return slack.render(alert, url)
        if sink.kind == "pagerduty":
            return pagerduty.render(alert, url, self.secret(sink) or "")
        if sink.kind == "alertmanager":
            return alertmanager.render(alert, url)
        return webhook.render(alert, url, self.secret(sink), now_s)

    def url(self, sink: Sink) -> str:
        """The sink's URL, from the environment where it is a secret."""
        return self._value(sink, sink.url_env) if sink.url_env else str(sink.url)

    def secret(self, sink: Sink) -> str | None:
        """What signs, routes or logs in; None where the sink needs none."""
        return self._value(sink, sink.secret_env) if sink.secret_env else None

    def _value(self, sink: Sink, variable: str) -> str:
        value = self._environ.get(variable)
        if not value:
            raise ConfigError(f"Variable {variable} of sink {sink.name!r} is not set")
        return value


def attempt(send: Callable[[], tuple[Answer, bytes] | None]) -> Outcome:
    """One try; whatever happens is an outcome, never an exception.

    Args:
        send: Sends; returns the answer and the body, None for what speaks no HTTP and went well.
    """
    reached("delivery.sending")
    started = time.monotonic()
    try:
        told = send()
    except (Refused, ConfigError) as found:
        return Outcome("refused", None, _since(started), sha256(b"").hexdigest(), str(found))
    except (OSError, http.client.HTTPException) as found:
        error = scrub(f"{type(found).__name__}: {found}", _ERROR_LIMIT)
        reached("delivery.sent")
        return Outcome("failed", None, _since(started), sha256(b"").hexdigest(), error)
    reached("delivery.sent")
    if told is None:
        return Outcome("delivered", None, _since(started), sha256(b"").hexdigest(), None)
    return _judged(*told, _since(started))


def _judged(answer: Answer, body: bytes, latency_ms: int) -> Outcome:
    went_well = _FIRST_OK <= answer.status < _FIRST_REDIRECT
    return Outcome(
        "delivered" if went_well else "failed",
        answer.status,
        latency_ms,
        sha256(body).hexdigest(),
        None if went_well else f"HTTP {answer.status}: {scrub(answer.text, _ERROR_LIMIT)}",
        answer.retry_after_s,
    )


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
