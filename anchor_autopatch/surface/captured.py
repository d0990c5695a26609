"""What the patches capture, asked of their own tables of operations.

Each SDK's patch decides by something else: the end of a path, a verb behind a colon, the name of a
function, of an operation or of a gRPC method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from anchor_autopatch.host.clients import paths
from anchor_autopatch.host.providers import batch_files, groq, litellm, stainless, xai_sdk
from anchor_autopatch.host.providers.amazon import botocore
from anchor_autopatch.host.providers.anthropic import sdk as anthropic
from anchor_autopatch.host.providers.cohere import objects as cohere_objects
from anchor_autopatch.host.providers.cohere import sdk as cohere
from anchor_autopatch.host.providers.google import interactions as google_interactions
from anchor_autopatch.host.providers.google import objects as google_objects
from anchor_autopatch.host.providers.google import sdk as google_genai
from anchor_autopatch.host.providers.mistral import realtime as mistral_realtime
from anchor_autopatch.host.providers.mistral import sdk as mistralai
from anchor_autopatch.host.providers.objects import Request
from anchor_autopatch.host.providers.openai import sdk as openai
from anchor_autopatch.host.providers.speakeasy import sdk as speakeasy
from anchor_autopatch.host.targets import PARTS, TARGETS
from anchor_autopatch.surface import ways
from anchor_autopatch.surface.source import Method


def operation(sdk: str, method: Method) -> str | None:
    """The operation under which a request leaves a billable receipt; None when it leaves none."""
    verb, _, path = method.route.partition(" ")
    return _ASK[sdk](method.name, verb, path) or _session(sdk, method.name)


def _session(sdk: str, name: str) -> str | None:
    """What a WebSocket does that the module of this method opens."""
    for part in PARTS:
        if part.name.startswith(f"{sdk}/") and name == _opener(part.trigger):
            patcher = import_module(part.patcher)
            by_module = getattr(patcher, "OPERATIONS", {})
            found = by_module.get(part.trigger) or getattr(patcher, "OPERATION", None)
            return found if isinstance(found, str) else None
    return None


def _opener(module: str) -> str:
    """`live.forks.connect` for the module openai.resources.live.forks."""
    parts = module.removeprefix("openai.resources.").removeprefix("google.genai.").split(".")
    return ways.STAINLESS.name(tuple(parts), "", "connect")


_Asker = Callable[[str, str, str], str | None]
"""(method, HTTP verb, path) -> operation."""


def _stainless(family: stainless.Family) -> _Asker:
    def ask(_name: str, verb: str, path: str) -> str | None:
        found = stainless.operation_of(family.operations, verb, path)
        if found is None and family.object_request is not None:
            return _of_object(family.object_request(verb, path))
        return found

    return ask


def _with_batch_files(ask: _Asker) -> _Asker:
    """The same for an SDK whose batches may tell their usage in their output files alone."""

    def asked(name: str, verb: str, path: str) -> str | None:
        return ask(name, verb, path) or batch_files.operation(verb, path)

    return asked


def _speakeasy(family: speakeasy.Family) -> _Asker:
    def ask(_name: str, verb: str, path: str) -> str | None:
        return family.operation(verb, path) or _of_object(family.object_request(verb, path))

    return ask


def _of_object(request: Request | None) -> str | None:
    """Batches, runs and the like: submitted by one request, settled by those that retrieve them."""
    return request.operation if request else None


def _below(verb: str, path: str) -> str | None:
    """What the layer of the HTTP clients makes of a request that no SDK's patch sees."""
    billed = paths.billed(verb, path)
    return billed.operation if billed else None


def _google_genai(name: str, verb: str, path: str) -> str | None:
    if name.startswith("_interactions."):
        return _earlier_interactions(name, verb, path)
    generated = _speakeasy(google_interactions.FAMILY)(name, verb, path)
    if generated is not None:
        return generated
    # These stand for a whole path; at run time they are models/..., operations/...
    path = path.replace("/{model}", "/models/{model}").replace("{operationName}", "operations/{id}")
    action = path.rpartition("models/")[2].partition(":")[2] if verb == "POST" else ""
    if path == "/cachedContents" and verb == "POST":
        return google_genai.CACHE
    found = google_genai.OPERATIONS.get(action)
    return found or _of_object(google_objects.request(verb, path))


def _earlier_interactions(name: str, verb: str, path: str) -> str | None:
    for target in (*TARGETS, *PARTS):
        if target.trigger.startswith("google.genai._interactions."):
            family: stainless.Family = import_module(target.patcher).FAMILY
            return _stainless(family)(name, verb, path)
    return _below(verb, path)


def _litellm(name: str, _verb: str, function: str) -> str | None:
    return litellm.operation(name) or litellm.operation(function or name.rpartition(".")[2])


def _botocore(name: str, _verb: str, _path: str) -> str | None:
    service, _, wanted = name.partition(".")
    return botocore.OPERATIONS[service].get(wanted)


def _mistralai(name: str, verb: str, path: str) -> str | None:
    if name.startswith(("azure.", "gcp.")):
        return mistralai.cloud_operation(verb, f"{path}#fim" if ".fim." in name else path)
    for module, operation in mistral_realtime.OPERATIONS.items():
        if name.startswith(f"realtime.{'speech' if module.endswith('speech') else 'transc'}"):
            return operation
    return _with_batch_files(_speakeasy(mistralai.FAMILY))(name, verb, path)


def _cohere(_name: str, verb: str, path: str) -> str | None:
    path = path.removeprefix("/")
    return cohere.operation_of(verb, path) or _of_object(cohere_objects.request(verb, path))


def _xai_sdk(_name: str, _verb: str, path: str) -> str | None:
    return xai_sdk.OPERATIONS.get(path)


_ASK: dict[str, _Asker] = {
    "openai": _with_batch_files(_stainless(openai.FAMILY)),
    "anthropic": _stainless(anthropic.FAMILY),
    "groq": _with_batch_files(_stainless(groq.FAMILY)),
    "google-genai": _google_genai,
    "litellm": _litellm,
    "botocore": _botocore,
    "mistralai": _mistralai,
    "cohere": _cohere,
    "xai-sdk": _xai_sdk,
}


def unsent(sdk: str, methods: Iterable[Method]) -> Iterator[str]:
    """Paths in the tables of a patch that no method of its SDK sends.

    Other providers speak the same dialect, and applications post to paths of their own choice.
    """
    sent = [method.route for method in methods if method.route.startswith("POST ")]
    return (path for path in _PATHS.get(sdk, ()) if not any(route.endswith(path) for route in sent))


_PATHS: dict[str, Iterable[str]] = {
    "openai": openai.OPERATIONS,
    "anthropic": anthropic.OPERATIONS,
    "groq": groq.OPERATIONS,
    "mistralai": mistralai.OPERATIONS,
    "google-genai": [f":{verb}" for verb in google_genai.OPERATIONS],
}
