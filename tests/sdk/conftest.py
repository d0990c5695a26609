"""The simulator for tests with real SDKs: one process a session, empty before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from examples.provider_sim import Simulator, running

_LEFT_BY_SDKS = (
    # LiteLLM's router and some SDKs leave loops and sockets to the garbage collector. Which test's
    # collection meets them is chance: no test fails for another one's litter.
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning",
    "ignore:Exception ignored in. <function BaseEventLoop:pytest.PytestUnraisableExceptionWarning",
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning",
    # What asyncio and aiohttp say of the same, of their transports, sessions and connectors.
    "ignore:Exception ignored in. <function (_\\w+Transport|StreamWriter).__del__"
    ":pytest.PytestUnraisableExceptionWarning",
    "ignore:Exception ignored in. <function (ClientSession|BaseConnector|Connection).__del__"
    ":pytest.PytestUnraisableExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets the SDKs' own litter pass, in the whole session; every other warning stays an error.

    It cannot be ours: the host half opens neither sockets nor loops.
    """
    for item in items:
        for rule in _LEFT_BY_SDKS:
            item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture(scope="session", autouse=True)
def _one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lets the SDKs trust one authority instead of 140.

    No server here is trusted by any, and each new client reads them all: 16 ms of CPU,
    google-genai's 50.
    """
    end = "-----END CERTIFICATE-----\n"
    first, found, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(end)
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(first + found, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    simulator_process.reset()
    return simulator_process
