"""HTTP to a provider's billing API: retried politely, never redirected, the key in no message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from anchor_autopatch.core.errors import InvoiceError

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from anchor_autopatch.job.invoices.pull.asks import Ask
    from anchor_autopatch.job.invoices.pull.targets import Target

__all__ = ("Client", "Patience")

_TEMPORARY = (408, 409, 429, 500, 502, 503, 504, 529)
_MENDS = {
    401: "check that {key_env} holds an admin or management key",
    403: "check that the key in {key_env} may read costs",
    404: "check the address and the team",
    429: "run it again later: it goes on where it stopped",
}


class Patience(NamedTuple):
    """How long a provider is waited for."""

    retries: int = 6
    backoff_seconds: float = 1.0
    """Wait before the second retry; doubled each time, where the provider names no time."""
    longest_wait_seconds: float = 300.0
    """Of one wait, whatever Retry-After says: a cron job must end."""
    timeout_seconds: tuple[float, float] = (10.0, 120.0)
    """To connect, and between two bytes."""


class _Retry(Retry):
    """Obeys Retry-After up to a limit."""

    def __init__(self, *args: Any, longest_wait_seconds: float = 300.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._longest_wait_seconds = longest_wait_seconds

    def new(self, **kwargs: Any) -> Self:
        """The state after one more try: urllib3 makes a new object each time."""
        return super().new(longest_wait_seconds=self._longest_wait_seconds, **kwargs)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds as the provider asks for, at most the limit; None where it does not ask."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, self._longest_wait_seconds)


class _KeyAuth(AuthBase):
    """Puts the key where the provider wants it; given as `auth`, it outranks a .netrc file."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._target.provider == "anthropic":
            request.headers["x-api-key"] = self._target.key
            request.headers["anthropic-version"] = "2023-06-01"
        else:
            request.headers["Authorization"] = f"Bearer {self._target.key}"
        return request


class Client:
    """A session with one provider account; use it as a context manager."""

    def __init__(self, target: Target, patience: Patience) -> None:
        self._target = target
        self._timeout = patience.timeout_seconds
        self._session = requests.Session()
        self._session.auth = _KeyAuth(target)
        self._session.headers["User-Agent"] = "anchor-autopatch"
        retry = _Retry(
            total=patience.retries,
            backoff_factor=patience.backoff_seconds,
            backoff_max=patience.longest_wait_seconds,
            backoff_jitter=patience.backoff_seconds,
            status_forcelist=_TEMPORARY,
            # xAI's POST is a question: asking twice changes nothing.
            allowed_methods=("GET", "POST"),
            raise_on_status=False,
            longest_wait_seconds=patience.longest_wait_seconds,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def fetch(self, ask: Ask, cursor: str | None) -> bytes:
        """The body of one page, as it was sent.

        Raises:
            InvoiceError: no answer, or none that says what was asked for.
        """
        params = [*ask.params, ("page", cursor)] if cursor else list(ask.params)
        try:
            answer = self._session.request(
                "GET" if ask.body is None else "POST",
                self._target.url + ask.path,
                params=params,
                data=ask.body,
                headers={"Content-Type": "application/json"} if ask.body else None,
                timeout=self._timeout,
                # A redirect could carry the key to another host.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # The text of the error may hold the whole URL, and nothing else of use.
            kind = type(error).__name__
            raise InvoiceError(
                f"No answer of {self._target.provider} to {ask.path} ({kind}); "
                "run it again: it goes on where it stopped"
            ) from error
        if answer.status_code != requests.codes.ok:
            mend = _MENDS.get(answer.status_code, "run it again later, or check the address")
            raise InvoiceError(
                f"{self._target.provider} answered {answer.status_code} to {ask.path}; "
                + mend.format(key_env=self._target.key_env)
            )
        return answer.content
