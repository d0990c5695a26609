"""The simulator for tests with real SDKs: one process a session, empty before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.provider_sim import Simulator, running


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    simulator_process.reset()
    return simulator_process
