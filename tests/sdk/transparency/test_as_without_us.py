"""Every use of every SDK tells the application what it tells in a process without us."""

from __future__ import annotations

from tests.sdk.transparency import performing
from tests.sdk.transparency.casting import every_play


@every_play
def test_results_errors_and_requests_are_those_of_a_bare_process(play, name, bare, events):
    told = {one: performing.perform(play, one) for one in play.steps}

    assert told == bare[name]
    assert [event.message for event in events() if event.event_class == "internal"] == []
