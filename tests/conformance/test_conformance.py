"""Every recorded exchange leaves the receipts of its recording, and no trace to an application."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from tests.conformance import corpus, judging
from tests.conformance.running import Replay, known_misses

pytestmark = [
    pytest.mark.skipif(corpus.absent() is not None, reason=str(corpus.absent())),
    pytest.mark.skipif(find_spec("anthropic") is None, reason="needs an SDK world (make worlds)"),
]

SAMPLE_EVERY = 30
NATIVE = ("bedrock_other", "batch", "interactions")


def native_ids():
    exchanges = corpus.exchanges()
    return [
        x["id"]
        for x in exchanges
        if x["provider"] in ("groq", "mistral") or x["endpoint_kind"] in NATIVE
    ]


def check(replay, ids=None):
    verdict = replay.verdict()
    known = known_misses(replay.route, replay.mode)
    explained = {miss.id for miss in verdict.misses} & known.keys()
    sys.stdout.write(f"\n{replay.route}, {replay.mode}:\n{judging.table(verdict, explained)}\n")

    news = [miss for miss in verdict.misses if miss.id not in known]
    healed = (known.keys() - explained) & (set(ids) if ids else known.keys())
    assert news == []
    assert healed == set(), "These match again: take them out of known_misses.toml"
    assert verdict.replayable > 0


@pytest.mark.conformance
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_every_exchange_leaves_what_was_recorded(tmp_path, mode):
    check(Replay(tmp_path, "sdk", mode))


@pytest.mark.conformance
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_native_sdks_leave_what_was_recorded(tmp_path, mode):
    ids = native_ids()

    check(Replay(tmp_path, "native", mode, ids), ids)


def test_a_sample_leaves_what_was_recorded(tmp_path):
    ids = [x["id"] for x in corpus.exchanges()][::SAMPLE_EVERY]

    check(Replay(tmp_path, "sdk", "sync", ids), ids)
