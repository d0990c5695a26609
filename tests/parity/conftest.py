"""Tells at the end of a run how many receipts agreed, and which differences were at work."""

from __future__ import annotations

import os
import warnings

import pytest

from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.parity.answers import NOW
from tests.parity.oracle import Oracle

_SEEN = pytest.StashKey[dict]()


@pytest.fixture(scope="module")
def oracle():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Oracle()


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        sync_installed(con, NOW)
        yield con


@pytest.fixture
def record_parity(request):
    """Notes the count of each verdict of one kind of receipts."""
    seen = request.config.stash.setdefault(_SEEN, {})
    return seen.__setitem__


def pytest_terminal_summary(terminalreporter, config):
    seen = config.stash.get(_SEEN, {})
    if not seen:
        return
    total = sum(verdicts.total() for verdicts in seen.values())
    terminalreporter.section(f"parity with LiteLLM: {total:,} receipts")
    for kind, verdicts in seen.items():
        told = ", ".join(f"{name} {count:,}" for name, count in verdicts.most_common())
        terminalreporter.line(f"{kind}: {told}")
