"""HTTP clients as client libraries of other services; called by their hooks in `clients`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.raw import Client
    from anchor_autopatch.host.dependencies.judging import Verdict

_END_OF_AUTHORITY = re.compile(r"[/?#]")


class HTTPLibrary(watching.Library):
    """One HTTP client, by what it tells about a request."""

    def __init__(self, client: Client) -> None:
        self.name = client.name
        self._client = client

    def address(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """host[:port] that the request went to first."""
        return address_of(self._client.request(owner, args, kwargs).url)

    def judge(self, _owner: Any, links: Sequence[BaseException]) -> Verdict | None:
        """As `judging.of_http`."""
        from anchor_autopatch.host.dependencies import judging

        return judging.of_http(links)

    @patching.guarded(watching.TARGET)
    def answered(
        self, response: Any, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Leaves an event of an answer with one of `watching.FAILED_STATUSES`."""
        status = getattr(response, self._client.status)

        def address() -> str | None:
            # Redirects may have ended at another service; urllib3 knows but the path.
            url = str(getattr(response, "url", ""))
            return address_of(url) if "://" in url else self.address(owner, args, kwargs)

        watching.answered(self, response, status, address)


def address_of(url: str) -> str | None:
    """host[:port] of a URL, without the port where it is the scheme's own."""
    from anchor_autopatch.host.capture.sites import host_of

    scheme, found, rest = url.partition("://")
    authority = _END_OF_AUTHORITY.split(rest if found else url, maxsplit=1)[0]
    host = host_of(f"{scheme}://{authority}" if found else authority)
    return host.removesuffix(":80") if host and scheme == "http" else host
