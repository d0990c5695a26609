"""The whole way: real SDKs that are refused in three processes, a side-car, one message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anchor_autopatch.job.incidents.store import Store
from tests.job.delivery.faulty_sink import FaultySink

CHECKOUT = Path(__file__).resolve().parents[3]
SDKS = CHECKOUT / ".venvs" / "a" / "bin" / "python"
PROMPT, KEY = "canary of the prompt", "sk-canary0123456789abcdef"
REFUSAL = {"error": {"message": "Quota exceeded", "code": "insufficient_quota"}}
APPLICATION = """
import os, openai
client = openai.OpenAI(api_key=os.environ["KEY"], base_url=os.environ["URL"])
try:
    client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": os.environ["PROMPT"]}]
    )
except openai.RateLimitError:
    pass
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SDKS.exists(), reason="needs the SDKs of world a: make worlds"),
]


class Refuses(BaseHTTPRequestHandler):
    """A provider at which the quota is used up."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(REFUSAL).encode()
        self.send_response(429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def provider():
    """Its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_quota_used_up_in_three_services_is_one_message(tmp_path, provider):
    tmp_path.chmod(0o700)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ANCHOR_")}
    with FaultySink() as sink:
        told = {
            **plain,
            "ANCHOR_HOME": str(tmp_path),
            "ANCHOR_ALERT_URL": sink.url,
            "ANCHOR_ALERT_ALLOW_PRIVATE": "1",
        }
        hooked = {
            **told,
            "PYTHONPATH": f"{CHECKOUT / 'sitecustomize_template'}{os.pathsep}{CHECKOUT}",
            "ANCHOR_PROVIDER_HOSTS": "127.0.0.1=openai",
            "URL": provider,
            "KEY": KEY,
            "PROMPT": PROMPT,
        }
        for service in ("shop", "desk", "search"):
            environ = {**hooked, "ANCHOR_SERVICE": service}
            subprocess.run([SDKS, "-c", APPLICATION], env=environ, cwd=tmp_path, check=True)
            subprocess.run(
                [sys.executable, "-m", "anchor_autopatch", "watch", "--once"],
                env=told,
                cwd=CHECKOUT,
                check=False,
                capture_output=True,
            )

    with Store(tmp_path) as store:
        (incident,) = store.incidents()
        services = {app.service for app in store.affected(incident.incident_id)}
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything += b"".join(each.body for each in sink.received)
    assert (incident.event_class, incident.event_count, incident.call_count) == (
        "billing_exhausted",
        9,
        3,
    )
    assert (services, len(sink.received)) == ({"shop", "desk", "search"}, 1)
    assert PROMPT.encode() not in everything
    assert KEY.encode() not in everything
