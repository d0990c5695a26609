"""Replays in two processes, one with the hook and one without, and judges the difference."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tests.conformance import corpus, expectation, judging
from tests.host.support import CHECKOUT, environment, read_outboxes

KNOWN = Path(__file__).with_name("known_misses.toml")
FIRST_WITH_HTTPX2 = 3
PATIENCE = 1_200
"""Seconds for one pass over all exchanges on a busy machine; an idle one needs 20."""


class Replay:
    """One pass over some exchanges, by one route and in one mode."""

    def __init__(self, folder, route, mode, ids=()):
        self.folder, self.route, self.mode = folder, route, mode
        self.ids = tuple(ids)

    def verdict(self):
        """Runs both processes side by side and compares what they saw and what was recorded."""
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        started = [self._start(home, hook) for hook in (False, True)]
        bare, hooked = (self._finish(*run) for run in started)
        receipts, events = read_outboxes(home)
        exchanges = [x for x in corpus.exchanges() if x["id"] in bare]
        expected = expectation.expect(exchanges)
        found = judging.by_exchange(receipts, expected)
        verdict = judging.judge(exchanges, expected, bare, hooked, found)
        assert [event for event in events if event.event_class == "internal"] == []
        return verdict

    def _start(self, home, hook):
        out = self.folder / f"{'hooked' if hook else 'bare'}.jsonl"
        command = [sys.executable, "-m", "tests.conformance.replaying"]
        command += [self.route, self.mode, http_library(), str(out), *self.ids]
        offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "AWS_EC2_METADATA_DISABLED": "true"}
        variables = environment(home, hook=hook, path=[CHECKOUT], **offline)
        errors = out.with_suffix(".err").open("w")
        process = subprocess.Popen(command, env=variables, stdout=errors, stderr=errors)
        return process, out, errors

    def _finish(self, process, out, errors):
        code = process.wait(PATIENCE)
        errors.close()
        assert code == 0, Path(errors.name).read_text()[-2000:]
        seen = map(json.loads, out.read_text(encoding="utf-8").splitlines())
        return {one["id"]: one for one in seen}


@cache
def http_library():
    """The HTTP library of this world's SDKs; both may be installed."""
    return "httpx2" if int(version("openai").partition(".")[0]) >= FIRST_WITH_HTTPX2 else "httpx"


def known_misses(route, mode):
    """Exchange id -> why it cannot match here."""
    misses = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("miss", [])
    return {
        name: miss["reason"]
        for miss in misses
        if miss.get("route", "sdk") == route
        and http_library() in miss.get("libraries", [http_library()])
        and mode in miss.get("modes", [mode])
        and installed(miss.get("installed"))
        for name in miss.get("ids") or [miss["id"]]
    }


def installed(wanted):
    """Whether this environment holds that SDK: `openai 1.`, or None for any."""
    if wanted is None:
        return True
    name, beginning = wanted.split()
    return version(name).startswith(beginning)
