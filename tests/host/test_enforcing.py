"""What a refusal says: every field that is wrong, and how the first of them is given."""

from __future__ import annotations

import pytest

from anchor_autopatch import AttributionRequired, attribute
from anchor_autopatch.host.capture.calls import Call, enforce


@pytest.mark.parametrize(
    ("field", "mend"),
    [
        ("team", "give it by attribute(team=...), ANCHOR_TEAM or a [[rule]] of anchor.toml"),
        ("region", "give it by ANCHOR_REGION or a [[rule]] of anchor.toml"),
        ("user_id", "give it by attribute(user_id=...) or [inbound] of anchor.toml"),
    ],
)
def test_refusal_says_how_the_field_is_given(policy, field, mend):
    policy(f'[policy]\nmode = "reject"\nrequired = ["{field}"]\n')

    with pytest.raises(AttributionRequired) as refused:
        enforce(Call("openai", "chat", "gpt-4o", None, stream=False))

    assert str(refused.value) == (
        f"Provider call refused by policy, nothing was sent: {field!r} is missing; {mend}"
    )


def test_all_that_is_wrong_is_said_at_once(policy):
    policy('[policy]\nmode = "reject"\nrequired = ["team"]\n[vocabulary]\nservices = ["a"]\n')

    with attribute(service="b"), pytest.raises(AttributionRequired, match=r"'team' .*; 'service'"):
        enforce(Call("openai", "chat", "gpt-4o", None, stream=False))


def test_override_that_has_expired_refuses_again(policy):
    override = '[[policy.override]]\nmode = "report"\nreason = "x"\nuntil = {}\n'
    base = '[policy]\nmode = "reject"\nrequired = ["team"]\n'

    policy(base + override.format("9999-01-01"))
    enforce(Call("openai", "chat", "gpt-4o", None, stream=False))
    policy(base + override.format("2020-01-01"))
    with pytest.raises(AttributionRequired):
        enforce(Call("openai", "chat", "gpt-4o", None, stream=False))


def test_mistake_in_the_policy_refuses_nothing(policy):
    policy('[policy]\nmode = "rejcet"\nrequired = ["team"]\n')

    enforce(Call("openai", "chat", "gpt-4o", None, stream=False))


@pytest.mark.parametrize("text", ["[policy\nmode =", "x = " + "[" * 100_000, "\x00"])
def test_file_that_is_no_toml_refuses_nothing(policy, text):
    policy(text)

    enforce(Call("openai", "chat", "gpt-4o", None, stream=False))


def test_folder_in_the_place_of_the_file_refuses_nothing(home, monkeypatch):
    monkeypatch.setenv("ANCHOR_CONFIG", str(home))

    enforce(Call("openai", "chat", "gpt-4o", None, stream=False))


def test_layer_below_another_is_never_refused(policy):
    policy('[policy]\nmode = "reject"\nrequired = ["team"]\n')
    call = Call("openai", "chat", "gpt-4o", None, stream=False)
    call.parent = Call("litellm", "chat", "gpt-4o", None, stream=False)

    enforce(call)
