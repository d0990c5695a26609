"""Who caused a call: bound in code over the environment, not crossed by tasks or threads."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchor_autopatch import attribute, current
from anchor_autopatch.host import context

pytestmark = pytest.mark.usefixtures("home")
# Surrogates, control characters and direction marks included.
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def team():
    return current().team


def sources():
    return json.loads(current().attribution_source or "{}")


class TestBinding:
    def test_fields_hold_inside_only(self):
        with attribute(team="search", service="bot", feature="f", environment="e", user_id="u"):
            inside = current()

        assert inside[:4] == ("search", "bot", "f", "e")
        assert inside.user_id == "u"
        assert current().team is None

    def test_inner_adds_to_outer(self):
        with attribute(team="search", plan="pro"), attribute(feature="chat", tier=2):
            inside = current()

        assert (inside.team, inside.feature) == ("search", "chat")
        assert json.loads(inside.labels) == {"plan": "pro", "tier": "2"}

    def test_inner_value_wins_and_leaves(self):
        with attribute(team="outer"):
            with attribute(team="inner"):
                inside = team()
            assert (inside, team()) == ("inner", "outer")

    def test_exception_passes_and_unbinds(self):
        with pytest.raises(KeyError), attribute(team="search"):
            raise KeyError

        assert team() is None

    def test_one_object_is_entered_again(self):
        search = attribute(team="search")

        with search, search:
            pass

        assert team() is None

    def test_leaving_without_entering_is_harmless(self):
        with attribute(team="search"):
            attribute(team="other").__exit__(None, None, None)

            assert team() == "search"

    def test_leaving_out_of_order_takes_only_its_own(self):
        first, second = attribute(team="first"), attribute(feature="second")
        first.__enter__()
        second.__enter__()

        first.__exit__(None, None, None)
        assert (team(), current().feature) == (None, "second")

        second.__exit__(None, None, None)
        assert current().feature is None

    def test_asynchronous_block(self):
        async def main():
            async with attribute(team="search"):
                await asyncio.sleep(0)
                return team()

        assert asyncio.run(main()) == "search"


class TestDecorator:
    def test_function_runs_inside(self):
        @attribute(team="search")
        def run(value):
            return value, team()

        assert run(1) == (1, "search")
        assert (run.__name__, team()) == ("run", None)

    def test_coroutine_function_stays_one(self):
        @attribute(team="search")
        async def run():
            await asyncio.sleep(0)
            return team()

        assert asyncio.iscoroutinefunction(run)
        assert asyncio.run(run()) == "search"

    def test_generator_is_bound_in_its_steps_only(self):
        @attribute(team="search")
        def run():
            given = yield team()
            yield given, team()
            return "end"

        steps = run()
        assert (next(steps), team()) == ("search", None)
        assert steps.send("given") == ("given", "search")
        with pytest.raises(StopIteration, match="end"):
            next(steps)

    def test_generator_takes_exceptions_and_closes(self):
        seen = []

        @attribute(team="search")
        def run():
            try:
                yield 1
            except KeyError:
                seen.append(team())
            try:
                yield 2
            finally:
                seen.append(team())

        steps = run()
        next(steps)
        assert steps.throw(KeyError) == 2
        steps.close()
        assert seen == ["search", "search"]

    def test_asynchronous_generator_is_bound_in_its_steps_only(self):
        @attribute(team="search")
        async def run():
            yield team()
            await asyncio.sleep(0)
            yield team()

        async def main():
            return [(step, team()) async for step in run()]

        assert asyncio.run(main()) == [("search", None)] * 2

    def test_recursion(self):
        @attribute(team="search")
        def run(depth):
            return run(depth - 1) if depth else team()

        assert (run(5), team()) == ("search", None)


class TestConcurrency:
    def test_tasks_keep_their_own(self):
        async def one(name):
            with attribute(team=name):
                await asyncio.sleep(0.01)
                return team()

        async def main():
            return await asyncio.gather(*(one(str(i)) for i in range(20)))

        assert asyncio.run(main()) == [str(i) for i in range(20)]

    def test_one_object_in_many_tasks(self):
        search = attribute(team="search")

        async def one(delay):
            with search:
                await asyncio.sleep(delay)
                inside = team()
            return inside, team()

        async def main():
            return await asyncio.gather(one(0.02), one(0.01), one(0.03))

        assert asyncio.run(main()) == [("search", None)] * 3

    def test_one_object_in_many_threads(self):
        search, found, together = attribute(team="search"), [], threading.Barrier(4, timeout=60)

        def one():
            with search:
                together.wait()
            found.append(team())

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [None] * 4

    def test_generator_left_in_another_context(self):
        def run():
            with attribute(team="search"):
                yield team()

        async def step(steps):
            return next(steps, "end"), team()

        async def main():
            steps = run()
            first = await asyncio.create_task(step(steps))
            return first, await asyncio.create_task(step(steps)), team()

        assert asyncio.run(main()) == (("search", "search"), ("end", None), None)

    def test_to_thread_carries_the_binding(self):
        async def main():
            with attribute(team="search"):
                return await asyncio.to_thread(team)

        assert asyncio.run(main()) == "search"


class TestEnvironment:
    @pytest.mark.parametrize(
        "name", ["team", "service", "feature", "environment", "region", "cost_center"]
    )
    def test_variable_is_the_default(self, monkeypatch, name):
        monkeypatch.setenv(f"ANCHOR_{name.upper()}", "value")
        context.forget_environment()

        assert getattr(current(), name) == "value"
        assert sources() == {name: "environment"}

    def test_code_outranks_environment(self, monkeypatch):
        monkeypatch.setenv("ANCHOR_TEAM", "env")
        monkeypatch.setenv("ANCHOR_SERVICE", "bot")
        context.forget_environment()

        with attribute(team="code"):
            assert (team(), current().service) == ("code", "bot")
            assert sources() == {"team": "code", "service": "environment"}

    def test_labels_of_both_are_merged(self, monkeypatch):
        monkeypatch.setenv("ANCHOR_LABELS", "plan=pro, broken ,zone=b")
        context.forget_environment()

        with attribute(plan="free"):
            assert json.loads(current().labels) == {"plan": "free", "zone": "b"}

    def test_opentelemetry_names_are_the_fallback(self, monkeypatch):
        monkeypatch.setenv("OTEL_SERVICE_NAME", "otel-bot")
        monkeypatch.setenv(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,deployment.environment.name=prod,cloud.region=eu,team=t",
        )
        context.forget_environment()

        who = current()
        assert (who.service, who.environment, who.region, who.team) == (
            "otel-bot",
            "prod",
            "eu",
            "t",
        )
        assert set(sources().values()) == {"otel"}

    def test_own_variable_outranks_opentelemetry(self, monkeypatch):
        monkeypatch.setenv("OTEL_SERVICE_NAME", "otel-bot")
        monkeypatch.setenv("ANCHOR_SERVICE", "bot")
        context.forget_environment()

        assert (current().service, sources()) == ("bot", {"service": "environment"})


class TestValues:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (7, "7"),
            ("lone \ud800 surrogate", "lone ? surrogate"),
            ("line\x00\x1bend", "line  end"),
            ("sk-abcdefghijklmnop1234", "[redacted]"),
            ("key-accounts", "key-accounts"),
            ("sk-bratislava", "sk-bratislava"),
            ("npm-registry-proxy", "npm-registry-proxy"),
            ("auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82"),
        ],
    )
    def test_value_is_clean_text(self, given, kept):
        with attribute(user_id=given):
            assert current().user_id == kept

    def test_huge_values_are_cut(self):
        with attribute(user_id="x" * 10_000_000, **{f"label{i}": "y" * 9999 for i in range(500)}):
            who = current()

        assert len(who.user_id) == 256
        assert len(json.loads(who.labels)) == 64

    def test_none_is_not_given(self):
        with attribute(team="outer"), attribute(team=None, label=None):
            assert (team(), current().labels) == ("outer", None)

    @given(
        st.dictionaries(ANY_TEXT, ANY_TEXT | st.binary() | st.integers() | st.none()),
        ANY_TEXT,
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_no_value_or_label_raises_or_is_stored_raw(self, labels, value):
        with attribute(**{"user_id": value, "team": value} | labels):
            who = current()

        stored = [text for text in who if text is not None]
        stored += [part for pair in json.loads(who.labels or "{}").items() for part in pair]
        for text in stored:
            text.encode("utf-8")
            assert all(char.isprintable() or char == "\n" for char in text)

    @pytest.mark.parametrize("name", ["self", "labels", "args", "class"])
    def test_label_may_have_any_name(self, name):
        with attribute(**{name: "x"}):
            assert json.loads(current().labels) == {name: "x"}

    def test_value_that_cannot_be_printed_is_left_out(self):
        class Awkward:
            def __str__(self):
                raise RuntimeError

        with attribute(team="search", user_id=Awkward(), label=Awkward()):
            assert (team(), current().user_id) == ("search", None)
