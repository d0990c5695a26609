"""Mail: one thread for each incident, under the same Message-ID on every try."""

from __future__ import annotations

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.alerting.formats.slack import headline, lines
from anchor_autopatch.core.alerting.posting import BUDGET_SECONDS, connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from anchor_autopatch.core.alerting.addresses import Target
    from anchor_autopatch.core.alerting.rules import Sink

_DOMAIN = "anchor-autopatch.invalid"
"""Of Message-IDs: RFC 2606 keeps it from ever being anybody's."""


def render(alert: dict[str, Any], sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The alert as a message; all of one incident are one thread."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    # A title never holds a line break; a header must not, whoever wrote the text.
    message["Subject"] = " ".join(headline(alert).split())
    message["Date"] = format_datetime(datetime.fromisoformat(alert["told_at"]))
    message["Message-ID"] = f"<{alert['key'].replace(':', '.')}@{_DOMAIN}>"
    thread = f"<{alert['incident']['incident_id']}@{_DOMAIN}>"
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["X-Anchor-Key"] = alert["key"]
    message.set_content("\n".join(lines(alert)))
    return message


class _PinnedSMTP(smtplib.SMTP):
    """SMTP to the address that was looked at, under the name that was asked for."""

    def __init__(self, target: Target, budget_s: float) -> None:
        self._target = target
        super().__init__(target.host, target.port, timeout=budget_s)
        # STARTTLS checks the certificate against this name.
        self._host = target.host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect(self._target, timeout)


def send(target: Target, message: EmailMessage, sink: Sink, password: str | None) -> None:
    """Hands the message to the mail server, over TLS unless the policy allows one's own network.

    Raises:
        OSError: no connection, no answer in time, or the server refuses (smtplib.SMTPException).
    """
    with _PinnedSMTP(target, BUDGET_SECONDS) as server:
        server.ehlo_or_helo_if_needed()
        if target.scheme == "smtp":
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            elif not sink.allow_private:
                raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS")
        if sink.user and password:
            server.login(sink.user, password)
        server.send_message(message)
