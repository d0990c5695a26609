"""requests: `Session.send`, through which every request goes, redirects included.

A streamed body is read from urllib3's response, so that patch watches it (`clients.urllib3`).
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.clients import raw

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.exchange import Exchange

_FORM_MODEL = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,128})\r\n')
_FORM = "multipart/form-data"


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("requests.__version__"), "__version__", None)


def patch(sessions: ModuleType) -> None:
    """Wraps what sends; `sessions` is `requests.sessions`."""
    patching.replace(sessions.Session, "send", raw.wrap(_Client()))


class _Client:
    """This library's side of `raw.wrap`."""

    name = "requests"
    attempts_of: frozenset[str] = frozenset()
    attempts_below = True
    status = "status_code"

    def netloc(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        request = args[0] if args else kwargs["request"]
        return raw.netloc_of(request.url)

    def request(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> raw.Request:
        request = args[0] if args else kwargs["request"]
        body = request.body if isinstance(request.body, (bytes, str)) else None
        if isinstance(body, bytes) and _FORM in str(request.headers.get("content-type", "")):
            return raw.Request(
                request.method, request.url, request.headers, model=_form_model(body)
            )
        return raw.Request(request.method, request.url, request.headers, body)

    def answered(self, exchange: Exchange, response: Any) -> None:
        status, headers = response.status_code, response.headers
        # False until it has been read.
        if response._content is not False:
            exchange.whole(status, headers, response._content, response)
        elif exchange.headers(status, headers):
            raw.open_bodies.put(response.raw, exchange)


def _form_model(body: bytes) -> str | None:
    found = _FORM_MODEL.search(body)
    return found[1].decode("utf-8", "replace") if found else None
