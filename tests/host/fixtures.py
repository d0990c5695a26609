"""Fixtures of the host half's tests: a home of one's own, and what was written to it."""

from __future__ import annotations

import pytest

from tests.host import support


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty ANCHOR_HOME; loopback addresses stand for the SDK's own provider."""
    for name in list(support.os.environ):
        if name.startswith(("ANCHOR_", "OTEL_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("ANCHOR_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "127.0.0.1=sdk")
    support.fresh_process_state()
    yield folder
    support.fresh_process_state()


@pytest.fixture
def receipts(home):
    """A function that gives all receipts so far, oldest first."""
    return lambda: support.read_outboxes(home)[0]


@pytest.fixture
def events(home):
    """A function that gives all exception events so far, oldest first."""
    return lambda: support.read_outboxes(home)[1]


@pytest.fixture
def one_receipt(receipts):
    """A function that gives the only receipt."""

    def only():
        found = receipts()
        assert len(found) == 1, found
        return found[0]

    return only


@pytest.fixture
def one_event(events):
    """A function that gives the only exception event."""

    def only():
        found = events()
        assert len(found) == 1, found
        return found[0]

    return only


@pytest.fixture
def policy(home):
    """A function that writes `anchor.toml` and has it read."""

    def write(text):
        (home / "anchor.toml").write_text(text, encoding="utf-8")
        support.context.forget_environment()

    return write
