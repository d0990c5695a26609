"""Tokens of a call whose provider told none, from what was counted of its texts; openly a guess.

A stream that is left or broken early has no usage, yet what was generated is billed. The host then
counts characters sent and seen, and chunks seen. The ratios are the providers' own rules of thumb
for English: about 4 characters a token (OpenAI, "What are tokens and how to count them"; Gemini
API, "Understand and count tokens"), 3.5 for Claude (Anthropic's glossary, "Tokens"); read 2026-11.
Thoughts that a model did not show are not in it, nor is what it generated after it was left.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from anchor_autopatch.job.meters.fields import Json, count
from anchor_autopatch.job.meters.record import INPUT_METERS, OUTPUT_METERS, Meters

_PER_TOKEN = Decimal(4)
_PER_TOKEN_OF = {"anthropic.messages": Decimal("3.5")}
"""Characters of a token, by usage shape; without usage there is none, and the model is unknown."""


def with_estimate(meters: Meters, shape: str | None, facts: Json) -> Meters:
    """The meters, with an estimate of the side (input, output) that the provider told nothing of.

    Told counts are never touched. Returns the meters as they are where nothing was counted.
    """
    sent, seen = count(facts, "sent_characters"), count(facts, "seen_characters")
    chunks = count(facts, "seen_chunks")
    ratio = _PER_TOKEN_OF.get(shape or "", _PER_TOKEN)
    read = None if sent is None or _told(meters, INPUT_METERS) else _tokens(sent, ratio)
    made = None
    if chunks is not None and not _told(meters, OUTPUT_METERS):
        # A chunk holds one token at least, whatever its language.
        made = max(_tokens(seen or 0, ratio), chunks)
    if read is None and made is None:
        return meters
    names = ("input_tokens",) * (read is not None) + ("output_tokens",) * (made is not None)
    found = meters._replace(
        input_tokens=meters.input_tokens if read is None else read,
        output_tokens=meters.output_tokens if made is None else made,
        estimated_meters=", ".join(names),
    )
    return found._replace(
        prompt_tokens=_sum(found, INPUT_METERS),
        total_tokens=_sum(found, (*INPUT_METERS, *OUTPUT_METERS, "unbilled_tokens")),
    )


def _told(meters: Meters, names: tuple[str, ...]) -> bool:
    return bool(_sum(meters, names))


def _sum(meters: Meters, names: tuple[str, ...]) -> int:
    return sum(getattr(meters, name) or 0 for name in names)


def _tokens(characters: int, per_token: Decimal) -> int:
    """Rounded up: a part of a token is billed as one."""
    return int((Decimal(characters) / per_token).to_integral_value(ROUND_CEILING))
