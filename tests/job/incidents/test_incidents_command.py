"""`anchor incidents` as people type it."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.cli import main
from tests.job.outboxes import event


@pytest.fixture
def run(world, monkeypatch, capsys):
    """A function that runs a command over one incident of two events: exit code and output."""
    monkeypatch.setenv("ANCHOR_HOME", str(world.home))
    world.happen(event(1, event_class="auth"), event(2, event_class="auth")).look(minutes=1)

    def run(*words):
        code = main(["incidents", *words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_list_says_what_goes_on(run, world):
    code, out = run("list")

    assert code == 1
    assert world.only().incident_id in out
    assert "openai refuses the key" in out


def test_acknowledged_incident_is_no_finding(run, world):
    assert run("ack", world.only().incident_id[:5], "--by", "ana", "--reason", "on it")[0] == 0

    code, out = run("list", "--json")

    assert (code, json.loads(out)[0]["acknowledged_by"]) == (0, "ana")


def test_resolved_incident_is_listed_on_request(run, world):
    run("resolve", world.only().incident_id, "--reason", "new key")

    assert run("list") == (0, "No incident goes on.\n")
    assert json.loads(run("list", "--all", "--json")[1])[0]["resolve_reason"] == "manual"


def test_show_tells_the_whole_story(run, world):
    shown = json.loads(run("show", world.only().incident_id, "--json")[1])

    assert shown["affected"][0]["event_count"] == 2
    assert [each["kind"] for each in shown["changes"]] == ["opened"]
    assert "Whom it hit" in run("show", world.only().incident_id)[1]


def test_unknown_incident_is_named(run):
    code, out = run("show", "nothing")

    assert (code, out) == (
        2,
        "anchor: No incident 'nothing'; anchor incidents list --all shows their ids\n",
    )


def test_silence_is_listed_until_it_is_ended(run):
    run("silence", "class=auth", "--for", "2h", "--reason", "rotation", "--by", "ana")
    listed = json.loads(run("silence", "--json")[1])

    assert run("silence", "--end", listed[0]["silence_id"])[0] == 0
    assert (listed[0]["matcher"], run("silence")) == ("class=auth", (0, "Nothing is silenced.\n"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("silence", "class=auth"), "needs a reason"),
        (("silence", "class=auth", "--for", "soon", "--reason", "x"), "'soon'"),
        (("silence", "--end", "nothing"), "No silence 'nothing'"),
        (("ack", ""), "No incident ''"),
    ],
)
def test_what_cannot_be_done_is_said(run, words, said):
    code, out = run(*words)

    assert code == 2
    assert said in out


def test_silences_speak_json_from_beginning_to_end(run):
    words = ("class=auth", "--for", "2h", "--reason", "rotation", "--json")
    begun = json.loads(run("silence", *words)[1])

    ended = json.loads(run("silence", "--end", begun["silence_id"], "--json")[1])

    assert begun["matcher"] == "class=auth"
    assert ended == {"silence_id": begun["silence_id"], "ended": True}


def test_instants_are_shown_to_the_second(run):
    first_line = next(line for line in run("list")[1].splitlines() if "refuses the key" in line)

    assert "." not in first_line.split("the key")[1]
    assert "+00:00" not in first_line


def test_nobody_told_is_said_in_words(run, world):
    assert "Nobody was told of it." in run("show", world.only().incident_id)[1]
