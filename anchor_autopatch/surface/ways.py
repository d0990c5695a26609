"""How each code generator writes a request, and how its classes are named.

Stainless (openai, anthropic, groq), Google's own and Speakeasy (google-genai, mistralai), Fern
(cohere), gRPC (xai-sdk); written for the versions that docs/coverage.md names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from anchor_autopatch.surface.source import Function, Way, base_names, calls, keyword, url_of

_STAINLESS_VERBS = {
    "_get": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
    "_get_api_list": "GET",
}


def _route(verb: str, path: str) -> str:
    path = "/" + path.partition("?")[0].removeprefix("/{api_version}").lstrip("/")
    return f"{verb.upper()} {path}"


def _stainless_routes(function: Function) -> Iterator[str]:
    for call in calls(function):
        sender, arguments = call.func, list(call.args)
        if isinstance(sender, ast.Name) and sender.id == "partial" and arguments:
            # A stream helper sends later: partial(self._post, "/v1/messages", ...)
            sender = arguments.pop(0)
        if not isinstance(sender, ast.Attribute) or sender.attr not in _STAINLESS_VERBS:
            continue
        path = url_of(arguments[0] if arguments else keyword(call, "path"))
        method = keyword(call, "method")
        verb = method.value if isinstance(method, ast.Constant) else _STAINLESS_VERBS[sender.attr]
        if path is not None:
            # Some versions name the parts that vary, others count on their place alone.
            yield re.sub(r"\{[^}]*\}", "{id}", _route(str(verb), path))


def _genai_routes(function: Function) -> Iterator[str]:
    """`path = '{model}:generateContent'` in two branches, then one `request('post', path, ...)`."""
    verb = None
    for call in calls(function):
        first = next(iter(call.args), None)
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr.removeprefix("async_") in ("request", "request_streamed")
            and isinstance(first, ast.Constant)
        ):
            verb = str(first.value)
    for node in ast.walk(function):
        if verb and isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "path":
            path = url_of(node.value)
            if path is not None and not isinstance(node.value, ast.JoinedStr):
                yield _route(verb, path)


def _keyword_routes(function: Function) -> Iterator[str]:
    """Speakeasy: `build_request(method="POST", path="/v1/ocr", ...)`.

    Fern: `request("v1/chat", method="POST")`.
    """
    for call in calls(function):
        verb = keyword(call, "method")
        path = url_of(keyword(call, "path") or next(iter(call.args), None))
        if isinstance(verb, ast.Constant) and path is not None:
            # Speakeasy tells two methods of one path apart by a fragment, which is never sent.
            yield _route(str(verb.value), path.partition("#")[0])


def _grpc_routes(function: Function) -> Iterator[str]:
    for call in calls(function):
        words = ast.unparse(call.func).split(".")
        if len(words) == 3 and words[0] == "self" and words[1].endswith("_stub"):  # noqa: PLR2004
            yield f"gRPC {words[2]}"


def _dotted(module: tuple[str, ...], _owner: str, method: str) -> str:
    """`chat.completions.create` for chat/completions/completions.py, and for its `_async` twin."""
    if module[0].startswith("mistralai_"):
        # Version 1: a package of its own for what later is the folder azure/client.
        module = (module[0].removeprefix("mistralai_"), "client", *module[1:])
    # A resource with children of its own is a module named like its folder.
    parts = [part for place, part in enumerate(module) if place == 0 or part != module[place - 1]]
    return ".".join((*(part.rstrip("_") for part in parts), method.removesuffix("_async")))


def _fern_name(module: tuple[str, ...], _owner: str, method: str) -> str:
    # raw_base_client.py holds the client itself, batches/raw_client.py its attribute `batches`.
    return ".".join((*module[:-1], method))


STAINLESS = Way(
    lambda owner: not {"SyncAPIResource", "AsyncAPIResource"}.isdisjoint(base_names(owner)),
    _stainless_routes,
    _dotted,
)
GENAI = Way(
    lambda owner: not {"BaseModule", "_BaseChat"}.isdisjoint(base_names(owner)),
    _genai_routes,
    _dotted,
)
SPEAKEASY = Way(
    lambda owner: not {"BaseSDK", "AsyncBaseSDK"}.isdisjoint(base_names(owner)),
    _keyword_routes,
    _dotted,
)
SOCKETS = Way(
    lambda owner: any(getattr(node, "name", None) == "connect" for node in owner.body),
    lambda _function: (),
    _dotted,
)
FERN = Way(
    lambda owner: owner.name.startswith(("Raw", "AsyncRaw")),
    _keyword_routes,
    _fern_name,
)
GRPC = Way(
    lambda owner: owner.name in ("Client", "Chat"),
    _grpc_routes,
    _dotted,
)
