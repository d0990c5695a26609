"""botocore (boto3), 1.34 and later: Amazon Bedrock's runtime and agents, through one method.

`BaseClient._make_api_call` sees every operation of every service; all but Bedrock's pass after one
lookup. Answers that the application reads by itself (`InvokeModel` bodies, event streams) are read
as it reads them, where botocore hands out the bytes, so nothing is consumed and no object replaced.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import attempts, streams
from anchor_autopatch.host.capture.calls import Call, Opened, wrap
from anchor_autopatch.host.capture.layers import active, open_layer
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.botocore import AWS
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.amazon import bedrock_usage
from anchor_autopatch.host.providers.reading import get

_NAME = "botocore"
OPERATIONS = {
    "bedrock-runtime": {
        "Converse": "chat",
        "ConverseStream": "chat",
        "InvokeModel": "invoke_model",
        "InvokeModelWithResponseStream": "invoke_model",
        "StartAsyncInvoke": "async_invoke",
        "ApplyGuardrail": "guardrail",
        "InvokeGuardrailChecks": "guardrail",
    },
    "bedrock-agent-runtime": {
        "InvokeAgent": "agent",
        "InvokeInlineAgent": "agent",
        "InvokeFlow": "flow",
        "StartFlowExecution": "flow",
        "Retrieve": "retrieve",
        "AgenticRetrieveStream": "retrieve",
        "RetrieveAndGenerate": "retrieve",
        "RetrieveAndGenerateStream": "retrieve",
        "Rerank": "rerank",
        "GenerateQuery": "generate_query",
        "OptimizePrompt": "optimize_prompt",
    },
}


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("botocore"), "__version__", None)


def patch(client: ModuleType) -> None:
    """Wraps the choke point and the readers of bodies; `client` is `botocore.client`."""
    patching.replace(client.BaseClient, "_make_api_call", _wrap_call)
    session = sys.modules["botocore.httpsession"].URLLib3Session
    # botocore tries again by itself, and looks for credentials where mostly nobody answers.
    patching.replace(session, "send", watching.quiet)
    endpoint = sys.modules["botocore.endpoint"]
    patching.replace(endpoint.Endpoint, "_needs_retry", _wrap_needs_retry)
    patching.replace(endpoint, "convert_to_response_dict", _wrap_convert)
    body = sys.modules["botocore.response"].StreamingBody
    for name in ("read", "readinto", "readlines"):
        patching.replace_if_present(body, name, _wrap_read)
    patching.replace(body, "close", _wrap_close)
    events = sys.modules["botocore.eventstream"].EventStream
    patching.replace(events, "_parse_event", _wrap_parse_event)
    patching.replace(events, "__iter__", _wrap_iter)
    patching.replace(events, "close", _wrap_close)


def _wrap_call(original: Any) -> Any:
    # Below a provider call, whose failures are its own.
    return wrap(Adapter())(watching.wrap(AWS(_NAME))(original))


def read_request(_operation: str, params: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer may not repeat it."""
    return bedrock_usage.request_facts(params)


def read_usage(operation: str, answer: Any) -> Any:
    """Usage of a parsed answer, or of its body as it was on the wire."""
    return bedrock_usage.answer(operation, answer, None)


class Adapter:
    """This SDK's side of `calls.wrap`, and that of its asynchronous twin.

    Args:
        name: Of the SDK, as on the receipts.
    """

    def __init__(self, name: str = _NAME) -> None:
        self._name = name
        guard = guarded(name)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        operations = OPERATIONS.get(client.meta.service_model.service_name)
        if operations is None or self._name in patching.off:
            return None
        name = args[0] if args else kwargs["operation_name"]
        operation = operations.get(name)
        if operation is None:
            return None
        params = args[1] if len(args) > 1 else kwargs["api_params"]
        model = params.get("modelId")
        call = Call(
            self._name,
            operation,
            model if isinstance(model, str) else None,
            _site(client),
            stream=name.endswith("Stream") or name in ("InvokeAgent", "InvokeInlineAgent"),
        )
        call.attempts = 1
        call.request = params if call.stream else None
        region = client.meta.region_name
        call.facts = {
            **({"region": region} if region else {}),
            **(read_request(operation, params) or {}),
        }
        return Opened(call, args, kwargs)

    def _close(self, call: Call, result: Any) -> None:
        call.adopted()
        wire, call.answer = call.answer, None
        metadata = result.get("ResponseMetadata", {})
        _note_metadata(call, metadata)
        unread = next((value for value in result.values() if type(value).__name__ in _UNREAD), None)
        if unread is None:
            body = get(wire, "body")
            call.succeed(bedrock_usage.answer(call.operation, result, body))
            return
        headers = metadata.get("HTTPHeaders", {})
        if type(unread).__name__.endswith("EventStream"):
            call.reader = bedrock_usage.EventReader(call.operation)
        else:
            call.reader = bedrock_usage.BodyReader(result, headers)
        streams.watch(unread, call)

    def _fail(self, call: Call, error: BaseException) -> None:
        wire, call.answer = call.answer, None
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            _note_metadata(call, response.get("ResponseMetadata", {}))
        if get(wire, "status_code") != _OK:
            call.fail(error)
            return
        # The answer came, and is billed; botocore could not parse it.
        call.http_status = _OK
        call.fail(error, bedrock_usage.answer(call.operation, {}, get(wire, "body")), answered=True)


_UNREAD = frozenset(
    ("EventStream", "StreamingBody", "AioEventStream", "AioStreamingBody", "AioHttpxStreamingBody")
)
_OK = 200


def _note_metadata(call: Call, metadata: dict[str, Any]) -> None:
    status = metadata.get("HTTPStatusCode")
    call.http_status = status if isinstance(status, int) else None
    call.provider_request_id = metadata.get("RequestId")
    retries = metadata.get("RetryAttempts")
    if isinstance(retries, int):
        call.attempts = retries + 1


def _site(client: Any) -> Site:
    signer = getattr(client, "_request_signer", None)
    credentials: Any = getattr(signer, "_credentials", None)
    # Only a long-lived key says who pays; reading one that expires could make botocore refresh it.
    static = type(credentials).__name__ in ("Credentials", "AioCredentials")
    key = credentials.access_key if static and credentials.token is None else None
    return site(
        "bedrock",
        host_of(client.meta.endpoint_url),
        key if isinstance(key, str) else None,
        class_decides=True,
    )


def _wrap_needs_retry(original: Any) -> Any:
    @wraps(original)
    def _needs_retry(self: Any, *args: Any, **kwargs: Any) -> Any:
        again = original(self, *args, **kwargs)
        if again:
            _note_try(args, kwargs)
        return again

    return _needs_retry


@guarded(_NAME)
def _note_try(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    call = open_layer()
    if call is None or call.target != _NAME:
        return
    names = ("attempts", "operation_model", "request_dict", "response", "caught_exception")
    given = dict(zip(names, args, strict=False)) | kwargs
    error = given.get("caught_exception")
    if error is None:
        errors = sys.modules["botocore.exceptions"]
        error = errors.ClientError(given["response"][1], given["operation_model"].name)
    attempts.failed(call, error)


def _wrap_convert(original: Any) -> Any:
    @wraps(original)
    def convert_to_response_dict(*args: Any, **kwargs: Any) -> Any:
        response = original(*args, **kwargs)
        call = active.get()
        if call is not None and call.target == _NAME:
            # botocore's own parser drops what its service model does not know.
            call.answer = response
        return response

    return convert_to_response_dict


def _wrap_read(original: Any) -> Any:
    @wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = streams.find(self)
        if call is None:
            return original(self, *args, **kwargs)
        try:
            part = original(self, *args, **kwargs)
        except BaseException as error:
            broke(self, call, error)
            raise
        take(self, call, part, args, kwargs)
        return part

    return read


@guarded(_NAME)
def take(body: Any, call: Call, part: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Takes what the application has read of a body; its end ends the call."""
    if isinstance(part, int):
        # readinto: the bytes are in the caller's buffer, the result says how many.
        part = bytes(memoryview(args[0] if args else kwargs["b"])[:part])
    elif isinstance(part, list):
        part = b"".join(part)
    call.reader.feed(part)
    wanted = next(iter((*args, *kwargs.values())), None)
    if not part or wanted is None or call.reader.whole():
        streams.leave_response(body)


@guarded(_NAME)
def broke(stream: Any, call: Call, error: BaseException) -> None:
    """Ends the call of a body or stream that broke while it was read."""
    call.fail(error, streams.seen_of(call), begun=call.reader.begun)
    streams.leave_response(stream)


def _wrap_parse_event(original: Any) -> Any:
    @wraps(original)
    def _parse_event(self: Any, event: Any) -> Any:
        call = streams.find(self)
        if call is not None:
            note_payload(call, event)
        return original(self, event)

    return _parse_event


@guarded(_NAME)
def note_payload(call: Call, event: Any) -> None:
    """Keeps the usage of an event as it was on the wire."""
    if event.headers.get(":event-type") == "metadata":
        call.reader.note_wire(json.loads(event.payload))


@guarded(_NAME)
def _feed_of(call: Call) -> Callable[[Any], object]:
    return guarded(_NAME)(call.reader.feed)


def _wrap_iter(original: Any) -> Any:
    @wraps(original)
    def __iter__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        events = original(self)
        call = streams.find(self)
        if call is None:
            yield from events
            return
        feed = _feed_of(call)
        # Leaving this generator does not end the stream: the application may iterate it again. Its
        # end, an error, `close` or the garbage collector does.
        try:
            for event in events:
                if feed is not None:
                    feed(event)
                yield event
        except GeneratorExit:
            raise
        except BaseException as error:
            broke(self, call, error)
            raise
        streams.leave_response(self)

    return __iter__


def _wrap_close(original: Any) -> Any:
    @wraps(original)
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            streams.leave_response(self)

    return close
