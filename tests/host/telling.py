"""An application that fails, and what is told of it: scripts of processes and a place to wait."""

from __future__ import annotations

import time

FAIL = """
from anchor_autopatch.host import failures
from anchor_autopatch.host.alerting import telling

def fail(place="shop:pay"):
    failures.record_application("ERROR", "shop", "could not pay", place)

def told():
    telling._teller.wait(60)
"""
"""Beginning of a script: `fail` leaves an event that alone makes an incident."""


def operator(sink):
    """The environment of an application whose operator named this sink."""
    return {"ANCHOR_ALERT_URL": sink.url, "ANCHOR_ALERT_ALLOW_PRIVATE": "1"}


def wait_for(condition, seconds=60.0):
    """Returns when it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
