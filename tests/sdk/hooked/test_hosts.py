"""Who invoices a call of the openai SDK, by the address that it is told to call: every row."""

from __future__ import annotations

import importlib

import openai
import pytest

from anchor_autopatch.core import provider_hosts
from anchor_autopatch.host.capture import sites
from tests.sdk.hooked import tapes

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ANSWER = {"id": "c1", "object": "chat.completion", "model": "m", "choices": [], "usage": USAGE}
ASK = [{"role": "user", "content": "hello"}]
# As each provider's documentation tells users of the openai SDK to write it (read 2026-11).
BASE_URLS = {
    "https://acme.openai.azure.com/openai/v1/": "azure",
    "https://acme.cognitiveservices.azure.com/openai/v1/": "azure",
    "https://acme.services.ai.azure.com/openai/v1/": "azure_ai",
    "https://acme.openai.azure.us/openai/v1/": "azure",
    "https://acme.openai.azure.cn/openai/v1/": "azure",
    "https://eu.api.openai.com/v1": "openai",
    "https://us-east-1.api.x.ai/v1": "xai",
    "https://api.x.ai/v1": "xai",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.deepseek.com": "deepseek",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.mistral.ai/v1": "mistral",
    "https://api.together.xyz/v1": "together_ai",
    "https://api.fireworks.ai/inference/v1": "fireworks_ai",
    "https://acme-1a2b.direct.fireworks.ai/v1": "fireworks_ai",
    "https://api.perplexity.ai": "perplexity",
    "https://generativelanguage.googleapis.com/v1beta/openai/": "gemini",
    "https://api.cerebras.ai/v1": "cerebras",
    "https://api.sambanova.ai/v1": "sambanova",
    "https://api.deepinfra.com/v1/openai": "deepinfra",
    "https://api.novita.ai/v3/openai": "novita",
    "https://api.moonshot.ai/v1": "moonshot",
    "https://api.moonshot.cn/v1": "moonshot",
    "https://api.z.ai/api/paas/v4/": "zai",
    "https://dashscope-intl.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://dashscope-us.aliyuncs.com/compatible-mode/v1": "dashscope",
    "https://integrate.api.nvidia.com/v1": "nvidia_nim",
    "https://models.github.ai/inference": "github",
    "https://models.inference.ai.azure.com": "github",
    "https://router.huggingface.co/v1": "huggingface",
    "https://x1.us-east-1.aws.endpoints.huggingface.cloud/v1": "huggingface",
    "https://adb-1.2.azuredatabricks.net/serving-endpoints": "databricks",
    "https://dbc-1.cloud.databricks.com/serving-endpoints": "databricks",
    "https://1.gcp.databricks.com/serving-endpoints": "databricks",
    "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi": (
        "vertex_ai"
    ),
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi": (
        "vertex_ai"
    ),
    "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/endpoints/openapi": "vertex_ai",
    "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1": "bedrock",
    "https://bedrock-mantle.us-east-1.api.aws/v1": "bedrock",
    "https://vpce-1-x.bedrock-runtime.eu-west-1.vpce.amazonaws.com/openai/v1": "bedrock",
    "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/e": "sagemaker",
    "https://api.cloudflare.com/client/v4/accounts/a/ai/v1": "cloudflare",
    "https://acme.snowflakecomputing.com/api/v2/cortex/v1": "snowflake",
    "https://us-south.ml.cloud.ibm.com/ml/gateway/v1": "watsonx",
    "https://inference.generativeai.us-chicago-1.oci.oraclecloud.com/openai/v1": "oci",
    "https://api.ai.prod.aws.ml.hana.ondemand.com/v2": "sap",
    "https://model-1.api.baseten.co/v1": "baseten",
    "https://api.business.githubcopilot.com": "github_copilot",
    "https://acme.models.ai.azure.com/v1": "azure_ai",
    "https://acme.eastus.inference.ai.azure.com/v1": "azure_ai",
    "https://acme.eastus.inference.ml.azure.com/v1": "azure_ai",
    "https://acme.cognitiveservices.azure.us/openai/v1": "azure",
    "https://acme.cognitiveservices.azure.cn/openai/v1": "azure",
    "http://localhost:11434/v1": "ollama",
    "http://ollama:11434/v1": "ollama",
    "http://192.168.1.20:1234/v1": "lm_studio",
    "http://model-runner.docker.internal/engines/v1": "docker_model_runner",
    # vLLM's port is anybody's, gateways pass on keys of the caller's: their operators map them.
    "http://localhost:8000/v1": "unmapped",
    "http://vllm.example.org:11434/v1": "unmapped",
    "https://gateway.ai.cloudflare.com/v1/a/g/compat": "unmapped",
    "https://llm.example.org/v1": "unmapped",
    # All of a cloud's domain is not its models.
    "https://bedrock.s3.amazonaws.com/v1": "unmapped",
    "https://api.openai.com.example.org/v1": "unmapped",
}
ROWS = BASE_URLS | {f"https://{h}/v1": name for h, name in provider_hosts.KNOWN_HOSTS.items()}


@pytest.fixture(scope="module")
def _client():
    library = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"
    http = importlib.import_module(library).Client(transport=tapes.transport(library, ANSWER))
    with openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
def ask(home, monkeypatch, _client):
    """Makes a chat call to a base URL; nothing is mapped but what is given."""

    def asked(base_url, mapped=""):
        monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", mapped)
        sites.forget()
        client = _client.with_options(base_url=base_url)
        return client.chat.completions.create(model="anthropic/some", messages=ASK)

    return asked


@pytest.mark.parametrize("base_url", ROWS)
def test_host_says_who_invoices(ask, one_receipt, base_url):
    ask(base_url)

    receipt = one_receipt()
    host = base_url.partition("://")[2].partition("/")[0]
    assert (receipt.provider, receipt.provider_host) == (ROWS[base_url], host)
    assert receipt.billable == 1


def test_every_suffix_and_pattern_has_a_row():
    hosts = [url.partition("://")[2].partition("/")[0] for url in BASE_URLS]
    unseen = [s for s, _ in provider_hosts.KNOWN_SUFFIXES if not any(h.endswith(s) for h in hosts)]
    unseen += [
        p.pattern for p, _ in provider_hosts.KNOWN_PATTERNS if not any(p.match(h) for h in hosts)
    ]

    assert unseen == []


@pytest.mark.parametrize(
    ("mapped", "provider"),
    [("hosted_vllm", "hosted_vllm"), ("by-model", "anthropic"), ("sdk", "openai")],
)
def test_map_of_the_operator_names_other_hosts(ask, one_receipt, mapped, provider):
    ask("http://localhost:8000/v1", f"localhost:8000={mapped}")

    assert one_receipt().provider == provider


def test_map_outranks_the_guess_by_port(ask, one_receipt):
    ask("http://localhost:11434/v1", "localhost=hosted_vllm")

    assert one_receipt().provider == "hosted_vllm"


def test_map_does_not_rename_a_public_host(ask, one_receipt):
    ask("https://api.groq.com/openai/v1", "api.groq.com=openai")

    assert one_receipt().provider == "groq"


def test_anchor_toml_names_hosts_too(ask, home, one_receipt):
    (home / "anchor.toml").write_text('[hosts]\n"llm.example.org" = "mistral"\n', encoding="utf-8")

    ask("https://llm.example.org/v1")

    assert one_receipt().provider == "mistral"
