"""A local server that answers as the billing APIs of the providers do, and fails on demand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

DAY = 86_400
BUCKETS_A_PAGE = 7


class Seen(NamedTuple):
    """One request as the server saw it."""

    path: str
    params: dict
    headers: dict
    body: str


class Billing:
    """What the providers charge a day, and how they misbehave."""

    def __init__(self):
        self.lines = [("gpt-5, input", 1.25), ("gpt-5, output", 0.1)]
        """Of each day: line item and US dollars."""
        self.left_out = 0.0
        """Dollars a day that a grouped answer leaves out."""
        self.missing_days = set()
        self.faults = []
        """(text in the URL, status, headers, body); each is given once, in order."""
        self.seen = []

    def asked(self, text):
        return [seen for seen in self.seen if text in seen.path]

    def answer(self, seen):
        path = seen.path
        if path.startswith("/organization/"):
            results = self._costs if path.endswith("/costs") else self._usage
            return self._paged(seen, "start_time", "end_time", results, int)
        if path.startswith("/organizations/"):
            results = self._cents if path.endswith("/cost_report") else lambda _: []
            return self._paged(seen, "starting_at", "ending_at", results, _unix)
        if path == "/activity":
            return {"data": [self._activity(seen.params["date"])]}
        return self._analytics(json.loads(seen.body)) if seen.body else self._preview()

    def _paged(self, seen, start_name, end_name, results, parse):
        first = parse(seen.params[start_name])
        count = (parse(seen.params[end_name]) - first) // DAY
        at = int(seen.params.get("page", "page_0").removeprefix("page_"))
        size = min(int(seen.params["limit"]), BUCKETS_A_PAGE)
        days = [first + DAY * number for number in range(at, min(at + size, count))]
        write = int if parse is int else _rfc3339
        buckets = [
            {start_name: write(day), end_name: write(day + DAY), "results": results(seen)}
            for day in days
            if day not in self.missing_days
        ]
        more = at + size < count
        return {
            "object": "page",
            "data": buckets,
            "has_more": more,
            "next_page": f"page_{at + size}" if more else None,
        }

    def _costs(self, seen):
        def result(item, amount):
            money = {"value": amount, "currency": "usd"}
            return {"object": "organization.costs.result", "amount": money, "line_item": item}

        whole = sum(amount for _, amount in self.lines)
        if "group_by[]" not in seen.params:
            return [result(None, whole + self.left_out)]
        return [result(item, amount) for item, amount in self.lines]

    def _usage(self, seen):
        if not seen.path.endswith("/completions"):
            return []
        counts = {"input_tokens": 100, "input_cached_tokens": 40, "output_tokens": 7}
        return [{"object": "organization.usage.completions.result", "model": "gpt-5", **counts}]

    def _cents(self, seen):
        result = {"amount": "123.5", "currency": "USD", "cost_type": "tokens"}
        if "group_by[]" not in seen.params:
            return [result | {"description": None, "model": None, "cost_type": None}]
        return [result | {"description": "Claude Input", "model": "claude-opus-5-5"}]

    def _activity(self, date):
        return {
            "date": date,
            "model": "openai/gpt-5",
            "endpoint_id": "e-1",
            "usage": 0.5,
            "byok_usage_inference": 9.0,
            "requests": 2,
        }

    def _preview(self):
        line = {"description": "grok-4.5", "unitType": "Prompt text tokens", "amount": "371"}
        core = {"lines": [line], "totalWithCorr": {"val": "371"}}
        return {"coreInvoice": core, "billingCycle": {"year": 2026, "month": 11}}

    def _analytics(self, asked):
        start = asked["analyticsRequest"]["timeRange"]["startTime"]
        point = {"timestamp": start.replace(" ", "T") + "Z", "values": [3.71]}
        series = {"group": ["key_1", "grok-4.5", "Prompt text tokens"], "dataPoints": [point]}
        return {"timeSeries": [series], "limitReached": False}


def _unix(text):
    return int(datetime.fromisoformat(text).timestamp())


def _rfc3339(seconds):
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(text):
    """Unix seconds of a UTC day."""
    return _unix(f"{text}T00:00:00Z")


@contextmanager
def serving(billing):
    """The address of a server that answers for `billing` while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: the second would wait 40 ms for the first one's ACK.
        disable_nagle_algorithm = True

        def do_GET(self):
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            params = dict(parse_qsl(parts.query))
            seen = Seen(parts.path, params, dict(self.headers), self.rfile.read(length).decode())
            billing.seen.append(seen)
            for fault in billing.faults:
                if fault[0] in self.path:
                    billing.faults.remove(fault)
                    self._send(fault[1], fault[3], fault[2])
                    return
            self._send(200, json.dumps(billing.answer(seen)).encode(), {})

        do_POST = do_GET  # noqa: N815 # the name that http.server looks for

        def _send(self, status, body, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
