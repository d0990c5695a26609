"""How soon a failure is told by its own process, and what a storm of failures costs the caller.

`python -m benchmarks.alerting [--processes N]`: each process of N fails once, with a sink on the
loopback; then one process fails 20,000 times, with and without anybody to tell. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_FAILS_ONCE = """
import sys, time
from anchor_autopatch.host import failures
from anchor_autopatch.host.alerting import telling
began = time.time_ns()
failures.record_application("ERROR", "shop", "could not pay", "shop:pay")
returned = time.time_ns()
telling._teller.wait(30)
print(began, returned)
"""
_STORM = """
import json, time
from anchor_autopatch.host import failures
took = []
for n in range(20_000):
    began = time.perf_counter_ns()
    failures.record_application("ERROR", "shop", "could not pay", "shop:pay")
    took.append(time.perf_counter_ns() - began)
print(json.dumps(took))
"""


class _Sink:
    """Notes when each message came."""

    def __init__(self) -> None:
        self.came: list[int] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                sink.came.append(time.time_ns())
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=100)
    count = parser.parse_args().processes
    sink = _Sink()
    told, returned = [], []
    for number in range(count):
        began, back = map(int, _run(_FAILS_ONCE, sink.url).split())
        assert len(sink.came) == number + 1, "a failure was not told"
        told.append((sink.came[-1] - began) / 1e6)
        returned.append((back - began) / 1e6)
    _print("failure to delivery, ms", told)
    _print("first failure of a process, ms until the caller goes on", returned)
    for name, url in (("nobody to tell", ""), ("a sink", sink.url)):
        took = [each / 1e3 for each in json.loads(_run(_STORM, url))]
        _print(f"failure in a storm with {name}, us", took)


def _run(script: str, url: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        environ = {
            **os.environ,
            "ANCHOR_HOME": home,
            "ANCHOR_ALERT_URL": url,
            "ANCHOR_ALERT_ALLOW_PRIVATE": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout


def _print(name: str, values: list[float]) -> None:
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 99))
    print(f"{name:<60} p50 {p50:9.2f}  p99 {p99:9.2f}  max {ordered[-1]:9.2f}")


if __name__ == "__main__":
    main()
