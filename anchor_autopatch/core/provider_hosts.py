"""The hosts of providers that invoice under their own name: data, extended in `anchor.toml`.

Names are LiteLLM's provider names. Sources: the default base URLs of the SDKs, of LiteLLM 1.106.2
and 1.109.1 with its list of OpenAI-compatible providers, recorded calls, and the clouds' lists of
endpoints by region (read 2026-11).

A gateway that passes calls on under the caller's own keys (Portkey, LiteLLM's proxy, Cloudflare's
AI gateway) sends no invoice for tokens and is not listed: its operator maps it, often `by-model`.
"""

from __future__ import annotations

import re

KNOWN_HOSTS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "vertex_ai",
    "api.x.ai": "xai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "codestral.mistral.ai": "codestral",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.novita.ai": "novita",
    "api.moonshot.ai": "moonshot",
    "api.ai21.com": "ai21",
    "integrate.api.nvidia.com": "nvidia_nim",
    "ai.api.nvidia.com": "nvidia_nim",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "dashscope-us.aliyuncs.com": "dashscope",
    "models.github.ai": "github",
    "ai-gateway.vercel.sh": "vercel_ai_gateway",
    "router.huggingface.co": "huggingface",
    "api-inference.huggingface.co": "huggingface",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "bigmodel",
    "api.voyageai.com": "voyage",
    "ai.mongodb.com": "voyage",
    "ollama.com": "ollama",
    "api.writer.com": "writer",
    "api.cloudflare.com": "cloudflare",
    "api.inference.crusoecloud.com": "crusoe",
    "managed-inference-api-proxy.crusoecloud.com": "crusoe",
    "api.replicate.com": "replicate",
    "api.aleph-alpha.com": "aleph_alpha",
    "api.avian.io": "avian",
    "api.endpoints.anyscale.com": "anyscale",
    "inference.baseten.co": "baseten",
    "model-api.baseten.co": "baseten",
    "api.friendli.ai": "friendliai",
    "api.featherless.ai": "featherless_ai",
    "inference.api.nscale.com": "nscale",
    "api.studio.nebius.ai": "nebius",
    "api.studio.nebius.com": "nebius",
    "api.tokenfactory.nebius.com": "nebius",
    "api-inference.modelscope.cn": "modelscope",
    "api.moonshot.cn": "moonshot",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "api.lambda.ai": "lambda_ai",
    "api.inceptionlabs.ai": "inception",
    "api.inference.wandb.ai": "wandb",
    "api.v0.dev": "v0",
    "api.morphllm.com": "morph",
    "llm.chutes.ai": "chutes",
    "api.poe.com": "poe",
    "nano-gpt.com": "nano-gpt",
    "api.synthetic.new": "synthetic",
    "api.publicai.co": "publicai",
    "api.llama.com": "meta_llama",
    "api.meta.ai": "meta",
    "api.galadriel.com": "galadriel",
    "app.empower.dev": "empower",
    "api.edenai.run": "edenai",
    "api.clarifai.com": "clarifai",
    "api.venice.ai": "veniceai",
    "api.scaleway.ai": "scaleway",
    "api.gmi-serving.com": "gmi",
    "aihubmix.com": "aihubmix",
    "api.xiaomimimo.com": "xiaomi_mimo",
    "api.sarvam.ai": "sarvam",
    "llm-gateway.assemblyai.com": "assemblyai",
    "api.llamagate.dev": "llamagate",
    "api.parasail.io": "parasail",
    "api.libertai.io": "libertai",
    "serverless.tensormesh.ai": "tensormesh",
    "api.reka.ai": "reka",
    "api.cognition.ai": "cognition",
    "api.cortecs.ai": "cortecs",
    "api.scx.ai": "scx-ai",
    "api.sailresearch.com": "sail",
    "pinstripes.io": "pinstripes",
    "ai-gateway.helicone.ai": "helicone",
    "gigachat.devices.sberbank.ru": "gigachat",
    "ark.cn-beijing.volces.com": "volcengine",
    "api.lkeap.cloud.tencent.com": "tencent",
    "api.elevenlabs.io": "elevenlabs",
    "api.deepgram.com": "deepgram",
    "api.stability.ai": "stability",
    "fal.run": "fal_ai",
    "queue.fal.run": "fal_ai",
    "api.jina.ai": "jina_ai",
    "api.githubcopilot.com": "github_copilot",
    "models.inference.ai.azure.com": "github",
    "api.aimlapi.com": "aiml",
    "api.cometapi.com": "cometapi",
    "api.compactif.ai": "compactifai",
    "api.nova.amazon.com": "amazon_nova",
    "chat.maritaca.ai": "maritalk",
    "inference.do-ai.run": "gradient_ai",
    "oai.endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "serving.app.predibase.com": "predibase",
    "tokenhub-intl.tencentcloudmaas.com": "tencent",
    "api.stima.tech": "apertis",
    "api.abliteration.ai": "abliteration",
    "api.charityengine.services": "charity_engine",
    "api.darkbloom.dev": "darkbloom",
    "api.neosantara.xyz": "neosantara",
    "api.empiriolabs.ai": "empiriolabs",
    "api.prisminference.com": "prism",
    "api.nlpcloud.io": "nlp_cloud",
    "api.bytez.com": "bytez",
    "api.manus.im": "manus",
    "api.soniox.com": "soniox",
    "external.api.recraft.ai": "recraft",
    "api.bfl.ai": "black_forest_labs",
    "app.datarobot.com": "datarobot",
    "us.inference.heroku.com": "heroku",
    "model-runner.docker.internal": "docker_model_runner",
}

# Suffix -> provider, for hosts with a resource, region or workspace in front.
KNOWN_SUFFIXES = (
    (".api.openai.com", "openai"),
    (".api.x.ai", "xai"),
    (".openai.azure.com", "azure"),
    (".openai.azure.us", "azure"),
    (".openai.azure.cn", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".cognitiveservices.azure.us", "azure"),
    (".cognitiveservices.azure.cn", "azure"),
    (".services.ai.azure.com", "azure_ai"),
    (".models.ai.azure.com", "azure_ai"),
    (".inference.ai.azure.com", "azure_ai"),
    (".inference.ml.azure.com", "azure_ai"),
    ("-aiplatform.googleapis.com", "vertex_ai"),
    (".cloud.databricks.com", "databricks"),
    (".azuredatabricks.net", "databricks"),
    (".gcp.databricks.com", "databricks"),
    (".snowflakecomputing.com", "snowflake"),
    (".ml.cloud.ibm.com", "watsonx"),
    (".ml.hana.ondemand.com", "sap"),
    (".endpoints.huggingface.cloud", "huggingface"),
    (".api.baseten.co", "baseten"),
    (".direct.fireworks.ai", "fireworks_ai"),
    (".githubcopilot.com", "github_copilot"),
)

_AWS = r"(?:amazonaws\.com(?:\.cn)?|api\.aws)"
# Clouds whose domain serves all that they sell, storage too: the service and region decide.
KNOWN_PATTERNS = tuple(
    (re.compile(pattern + r"\Z"), provider)
    for pattern, provider in (
        (r"(?:.+\.)?bedrock[a-z-]*\.[a-z]{2,4}(?:-[a-z]+)+-\d+\.(?:vpce\.)?" + _AWS, "bedrock"),
        (r"runtime\.sagemaker\.[a-z0-9-]+\." + _AWS, "sagemaker"),
        (r"aiplatform\.[a-z0-9-]+\.rep\.googleapis\.com", "vertex_ai"),
        (r"inference\.generativeai\.[a-z0-9-]+\.oci\.oraclecloud\.com", "oci"),
    )
)

LOCAL_PORTS = {"11434": "ollama", "1234": "lm_studio"}
"""Model servers of one's own by the port that they take when nobody chooses another.

They count on this machine and its network only; vLLM's 8000 is anybody's and has to be mapped.
"""

KNOWN_PROVIDERS = frozenset(
    (
        *KNOWN_HOSTS.values(),
        *(provider for _, provider in KNOWN_SUFFIXES),
        *(provider for _, provider in KNOWN_PATTERNS),
        *LOCAL_PORTS.values(),
        # Where no host tells it: a model server of one's own.
        "hosted_vllm",
    )
)

TELL_UNASKED = frozenset(
    (
        "codestral",
        "cohere",
        "databricks",
        "groq",
        "huggingface",
        "mistral",
        "perplexity",
        "snowflake",
    )
)
"""Providers whose chat streams end with usage whether it was asked for or not."""
