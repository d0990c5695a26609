"""Model names of receipts find their key of the price list, and the rule is recorded."""

from __future__ import annotations

import pytest

from anchor_autopatch.job.pricing.model_keys import Names, make_catalogue, resolve

LIST = {
    "gpt-4o": "openai",
    "gpt-4o-2024-08-06": "openai",
    "ft:gpt-4o": "openai",
    "gpt-3.5-turbo-instruct": "text-completion-openai",
    "azure/gpt-4o": "azure",
    "azure/hd/1024-x-1024/dall-e-3": "azure",
    "claude-sonnet-4-5": "anthropic",
    "gemini/gemini-2.5-flash": "gemini",
    "gemini-2.5-flash": "vertex_ai-language-models",
    "claude-sonnet-4-5@20250929": "vertex_ai-anthropic_models",
    "anthropic.claude-sonnet-4-5-v1:0": "bedrock_converse",
    "us.anthropic.claude-sonnet-4-5-v1:0": "bedrock_converse",
    "meta.llama3-v1": "bedrock",
    "fireworks_ai/accounts/fireworks/models/kimi": "fireworks_ai",
    "xai/grok-4": "xai",
    "perplexity/perplexity/glm": "perplexity",
}
CASES = [
    # provider, request, response -> key, is alias
    ("openai", "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06", False),
    ("openai", "gpt-4o", "", "gpt-4o", False),
    ("openai", "openai/gpt-4o", "", "gpt-4o", False),
    ("openai", "GPT-4o", "", "gpt-4o", False),
    ("openai", "gpt-4o-2099-01-01", "", "gpt-4o", True),
    ("openai", "ft:gpt-4o:org:name:id", "", "ft:gpt-4o", False),
    ("openai", "gpt-3.5-turbo-instruct", "", "gpt-3.5-turbo-instruct", False),
    ("azure", "gpt-4o", "gpt-4o-2024-08-06", "azure/gpt-4o", True),
    ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash", "gemini/gemini-2.5-flash", False),
    ("gemini", "models/gemini-2.5-flash", "", "gemini/gemini-2.5-flash", False),
    ("gemini", "gemini-2.5-flash-001", "", "gemini/gemini-2.5-flash", True),
    ("vertex_ai", "publishers/google/models/gemini-2.5-flash", "", "gemini-2.5-flash", False),
    (
        "vertex_ai",
        "projects/p/locations/us-east5/publishers/google/models/gemini-2.5-flash",
        "",
        "gemini-2.5-flash",
        False,
    ),
    ("vertex_ai", "gemini-2.5-flash@default", "", "gemini-2.5-flash", False),
    ("vertex_ai", "claude-sonnet-4-5@20250929", "", "claude-sonnet-4-5@20250929", False),
    ("anthropic", "claude-sonnet-4-5-20990101", "", "claude-sonnet-4-5", True),
    (
        "bedrock",
        "us.anthropic.claude-sonnet-4-5-v1:0",
        "",
        "us.anthropic.claude-sonnet-4-5-v1:0",
        False,
    ),
    (
        "bedrock",
        "eu.anthropic.claude-sonnet-4-5-v1:0",
        "",
        "anthropic.claude-sonnet-4-5-v1:0",
        False,
    ),
    ("bedrock", "converse/meta.llama3-v1:0", "", "meta.llama3-v1", False),
    (
        "bedrock",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-v1:0",
        "",
        "anthropic.claude-sonnet-4-5-v1:0",
        False,
    ),
    (
        "fireworks_ai",
        "accounts/fireworks/models/kimi",
        "",
        "fireworks_ai/accounts/fireworks/models/kimi",
        False,
    ),
    ("perplexity", "perplexity/glm", "", "perplexity/perplexity/glm", False),
    ("unmapped", "gpt-4o", "", "gpt-4o", True),
    ("openai", "grok-4", "", None, False),
    ("openai", "gpt-9", "claude-opus-9-9", None, False),
    ("unmapped", "models/gemini-9", "", None, False),
    ("openai", "", "", None, False),
]


@pytest.mark.parametrize(("provider", "request_model", "response_model", "key", "alias"), CASES)
def test_name_means(provider, request_model, response_model, key, alias):
    found = resolve(Names(provider, request_model, response_model, ""), make_catalogue(LIST))

    assert (found.model_key, found.is_alias) == (key, alias)
    assert found.rule


def test_image_quality_and_size_choose_the_key():
    names = Names("azure", "dall-e-3", "", "hd/1024-x-1024")

    found = resolve(names, make_catalogue(LIST))

    assert (found.model_key, found.rule) == (
        "azure/hd/1024-x-1024/dall-e-3",
        "request:image variant",
    )


def test_contract_for_the_provider_comes_before_a_general_one():
    contracts = [("gpt-4o", ""), ("gpt-4o", "azure")]

    catalogue = make_catalogue(LIST, contracts)

    assert resolve(Names("azure", "gpt-4o", "", ""), catalogue).contract == ("gpt-4o", "azure")
    assert resolve(Names("openai", "gpt-4o", "", ""), catalogue).contract == ("gpt-4o", "")


def test_contract_for_the_requested_name_covers_its_snapshots():
    catalogue = make_catalogue(LIST, [("gpt-4o", "openai")])

    found = resolve(Names("openai", "gpt-4o", "gpt-4o-2024-08-06", ""), catalogue)

    assert found.contract == ("gpt-4o", "openai")


@pytest.mark.parametrize(
    ("provider", "name", "key"),
    [
        ("azure", "Chat-Prod", "azure/gpt-4o"),
        (
            "bedrock",
            "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1",
            "us.anthropic.claude-sonnet-4-5-v1:0",
        ),
    ],
)
def test_name_of_ones_own_is_priced_as_the_model_behind_it(provider, name, key):
    models = {
        "chat-prod": "gpt-4o",
        "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1": (
            "us.anthropic.claude-sonnet-4-5-v1:0"
        ),
    }

    found = resolve(Names(provider, name, "", ""), make_catalogue(LIST, models=models))

    assert (found.model_key, found.is_alias) == (key, False)
    assert found.rule.startswith("request, mapped:")


def test_map_outranks_a_name_that_the_list_has():
    catalogue = make_catalogue(LIST, models={"gpt-4o": "dall-e-3"})

    found = resolve(Names("azure", "gpt-4o", "", "hd/1024-x-1024"), catalogue)

    assert found.model_key == "azure/hd/1024-x-1024/dall-e-3"


def test_new_map_is_another_catalogue():
    ids = {make_catalogue(LIST).catalogue_id, make_catalogue(LIST, models={"a": "b"}).catalogue_id}

    assert len(ids) == 2
