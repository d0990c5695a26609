"""Secrets in messages, addresses, headers, tags, prompts and answers are kept and shown nowhere."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from tests.host.support import CHECKOUT, environment
from tests.secrets.canaries import canaries

pytestmark = pytest.mark.slow
APPLICATION = Path(__file__).with_name("leaking_app.py")
PYTHON = CHECKOUT / ".venvs" / "b" / "bin" / "python"
COMMANDS = (
    ["doctor"],
    ["reconcile"],
    ["report"],
    ["report", "--html", "report.html"],
    ["verify"],
    ["audit", "--all", "--period", "2026-11"],
)


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers with what it was sent: in a completion, or below /refused in an error's message."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = body["messages"][0]["content"]
        told = f"{said} and {self.headers.get('Authorization')} {self.headers.get('x-api-key')}"
        if self.path.startswith("/refused"):
            error = {"message": f"Wrong: {told}", "code": "invalid", "param": said}
            self._answer(400, {"error": error})
        else:
            usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
            message = {"role": "assistant", "content": told}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            known = {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o",
            }
            self._answer(200, known | {"choices": [choice], "usage": usage})

    def _answer(self, status, content):
        answer = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Not to the tests' output."""


@pytest.fixture(scope="module")
def provider():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def leak(home, provider, texts):
    """Lets the application call with all of them; returns what it printed."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON.relative_to(CHECKOUT)} is not there; make worlds")
    hosts = f"{provider.removeprefix('http://')}=openai,127.0.0.1:9=openai"
    variables = {"ANCHOR_PROVIDER_HOSTS": hosts, "ANCHOR_LABELS": f"note={texts[0]}"}
    variables |= {"ANCHOR_DEBUG": "1", "ANCHOR_TEAM": texts[1], "OPENAI_API_KEY": texts[2]}
    done = subprocess.run(
        [PYTHON, APPLICATION, provider],
        env=environment(home, path=[CHECKOUT], **variables),
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.stdout == "done", done.stderr[-2_000:]
    return done.stdout + done.stderr


def run_job(home):
    """Everything that the commands print."""
    said = ""
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", "from anchor_autopatch.cli import main; exit(main())", *command],
            env=environment(home, hook=False, path=[CHECKOUT, CHECKOUT / "exporters"]),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        said += done.stdout + done.stderr
    return said


def contents(home):
    """The bytes of all files, as text."""
    files = (path for path in home.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in files).decode("latin-1")


def stored(home):
    """All values of both DuckDB files, which compress them, and the bytes of every other file."""
    told = contents(home)
    for name in ("warehouse.duckdb", "report.duckdb"):
        with duckdb.connect(str(home / name), read_only=True) as con:
            for (table,) in con.execute("SHOW TABLES").fetchall():
                told += repr(con.execute(f'FROM "{table}"').fetchall())
    return told


def captured(home):
    """How many receipts and exception events the report has."""
    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as con:
        return con.execute(
            "SELECT (SELECT count(*) FROM receipts),"
            " (SELECT sum(occurrences) FROM exception_events)"
        ).fetchone()


def test_secrets_are_found_nowhere(tmp_path, provider):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    made = canaries()

    said = leak(home, provider, [canary.text for canary in made])
    waiting = contents(home)
    everything = said + waiting + run_job(home) + stored(home)

    assert [canary.text for canary in made if canary.secret in everything] == []
    receipts, events = captured(home)
    assert (receipts >= 1_000, events >= 500) == (True, True), (receipts, events)
