"""Routes that the replayer does not have: the providers' own SDKs, and Bedrock's agents.

Each takes (exchange, tape, asynchronous) and returns (SDK, method, a function that makes the call),
as the replayer's own do; it raises the replayer's Unmapped for what it cannot send.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from tests.conformance import corpus


def plan(exchange, tape, asynchronous, degraded=False):
    """The native route of an exchange; Unmapped where there is none."""
    route = ROUTES.get(exchange["provider"])
    if route is None:
        raise corpus.replayer().Unmapped("no native route")
    return route(exchange, tape, asynchronous)


def body_of(exchange):
    body = exchange["request_body"]
    return body if isinstance(body, dict) else {}


def transport(exchange, tape, library):
    """A second tape over the same exchange, for an SDK of another HTTP library."""
    import importlib

    other = corpus.replayer().Tape(exchange, importlib.import_module(library))
    other.sent = tape.sent
    return other


def find(table, exchange):
    path = urlsplit(exchange["url"]).path
    for method, pattern, name in table:
        found = re.search(pattern, path)
        if method == exchange["method"] and found:
            return name, found.groups()
    raise corpus.replayer().Unmapped(f"no native route for {exchange['method']} {path[-40:]}")


GROQ = (
    ("POST", r"/chat/completions$", "chat.completions.create"),
    ("POST", r"/embeddings$", "embeddings.create"),
    ("GET", r"/models$", "models.list"),
)


def groq_call(exchange, tape, asynchronous):
    import groq

    name, _ = find(GROQ, exchange)
    http = transport(exchange, tape, "httpx")
    make = groq.AsyncGroq if asynchronous else groq.Groq
    client = http.aclient() if asynchronous else http.client()
    sdk = make(api_key="dummy-key", max_retries=0, http_client=client)
    method = resolve(sdk, name)
    given = corpus.replayer().split_kwargs(method, body_of(exchange))
    return "groq", name, lambda: method(**given)


MISTRAL = (
    ("POST", r"/chat/completions$", "chat.complete"),
    ("POST", r"/embeddings$", "embeddings.create"),
    ("POST", r"/ocr$", "ocr.process"),
    ("POST", r"/audio/speech$", "audio.speech.complete"),
    ("POST", r"/batch/jobs$", "batch.jobs.create"),
    ("GET", r"/batch/jobs/([^/]+)$", "batch.jobs.get"),
    ("GET", r"/models$", "models.list"),
)


def mistral_call(exchange, tape, asynchronous):
    from mistralai.client import Mistral

    name, _ = find(MISTRAL, exchange)
    http = transport(exchange, tape, "httpx2")
    sdk = Mistral(api_key="dummy-key", client=http.client(), async_client=http.aclient())
    body = body_of(exchange)
    if name == "chat.complete" and body.pop("stream", False):
        name = "chat.stream"
    if name == "batch.jobs.get":
        body = {"job_id": find(MISTRAL, exchange)[1][0]}
    method = resolve(sdk, name + "_async" * asynchronous)
    if "input" in body and name == "embeddings.create":
        body["inputs"] = body.pop("input")
    names = method.__code__.co_varnames
    given = {key: value for key, value in body.items() if key in names}
    return "mistralai", name, lambda: method(**given)


AGENTS = (
    ("POST", r"/agents/([^/]+)/agentAliases/([^/]+)/sessions/([^/]+)/text$", "invoke_agent"),
    ("POST", r"/knowledgebases/([^/]+)/retrieve$", "retrieve"),
    ("POST", r"/retrieveAndGenerateStream$", "retrieve_and_generate_stream"),
    ("POST", r"/agents/([^/]+)$", "invoke_inline_agent"),
    ("POST", r"/guardrail/([^/]+)/version/([^/]+)/apply$", "apply_guardrail"),
)
AGENT_PARTS = {
    "invoke_agent": ("agentId", "agentAliasId", "sessionId"),
    "retrieve": ("knowledgeBaseId",),
    "retrieve_and_generate_stream": (),
    "invoke_inline_agent": ("sessionId",),
    "apply_guardrail": ("guardrailIdentifier", "guardrailVersion"),
}


def bedrock_call(exchange, tape, asynchronous):
    """Agents, knowledge bases and guardrails, over the replayer's way of answering botocore."""
    replayer = corpus.replayer()
    if asynchronous or exchange["endpoint_kind"] != "bedrock_other":
        raise replayer.Unmapped("no native route")
    import boto3
    import botocore.awsrequest
    import botocore.config

    name, parts = find(AGENTS, exchange)
    service = "bedrock-runtime" if name == "apply_guardrail" else "bedrock-agent-runtime"
    config = botocore.config.Config(retries={"max_attempts": 0})
    keys = {"aws_access_key_id": "dummy", "aws_secret_access_key": "dummy"}
    client = boto3.client(service, region_name="us-east-1", config=config, **keys)

    def answer(request, **_):
        tape.sent.append(
            {"method": request.method, "url": request.url, "json": None, "size": len(request.body)}
        )
        headers = botocore.awsrequest.HeadersDict(
            {k: v for k, v in exchange["response_headers"].items() if k not in replayer.SKIP_H}
        )
        raw = replayer.Raw(exchange)
        return botocore.awsrequest.AWSResponse(request.url, exchange["status"], headers, raw)

    client.meta.events.register_first(f"before-send.{service}", answer)
    operation = client.meta.method_to_api_mapping[name]
    shape = client.meta.service_model.operation_model(operation).input_shape
    given = replayer.shape_conv(shape, body_of(exchange))
    given |= dict(zip(AGENT_PARTS[name], map(unquote, parts), strict=True))
    return "boto3", operation, lambda: drained(getattr(client, name)(**given))


def drained(result):
    """A botocore answer with its event stream read: the replayer knows only Bedrock's runtime."""
    for key, value in result.items():
        if type(value).__name__ == "EventStream":
            result[key] = list(value)
    return result


def anthropic_call(exchange, tape, asynchronous):
    """The results of a batch, read line by line."""
    find((("GET", r"/messages/batches/[^/]+/results$", "messages.batches.results"),), exchange)
    import anthropic
    from anthropic._decoders.jsonl import AsyncJSONLDecoder, JSONLDecoder
    from anthropic.types.messages import MessageBatchIndividualResponse as Line

    make = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
    client = tape.aclient() if asynchronous else tape.client()
    sdk = make(api_key="dummy-key", max_retries=0, http_client=client)
    kind = AsyncJSONLDecoder[Line] if asynchronous else JSONLDecoder[Line]
    path = urlsplit(exchange["url"]).path
    get = sdk.get
    return "anthropic", "messages.batches.results", lambda: get(path, cast_to=kind, stream=True)


def gemini_call(exchange, tape, asynchronous):
    """Interactions of a client that lives on: in google-genai 1 its end closes the HTTP client."""
    find((("POST", r"/interactions$", "interactions.create"),), exchange)
    from google import genai

    url = urlsplit(exchange["url"])
    options = genai.types.HttpOptions(
        base_url=f"{url.scheme}://{url.netloc}",
        api_version=url.path.split("/")[1],
        httpx_client=tape.client(),
        httpx_async_client=tape.aclient(),
    )
    sdk = genai.Client(api_key="dummy-key", http_options=options)
    body = body_of(exchange)

    def call():
        client = sdk.aio if asynchronous else sdk
        return client.interactions.create(**body)

    return "google-genai", "interactions.create", call


def resolve(sdk, name):
    for part in name.split("."):
        sdk = getattr(sdk, part)
    return sdk


ROUTES = {
    "anthropic": anthropic_call,
    "bedrock": bedrock_call,
    "gemini": gemini_call,
    "groq": groq_call,
    "mistral": mistral_call,
}
