"""What LiteLLM's own functions say that a case costs."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal


class Oracle:
    """LiteLLM with the table of its package; import it with warnings off."""

    def __init__(self):
        import litellm
        from litellm.litellm_core_utils.llm_cost_calc import utils

        litellm.suppress_debug_info = True
        self._litellm = litellm
        self._clock = utils

    def cost(self, case):
        """USD, from LiteLLM's floats."""
        # LiteLLM prices off-peak hours by its own clock.
        billed_at = case.occurred_at.replace(tzinfo=UTC)
        self._clock.current_billing_time = lambda: billed_at
        parts = getattr(self, f"_{case.kind}")(case)
        return Decimal(repr(float(sum(parts))))

    def _tokens(self, case, usage=None, **options):
        return self._litellm.cost_per_token(
            model=case.model,
            custom_llm_provider=case.provider,
            usage_object=usage or self._usage(case.usage),
            service_tier=case.facts.get("service_tier"),
            **options,
        )

    def _batch(self, case):
        from litellm.cost_calculator import batch_cost_calculator

        usage = self._usage(case.usage)
        return batch_cost_calculator(usage, case.model, custom_llm_provider=case.provider)

    def _vertex(self, case):
        place = case.host.partition("aiplatform")[0].rstrip("-") or "global"
        if "batch" not in case.facts:
            return self._tokens(case, vertex_location=place)
        from litellm.cost_calculator import batch_cost_calculator

        usage, provider = self._usage(case.usage), case.provider
        return batch_cost_calculator(usage, case.model, provider, vertex_location=place)

    def _bedrock(self, case):
        from litellm.llms.bedrock.chat.converse_transformation import AmazonConverseConfig

        return self._tokens(case, AmazonConverseConfig().transform_usage(case.usage))

    def _anthropic(self, case):
        from litellm.llms.anthropic.chat.transformation import AnthropicConfig

        usage = AnthropicConfig().calculate_usage(case.usage, None)
        facts = {"service_tier": case.usage["service_tier"]}
        return self._tokens(case._replace(facts=facts), usage)

    def _gemini(self, case):
        from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
            VertexGeminiConfig,
        )

        body = {"usageMetadata": case.usage}
        traffic = case.usage.get("trafficType")
        if traffic:
            from litellm.cost_calculator import _map_traffic_type_to_service_tier

            tier = _map_traffic_type_to_service_tier(traffic)
            case = case._replace(facts={"service_tier": tier})
        return self._tokens(case, VertexGeminiConfig._calculate_usage(completion_response=body))

    def _openai(self, case):
        region = case.host.partition(".")[0]
        place = region if region in ("us", "eu") else None
        return self._tokens(case, data_residency=place)

    def _recorded(self, case):
        """LiteLLM's own function for the answers of this provider."""
        if case.usage_shape == "gemini.generate_content":
            return self._gemini(case)
        if case.usage_shape == "bedrock.converse":
            return self._bedrock(case)
        if case.usage_shape == "cohere.billed_units":
            return self._cohere(case)
        from litellm.cost_calculator import get_usage_object
        from litellm.llms.xai.chat.transformation import XAIChatConfig

        usage = get_usage_object({"usage": dict(case.usage)})
        if case.provider == "xai":
            XAIChatConfig.fold_reasoning_tokens_into_completion(usage)
        return self._tokens(case, usage)

    def _cohere(self, case):
        from litellm.types.utils import Usage

        # The reading of CohereV2ChatConfig, which has no function of its own for it.
        told = case.usage["tokens"]
        read, made = told["input_tokens"], told["output_tokens"]
        usage = Usage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)
        return self._tokens(case._replace(provider="cohere_chat"), usage)

    def _usage(self, fields):
        from litellm.types.utils import (
            CacheCreationTokenDetails,
            CompletionTokensDetailsWrapper,
            PromptTokensDetailsWrapper,
            Usage,
        )

        parsed = dict(fields)
        details = dict(parsed.pop("prompt_tokens_details", {}))
        by_time = details.pop("cache_creation_token_details", None)
        if by_time:
            details["cache_creation_token_details"] = CacheCreationTokenDetails(**by_time)
        if details:
            parsed["prompt_tokens_details"] = PromptTokensDetailsWrapper(**details)
        made = parsed.pop("completion_tokens_details", None)
        if made:
            parsed["completion_tokens_details"] = CompletionTokensDetailsWrapper(**made)
        return Usage(**parsed)
