"""Who invoices a host: what is a provider's own, what only looks like it, what is one's own."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.hosts import (
    BY_MODEL,
    KNOWN_PROVIDERS,
    HostMap,
    is_local,
    known_provider,
    local_server,
    parse_host_map,
    provider_of_model,
)
from anchor_autopatch.core.provider_hosts import KNOWN_HOSTS


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("api.openai.com:443", "openai"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime.us-gov-west-1.amazonaws.com", "bedrock"),
        ("vpce-0a1b.bedrock-runtime.us-east-1.vpce.amazonaws.com", "bedrock"),
        ("aiplatform.eu.rep.googleapis.com", "vertex_ai"),
        ("europe-west4-aiplatform.googleapis.com", "vertex_ai"),
    ],
)
def test_own_host_of_a_provider_is_known(host: str, provider: str) -> None:
    assert known_provider(host) == provider


@pytest.mark.parametrize(
    "host",
    [
        "api.openai.com.evil.example",
        "evil-api.openai.com.example.org:443",
        "xapi.openai.com",
        "api.openai.co",
        "s3.eu-west-1.amazonaws.com",
        "bedrock-runtime.eu-west-1.amazonaws.com.evil.example",
        "storage.googleapis.com",
        "",
        ":443",
        "[::1]:443",
    ],
)
def test_host_that_only_looks_like_a_provider_is_not_one(host: str) -> None:
    assert known_provider(host) is None


def test_no_known_host_has_a_port_a_capital_or_a_path() -> None:
    assert [host for host in KNOWN_HOSTS if host != host.lower() or {":", "/"} & set(host)] == []


@pytest.mark.parametrize(
    "name",
    ["localhost", "vllm", "gpu-1.internal", "printer.local", "127.0.0.1", "10.1.2.3",
     "192.168.0.7", "172.16.0.1", "172.31.255.1", "[::1]", "[fd00::1]"],
)  # fmt: skip
def test_own_machine_and_network_are_local(name: str) -> None:
    assert is_local(name)


@pytest.mark.parametrize(
    "name",
    ["172.32.0.1", "172.15.0.1", "11.0.0.1", "192.169.0.1", "127.0.0.1.nip.io", "example.com",
     "10.example.com", "[2001:db8::1]"],
)  # fmt: skip
def test_public_host_is_not_local(name: str) -> None:
    assert not is_local(name)


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("localhost:11434", "ollama"),
        ("192.168.0.7:1234", "lm_studio"),
        ("localhost:8000", None),
        ("ollama.example.com:11434", None),
    ],
)
def test_usual_port_tells_a_server_of_ones_own_only(host: str, server: str | None) -> None:
    assert local_server(host) == server


def test_entry_with_a_port_outranks_the_host_alone() -> None:
    found = parse_host_map("GPU-1=hosted_vllm, gpu-1:9000=by-model")

    assert (found.find("gpu-1:9000"), found.find("gpu-1:8000")) == (BY_MODEL, "hosted_vllm")
    assert found.find("gpu-2:9000") is None


def test_address_in_brackets_keeps_its_colons() -> None:
    found = HostMap({"[fd00::1]": "ollama", "[fd00::2]:80": "openai"})

    assert found.find("[fd00::1]:8080") == "ollama"
    assert found.find("[fd00::2]") is None


@pytest.mark.parametrize("text", ["gateway", "=openai", "gateway=", "a=b,gateway", " = "])
def test_entry_that_cannot_be_read_is_quoted(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected host\[:port\]=provider"):
        parse_host_map(text)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("anthropic/claude-x", "anthropic"),
        ("google/gemini-2.5-flash", "gemini"),
        ("meta-llama/Llama-3", "unmapped"),
        ("gpt-4o", "openai"),
        ("ft:gpt-4o:acme", "openai"),
        ("command-r", "cohere"),
        ("", "unmapped"),
        (None, "unmapped"),
        ("/gpt-4o", "openai"),
    ],
)
def test_gateway_tells_the_provider_by_the_model(model: str | None, provider: str) -> None:
    assert provider_of_model(model) == provider
    assert provider in {*KNOWN_PROVIDERS, "unmapped"}
