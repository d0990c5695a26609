"""Verdicts on the methods of an SDK: one each, the narrowest route counts, nothing is assumed."""

from __future__ import annotations

import pytest

from anchor_autopatch.surface import verdicts
from anchor_autopatch.surface.source import Method
from anchor_autopatch.surface.verdicts import FREE, NOT_YET, UNKNOWN, Unclear, Verdict, Verdicts


def _rule(kind: str, why: str, *, methods: tuple[str, ...] = (), routes: tuple[str, ...] = ()):
    return verdicts._rule(kind, {"why": why, "methods": methods, "routes": routes})


def _openai(*rules: object, helpers: dict[str, str] | None = None) -> Verdicts:
    return Verdicts("openai", helpers or {}, list(rules))


LISTS = Verdict(FREE, "lists")


def test_method_that_a_patch_knows_is_captured() -> None:
    found = _openai().on(Method("chat.completions.create", "POST /chat/completions"))

    assert found == Verdict("captured", "chat")


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        ("GET /notes/{id}", True),
        ("DELETE /notes/{id}", True),
        ("POST /notes/{id}", False),
        ("GET /notes", False),
        ("GET /notes/{id}/content", False),
        ("GET /notes/summarize", False),
    ],
)
def test_star_stands_for_one_part_that_varies(route: str, fits: bool) -> None:
    found = _openai(_rule(FREE, "lists", routes=("GET|DELETE /notes/*",))).on(Method("f.x", route))

    assert found == (LISTS if fits else Unclear(Method("f.x", route), UNKNOWN))


@pytest.mark.parametrize("route", ["GET /admin", "POST /admin/keys", "DELETE /admin/keys/{id}"])
def test_two_stars_stand_for_any_rest(route: str) -> None:
    assert _openai(_rule(FREE, "lists", routes=("* /admin/**",))).on(Method("a.x", route)) == LISTS


def test_narrower_route_outranks_a_wider_one() -> None:
    listed = _openai(
        _rule(FREE, "lists", routes=("GET /notes/**",)),
        _rule(NOT_YET, "downloads are billed", routes=("GET /notes/*/content",)),
    )

    found = listed.on(Method("notes.content", "GET /notes/{id}/content"))

    assert found == Verdict(NOT_YET, "downloads are billed")


def test_name_outranks_a_route() -> None:
    listed = _openai(
        _rule(FREE, "lists", routes=("POST /notes",)),
        _rule(NOT_YET, "converts", methods=("notes.create_and_convert",)),
    )

    assert listed.on(Method("notes.create_and_convert", "POST /notes")).kind == NOT_YET


def test_two_verdicts_are_none() -> None:
    listed = _openai(
        _rule(FREE, "lists", routes=("GET /notes",)),
        _rule(NOT_YET, "bills", routes=("GET /notes",)),
    )

    assert listed.on(Method("notes.list", "GET /notes")).problem == "has several verdicts"


def test_verdict_that_a_patch_has_overtaken_is_told() -> None:
    chat = Method("chat.completions.create", "POST /chat/completions")

    found = _openai(_rule(NOT_YET, "later", methods=(chat.name,))).on(chat)

    assert found == Unclear(chat, "is captured as chat, but listed as not yet")


def test_helper_is_judged_by_the_request_that_it_sends() -> None:
    listed = _openai(helpers={"chat.completions.parse": "POST /chat/completions"})

    assert listed.on(Method("chat.completions.parse", "")) == Verdict("captured", "chat")


def test_line_that_fits_nothing_any_more_is_named() -> None:
    listed = _openai(
        _rule(FREE, "lists", methods=("notes.gone",), routes=("GET /gone", "GET /notes")),
        helpers={"runs.gone": "POST /runs"},
    )

    unused = list(listed.unused([Method("notes.list", "GET /notes")]))

    assert unused == ["notes.gone", "runs.gone", "GET /gone"]


def test_method_that_nobody_has_looked_at_is_unclear() -> None:
    new = Method("dreams.create", "POST /dreams")

    assert verdicts.unclear(_openai(), [new]) == [Unclear(new, UNKNOWN)]
