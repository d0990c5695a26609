"""`anchor alerts` as people type it."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.cli import main


@pytest.fixture
def run(tmp_path, sink, monkeypatch, capsys):
    """A function that runs a command with the receiver as the environment's sink."""
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    monkeypatch.setenv("ANCHOR_ALERT_URL", sink.url)
    monkeypatch.setenv("ANCHOR_ALERT_ALLOW_PRIVATE", "1")

    def run(*words):
        code = main(["alerts", *words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_test_proves_that_the_sink_is_told(run, sink):
    code, out = run("test", "--json")

    assert (code, json.loads(out)[0]["http_status"]) == (0, 200)
    assert sink.received[0].json["kind"] == "test"


def test_test_says_what_the_sink_answered(run, sink):
    sink.status, sink.answer = 403, b"invalid_token"

    code, out = run("test")

    assert code == 1
    assert "HTTP 403: invalid_token" in out


def test_test_that_failed_is_not_tried_again(run, sink):
    sink.status = 500
    run("test")

    assert json.loads(run("list", "--json")[1])["deliveries"][0]["state"] == "dead"


def test_without_a_sink_it_says_how_to_name_one(run, monkeypatch):
    monkeypatch.delenv("ANCHOR_ALERT_URL")

    code, out = run("test")

    assert code == 2
    assert "[[alerts.sink]]" in out


def test_unknown_sink_is_named(run):
    assert run("test", "--sink", "fax") == (
        2,
        "anchor: Unknown sink 'fax'; known: ANCHOR_ALERT_URL\n",
    )
