"""A signature holds for one request, for a while, under one key; whatever changes, it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.signatures import (
    EXPIRED,
    INVALID,
    REQUEST_ID_HEADER,
    SIGNED_HEADERS,
    UNKNOWN_KEY,
    Signed,
    read_keys,
    refusal,
    sign,
)

NOW = 1_790_000_000
MAX_AGE = 300
KEYS = {"k1": b"a-secret-of-the-gateway"}
HEADERS = {REQUEST_ID_HEADER: "r-1", "x-owner-team": "search"}
ASKED = Signed("POST", "/chat", HEADERS)


def _refused(signature: str, signed: Signed = ASKED, now: int = NOW) -> str | None:
    return refusal(signature, KEYS, signed, now, MAX_AGE)


@pytest.fixture
def signature() -> str:
    return sign("k1", KEYS["k1"], ASKED, NOW + 60)


def test_signature_holds_for_what_was_signed(signature: str) -> None:
    assert _refused(signature) is None


def test_signature_can_be_made_by_other_tools(signature: str) -> None:
    # printf 'anchor-1\nk1\n1790000060\nPOST\n/chat\nr-1\nsearch\n\n\n\n\n\n' |
    # openssl dgst -sha256 -hmac a-secret-of-the-gateway
    digest = "abaed6259c45b45fb00363e03f8304991cef4ad28d67ce54af272eaf7fd411e9"

    assert signature == f"v1.k1.1790000060.{digest}"


@pytest.mark.parametrize(
    "other",
    [
        ASKED._replace(method="GET"),
        ASKED._replace(path="/chat/"),
        ASKED._replace(headers={**HEADERS, "x-owner-team": "sales"}),
        ASKED._replace(headers={**HEADERS, "x-owner-user": "added"}),
        ASKED._replace(headers={REQUEST_ID_HEADER: "r-1"}),
        ASKED._replace(headers={**HEADERS, REQUEST_ID_HEADER: "r-2"}),
    ],
    ids=["method", "path", "value", "added", "taken", "request"],
)
def test_signature_of_another_request_is_refused(signature: str, other: Signed) -> None:
    assert _refused(signature, other) == INVALID


def test_value_cannot_move_to_another_header(signature: str) -> None:
    moved = {REQUEST_ID_HEADER: "r-1", "x-owner-product": "search"}

    assert _refused(signature, ASKED._replace(headers=moved)) == INVALID


@pytest.mark.parametrize(
    ("now", "verdict"),
    [(NOW + 59, None), (NOW + 60, EXPIRED), (NOW + 60 - MAX_AGE, None), (NOW - 241, EXPIRED)],
)
def test_signature_holds_for_a_while(signature: str, now: int, verdict: str | None) -> None:
    assert _refused(signature, now=now) == verdict


def test_longer_life_cannot_be_written_into_a_signature(signature: str) -> None:
    version, key, _, digest = signature.split(".")

    assert _refused(f"{version}.{key}.{NOW + 200}.{digest}") == INVALID


def test_key_that_was_taken_out_is_called_unknown() -> None:
    old = sign("k0", b"the-secret-of-last-year", ASKED, NOW + 60)

    assert _refused(old) == UNKNOWN_KEY


def test_signature_without_a_request_id_never_holds() -> None:
    unbound = ASKED._replace(headers={"x-owner-team": "search"})

    assert _refused(sign("k1", KEYS["k1"], unbound, NOW + 60), unbound) == INVALID


@pytest.mark.parametrize("smuggled", ["r-1\nsearch", "r-1\x00", "r" * 8_193])
def test_value_that_could_stand_for_two_never_holds(smuggled: str) -> None:
    signed = ASKED._replace(headers={**HEADERS, REQUEST_ID_HEADER: smuggled})

    assert _refused(sign("k1", KEYS["k1"], signed, NOW + 60), signed) == INVALID


@given(st.text(max_size=200))
def test_garbage_is_refused_and_raises_nothing(text: str) -> None:
    assert _refused(text) == INVALID


@given(st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_no_digit_of_a_digest_may_be_another(place: int, digit: str) -> None:
    signature = sign("k1", KEYS["k1"], ASKED, NOW + 60)
    head, digest = signature[:-64], signature[-64:]

    changed = head + digest[:place] + digit + digest[place + 1 :]

    assert (_refused(changed) is None) == (digit == digest[place])


def test_every_signed_header_takes_part() -> None:
    whole = {name: f"value of {name}" for name in SIGNED_HEADERS}
    signature = sign("k1", KEYS["k1"], ASKED._replace(headers=whole), NOW + 60)

    verdicts = {
        name: _refused(signature, ASKED._replace(headers={**whole, name: "other"}))
        for name in SIGNED_HEADERS
    }

    assert set(verdicts.values()) == {INVALID}


def test_two_keys_are_read_while_they_are_changed() -> None:
    keys = read_keys("old=a-secret-of-last-year, new=a-secret-of-this-year,")

    assert keys == {"old": b"a-secret-of-last-year", "new": b"a-secret-of-this-year"}


@pytest.mark.parametrize("text", ["k1", "k1=short", "=a-secret-without-any-id", "k 1=" + "s" * 20])
def test_key_that_cannot_be_used_is_refused_untold(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_keys(text)

    assert "short" not in str(refused.value).replace("shorter", "")
    assert "a-secret" not in str(refused.value)
