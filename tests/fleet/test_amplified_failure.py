"""One billing failure that tenacity, LiteLLM and openai try again and again: one incident of 42."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fleet.test_first_notification import Watched
from tests.host.support import environment
from tests.host.telling import operator
from tests.job.delivery.faulty_sink import FaultySink

CHECKOUT = Path(__file__).resolve().parents[2]
SDKS = CHECKOUT / ".venvs" / "a" / "bin" / "python"
REFUSAL = {"error": {"message": "Quota exceeded", "code": "insufficient_quota"}}
# 6 tries of tenacity, of 7 requests each: three calls of LiteLLM that end at their first request
# and one of four (LiteLLM 1.106, openai 2.54).
APPLICATION = """
import os, litellm
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(6), reraise=True)
def ask():
    litellm.completion(
        model="openai/gpt-4o",
        api_key="sk-canary0123456789abcdef",
        api_base=os.environ["URL"],
        num_retries=3,
        messages=[{"role": "user", "content": "hello"}],
    )

try:
    ask()
except litellm.RateLimitError:
    from anchor_autopatch.host.alerting import telling
    telling._teller.wait(60)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SDKS.exists(), reason="needs the SDKs of world a: make worlds"),
]


class Provider:
    """A provider at which the quota is used up; counts the requests that it refuses."""

    def __init__(self):
        self.requests = 0
        provider = self

        class Refuses(BaseHTTPRequestHandler):
            def do_POST(self):
                provider.requests += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps(REFUSAL).encode()
                self.send_response(429)
                self.send_header("Content-Type", "application/json")
                # The SDKs wait no longer than they are told.
                self.send_header("Retry-After-Ms", "1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_billing_failure_tried_42_times_is_one_incident_of_42(tmp_path):
    tmp_path.chmod(0o700)
    with FaultySink() as sink, Provider() as provider:
        given = environment(
            tmp_path,
            path=[CHECKOUT],
            **operator(sink),
            ANCHOR_PROVIDER_HOSTS="127.0.0.1=openai",
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            URL=f"http://127.0.0.1:{provider.server.server_port}/v1",
        )
        subprocess.run([SDKS, "-c", APPLICATION], env=given, cwd=tmp_path, check=True, timeout=300)
        watched = Watched(tmp_path, sink)
        watched.round(seconds=1)

        incident = watched.only()
        assert provider.requests == 42
        assert (incident.event_class, incident.event_count) == ("billing_exhausted", 42)
        assert len(sink.received) == 1
