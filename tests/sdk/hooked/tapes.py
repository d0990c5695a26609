"""Answers for SDKs that the simulator does not speak: over a transport, or in botocore's place."""

from __future__ import annotations

import importlib
import io
import json
import struct
import zlib


def transport(library, answer, *, content_type="application/json", status=200):
    """A mock transport of `httpx` or `httpx2` that always gives this answer; sync and async."""
    client = importlib.import_module(library)
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def respond(_request):
        return client.Response(status, headers={"content-type": content_type}, content=body)

    return client.MockTransport(respond)


def failing_transport(library, *failures, answer):
    """A mock transport that refuses with each status or raises each error once, then answers."""
    client = importlib.import_module(library)
    left = list(failures)

    def respond(request):
        failure = left.pop(0) if left else 200
        if isinstance(failure, str):
            raise getattr(client, failure)("connection lost", request=request)
        body = answer if failure == 200 else {"message": "come again"}
        headers = {"content-type": "application/json", "retry-after-ms": "1"}
        return client.Response(failure, headers=headers, content=json.dumps(body).encode())

    return client.MockTransport(respond)


def sse(*events):
    """Server-sent events."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


class Raw:
    """The body of a botocore answer, as urllib3 hands it out."""

    def __init__(self, body):
        self._body = io.BytesIO(body)

    def stream(self, amt=1024, decode_content=None):
        while part := self._body.read(64):
            yield part

    def read(self, amt=None, **_):
        return self._body.read(amt)

    def readinto(self, buffer):
        return self._body.readinto(buffer)

    def readlines(self):
        return self._body.readlines()

    def close(self):
        self._body.close()


def bedrock(body, *, headers=None, status=200, service="bedrock-runtime", fail=(), tries=0):
    """A boto3 client whose every request gets this answer, without a network.

    `fail`: what the first requests get instead, each an HTTP status or an error to raise.
    """
    import boto3
    import botocore.awsrequest
    import botocore.config

    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"}
    retries = {"total_max_attempts": tries or 1, "mode": "standard"}
    config = botocore.config.Config(retries=retries)
    client = boto3.client(service, region_name="eu-west-1", config=config, **keys)
    given = botocore.awsrequest.HeadersDict(headers or {})
    left = list(fail)

    def answer(request, **_):
        failure = left.pop(0) if left else status
        if isinstance(failure, Exception):
            raise failure
        if failure != status:
            refused = botocore.awsrequest.HeadersDict({"x-amzn-errortype": "ThrottlingException"})
            return botocore.awsrequest.AWSResponse(request.url, failure, refused, Raw(b"{}"))
        return botocore.awsrequest.AWSResponse(request.url, status, given, Raw(body))

    client.meta.events.register_first(f"before-send.{service}", answer)
    return client


def events(*messages):
    """Amazon's event stream: (event type, JSON) each."""
    return b"".join(
        _message({":event-type": kind, ":message-type": "event"}, payload)
        for kind, payload in messages
    )


def exception_event(kind, text):
    """The event by which Amazon tells within a stream that it failed."""
    return _message({":exception-type": kind, ":message-type": "exception"}, {"message": text})


def _message(named, content):
    headers, payload = b"", json.dumps(content).encode()
    for name, value in named.items():
        headers += bytes([len(name)]) + name.encode() + b"\x07"
        headers += struct.pack("!H", len(value)) + value.encode()
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return start + struct.pack("!I", zlib.crc32(start))
