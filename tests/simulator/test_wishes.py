"""How a caller says what a request is to get: script, header, directive."""

from __future__ import annotations

import pytest

from examples.provider_sim.client import SimulatorError
from examples.provider_sim.failures import Failure, parse_failure
from examples.provider_sim.plans import WishError, current_turn, make_plan, text_wishes
from examples.provider_sim.values import tokens_of
from tests.simulator.wire import CHAT, GENERATE, post, saying


class TestDirective:
    @pytest.mark.parametrize(
        ("text", "wishes"),
        [
            ("hello", {}),
            ("[[sim chunks=3]]", {"chunks": 3}),
            ("a [[sim fail=rate_limit*2 delay=0.5]] b", {"fail": "rate_limit*2", "delay": 0.5}),
            ('[[sim usage={"a":{"b":[1,[2]]}}]]', {"usage": {"a": {"b": [1, [2]]}}}),
            ('[[sim text="one two" tool=none]]', {"text": "one two", "tool": "none"}),
            ("[[sim chunks=1]] and [[sim chunks=2]]", {"chunks": 2}),
        ],
    )
    def test_directive_is_read(self, text, wishes):
        assert text_wishes(text) == wishes

    def test_directive_that_makes_no_sense_is_named(self):
        with pytest.raises(WishError, match="not understood at 'what is this"):
            text_wishes("[[sim what is this]]")

    def test_directive_is_not_counted_as_prompt(self):
        assert tokens_of("12345678[[sim chunks=3]]") == tokens_of("12345678") == 2

    def test_only_the_current_turn_wishes(self):
        turns = [
            {"role": "user", "content": "[[sim fail=500]]"},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "now [[sim chunks=2]]"},
            {"role": "tool", "content": "result"},
        ]

        assert current_turn({"messages": turns})["messages"] == turns[2:]


class TestFailureText:
    @pytest.mark.parametrize(
        ("written", "failure"),
        [
            ("429", Failure("rate_limit")),
            ("insufficient-quota*2", Failure("quota", times=2)),
            ("break@3", Failure("break", after=3)),
            ({"kind": "stall", "seconds": 2}, Failure("stall", seconds=2)),
        ],
    )
    def test_failure_is_read(self, written, failure):
        assert parse_failure(written) == failure

    @pytest.mark.parametrize(
        ("written", "complaint"),
        [
            ("no_such", "Unknown failure 'no_such'; known: auth"),
            ("break@@", "not written as kind"),
            ({"kind": "reset", "after_all": 1}, "Unknown failure field 'after_all'"),
            ({"kind": "stall", "seconds": 9999}, "between 0 and 600"),
        ],
    )
    def test_wrong_failure_is_named(self, written, complaint):
        with pytest.raises(ValueError, match=complaint):
            parse_failure(written)

    def test_unknown_wish_lists_the_known_ones(self):
        with pytest.raises(WishError, match="Unknown simulator wish 'colour'; known: arguments"):
            make_plan({"colour": "500"})


class TestPrecedence:
    def test_directive_beats_header_beats_script(self, simulator):
        simulator.script(path=CHAT, text="script", tier="flex", id="from-script")

        got = post(
            simulator.all,
            CHAT,
            saying("[[sim text=directive]]"),
            x_sim_text="header",
            x_sim_id="from-header",
        ).json

        assert got["choices"][0]["message"]["content"] == "directive"
        assert (got["id"], got["service_tier"]) == ("from-header", "flex")

    def test_wrong_wish_is_refused_before_anything_is_billed(self, simulator):
        got = post(simulator.all, CHAT, saying("hi"), x_sim_colour="1")

        assert got.status == 400
        assert "Unknown simulator wish 'colour'" in got.json["error"]["message"]
        assert simulator.ledger() == []

    def test_directive_in_metadata_counts(self, simulator):
        body = saying("hi", metadata={"note": "[[sim model=chosen]]"})

        assert post(simulator.all, CHAT, body).json["model"] == "chosen"


class TestScript:
    def test_rule_is_for_its_path_and_model_only(self, simulator):
        simulator.script(path="generateContent", model="gemini-*", text="scripted")

        chat = post(simulator.all, CHAT, saying("hi")).json
        gemini = post(simulator.all, GENERATE, {"contents": []}).json

        assert chat["choices"][0]["message"]["content"] != "scripted"
        assert gemini["candidates"][0]["content"]["parts"] == [{"text": "scripted"}]

    def test_rule_is_used_up_after_its_times(self, simulator):
        simulator.script(fail="500", times=2, skip=1)

        statuses = [post(simulator.all, CHAT, saying("hi")).status for _ in range(4)]

        assert statuses == [200, 500, 500, 200]

    def test_rule_without_times_lasts(self, simulator):
        simulator.script(fail="500", times=None)

        assert {post(simulator.all, CHAT, saying("hi")).status for _ in range(5)} == {500}

    def test_wrong_rule_is_refused(self, simulator):
        with pytest.raises(SimulatorError, match="Unknown failure 'nothing'"):
            simulator.script(fail="nothing")

    @pytest.mark.parametrize("body", [b"{", b"[1]"])
    def test_control_body_that_is_no_object_is_refused(self, simulator, body):
        got = post(simulator.all, "/_sim/script", body)

        assert (got.status, list(got.json)) == (400, ["error"])

    def test_reset_forgets_the_script(self, simulator):
        simulator.script(fail="500", times=None)

        simulator.reset()

        assert post(simulator.all, CHAT, saying("hi")).status == 200
