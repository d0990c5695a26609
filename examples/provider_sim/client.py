"""Starts the simulator as a process and talks to its control endpoints; standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PROVIDERS = ("openai", "anthropic", "gemini")


class SimulatorError(RuntimeError):
    """The simulator did not start, or refused a control request."""


class Simulator:
    """A running simulator: base urls by provider, and its control endpoints as methods."""

    def __init__(self, urls: dict[str, str], process: subprocess.Popen[str] | None = None) -> None:
        self.urls = urls
        self.process = process
        self.control_url = next(iter(urls.values()))

    def __getattr__(self, name: str) -> str:
        """Return a base url without a path: `simulator.openai`, `.anthropic`, `.gemini`, `.all`."""
        try:
            return self.__dict__["urls"][name]  # type: ignore[no-any-return]  # urls are text
        except KeyError:
            raise AttributeError(name) from None

    @property
    def provider_hosts(self) -> str:
        """The value for ANCHOR_PROVIDER_HOSTS that says whom each port stands for."""
        hosts = {name: url.removeprefix("http://") for name, url in self.urls.items()}
        return ",".join(
            f"{host}={'sdk' if name == 'all' else name}" for name, host in hosts.items()
        )

    def environment(self) -> dict[str, str]:
        """Return the variables by which unmodified SDKs find the simulator, with made-up keys."""
        openai, anthropic, gemini = (self.urls.get(name) or self.urls["all"] for name in PROVIDERS)
        return {
            "OPENAI_BASE_URL": f"{openai}/v1",
            "OPENAI_API_BASE": f"{openai}/v1",
            "OPENAI_API_KEY": "sk-simulated",
            "ANTHROPIC_BASE_URL": anthropic,
            "ANTHROPIC_API_BASE": anthropic,
            "ANTHROPIC_API_KEY": "sk-ant-simulated",
            "GOOGLE_GEMINI_BASE_URL": gemini,
            "GEMINI_API_BASE": gemini,
            "GEMINI_API_KEY": "simulated",
            "ANCHOR_PROVIDER_HOSTS": self.provider_hosts,
        }

    def script(self, **rule: Any) -> int:
        """Append one rule (see README.md) and return its number."""
        return int(self._post("/_sim/script", rule)["rules"][0])

    def clock(
        self, now: str | None = None, *, ticking: bool = False, advance: float | None = None
    ) -> str:
        """Set or advance the simulator's clock; return its time."""
        wanted: dict[str, Any] = {} if now is None else {"now": now, "ticking": ticking}
        if advance is not None:
            wanted["advance"] = advance
        return str(self._post("/_sim/clock", wanted)["now"])

    def prices(self, table: dict[str, dict[str, dict[str, str]]] | None = None) -> dict[str, Any]:
        """Put prices over the list; return the list."""
        return (
            dict(self._post("/_sim/prices", table))
            if table
            else dict(json.loads(self._get("/_sim/prices")))
        )

    def ledger(self, provider: str | None = None) -> list[dict[str, Any]]:
        """Return what was billed, oldest first."""
        query = f"?provider={provider}" if provider else ""
        return list(json.loads(self._get(f"/_sim/ledger{query}")))

    def requests(self) -> list[dict[str, Any]]:
        """Return every request that arrived, billed or not."""
        return list(json.loads(self._get("/_sim/requests")))

    def reset(self) -> None:
        """Forget ledger, script, prices, clock and stored answers."""
        self._post("/_sim/reset", {})

    def invoice(self, kind: str, **query: object) -> str:
        """Return an invoice as text: kind openai_costs, anthropic_cost_report or csv."""
        return self._get(f"/_sim/invoice/{kind}?{urllib.parse.urlencode(query)}")

    def _get(self, path: str) -> str:
        return _read(urllib.request.Request(self.control_url + path))

    def _post(self, path: str, body: object) -> Any:
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            self.control_url + path, data, {"content-type": "application/json"}
        )
        return json.loads(_read(request))


# A proxy of the caller's environment is not for 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _read(request: urllib.request.Request) -> str:
    try:
        with _opener.open(request, timeout=30) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        raise SimulatorError(f"{request.full_url}: {error.code} {error.read().decode()}") from error


def default_python() -> str:
    """Return the server's interpreter: ANCHOR_SIM_PYTHON, the checkout's venv, or this one."""
    named = os.environ.get("ANCHOR_SIM_PYTHON")
    own = CHECKOUT / ".venv" / "bin" / "python"
    return named or (str(own) if own.exists() else sys.executable)


@contextmanager
def running(python: str | None = None, arguments: Sequence[str] = ()) -> Iterator[Simulator]:
    """Start a simulator on free ports, one a provider and one for all; stop it at the end.

    Raises:
        SimulatorError: when it does not come up, with what it wrote to stderr.
    """
    process = start(python, arguments)
    try:
        yield _connect(process)
    finally:
        stop(process)


def start(python: str | None = None, arguments: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start the process; it ends when this one does."""
    # The hook under test must not instrument the server that it is tested against.
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONSTARTUP")
    }
    environment["ANCHOR_DISABLED"] = "1"
    command = [
        python or default_python(),
        "-m",
        "examples.provider_sim",
        "--exit-with-parent",
        *arguments,
    ]
    return subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,  # held open: the server leaves when it closes
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _connect(process: subprocess.Popen[str]) -> Simulator:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, errors = process.communicate(timeout=60)
        raise SimulatorError(f"The simulator did not start: {errors.strip()[-2000:]}")
    return Simulator(json.loads(line), process)


def stop(process: subprocess.Popen[str]) -> None:
    """End the process, at once when it does not go within five seconds."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
