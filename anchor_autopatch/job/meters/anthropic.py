"""Anthropic's usage object: input, cache reads and cache writes are additive, output is one total.

Source: type docstrings of anthropic 2.12.0 (Usage, BetaUsage, CacheCreation), read 2026-11.
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, part, parts, text
from anchor_autopatch.job.meters.record import TokenCount
from anchor_autopatch.job.meters.split import split_output, spread_writes


def read(usage: Json) -> TokenCount:
    """A message's usage; a stream's is message_start's with message_delta's over it."""
    tokens, fitted = _one(usage)
    for step in parts(usage, "iterations"):
        kind = text(step, "type")
        if kind == "compaction":
            # Not in the top-level counts, billed at the same model.
            added, step_fitted = _one(step)
            tokens = {name: tokens.get(name, 0) + added.get(name, 0) for name in {*tokens, *added}}
            fitted = fitted and step_fitted
    return TokenCount(tokens, None, fitted and _steps_agree(usage))


def advisor_tokens(usage: Json) -> int:
    """Tokens of an advisor, which is billed at a model of its own; beside the top-level counts."""
    if not _steps_agree(usage):
        return 0
    advice = (_one(step)[0] for step in _steps(usage, "advisor_message"))
    return sum(sum(tokens.values()) for tokens in advice)


def _steps_agree(usage: Json) -> bool:
    """False when the steps of an advised answer are not what the top level sums up.

    Then nobody knows whether the advisor is counted there, too.
    """
    if not _steps(usage, "advisor_message"):
        return True
    answered = [_one(step)[0] for step in _steps(usage, "message", "fallback_message")]
    return sum(sum(tokens.values()) for tokens in answered) == sum(_one(usage)[0].values())


def _steps(usage: Json, *kinds: str) -> list[Json]:
    return [step for step in parts(usage, "iterations") if text(step, "type") in kinds]


def _one(usage: Json) -> tuple[dict[str, int], bool]:
    produced = count(usage, "output_tokens") or 0
    thinking = count(part(usage, "output_tokens_details"), "thinking_tokens") or 0
    outputs, outputs_fit = split_output(produced, reasoning=thinking)
    writes, writes_fit = _writes(usage)
    tokens = {
        "input_tokens": count(usage, "input_tokens") or 0,
        "cache_read_tokens": count(usage, "cache_read_input_tokens") or 0,
        **writes,
        **outputs,
    }
    return tokens, outputs_fit and writes_fit


def _writes(usage: Json) -> tuple[dict[str, int], bool]:
    by_time = part(usage, "cache_creation")
    short = count(by_time, "ephemeral_5m_input_tokens") or 0
    long = count(by_time, "ephemeral_1h_input_tokens") or 0
    written = count(usage, "cache_creation_input_tokens")
    if not by_time:
        # Before the breakdown existed, five minutes was the only lifetime.
        return {"cache_write_5m_tokens": written or 0}, True
    tokens = {"cache_write_tokens": short + long if written is None else written}
    fits = spread_writes(tokens, {"cache_write_5m_tokens": short, "cache_write_1h_tokens": long})
    return tokens, fits and tokens["cache_write_tokens"] == 0
