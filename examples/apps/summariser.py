"""Summarises text files side by side, then writes one digest of all summaries.

Started by `python summariser.py contract.txt minutes.txt`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from anthropic import APIConnectionError, APIStatusError, AsyncAnthropic

CAREFUL = "claude-opus-4-5"
QUICK = "claude-haiku-4-5"
DIGEST = "claude-sonnet-4-5"


async def summarise(client: AsyncAnthropic, text: str, model: str) -> str:
    """The summary of one text, received as it is written."""
    question = f"Summarise this in three sentences:\n\n{text}"
    async with client.messages.stream(
        model=model, max_tokens=1_000, messages=[{"role": "user", "content": question}]
    ) as stream:
        return "".join([piece async for piece in stream.text_stream])


async def summarise_file(client: AsyncAnthropic, path: Path) -> str:
    """The summary of one file: long ones by the careful model, or by the quick one in its place."""
    text = path.read_text(encoding="utf-8")
    if len(text) < 2_000:
        return await summarise(client, text, QUICK)
    try:
        return await summarise(client, text, CAREFUL)
    except (APIStatusError, APIConnectionError) as error:
        print(f"{path.name}: {CAREFUL} failed ({type(error).__name__}), {QUICK} does it")
        return await summarise(client, text, QUICK)


async def main(paths: list[Path]) -> int:
    """Prints the digest; returns 0."""
    async with AsyncAnthropic() as client:
        summaries = await asyncio.gather(*(summarise_file(client, path) for path in paths))
        digest = await client.messages.create(
            model=DIGEST,
            max_tokens=2_000,
            messages=[{"role": "user", "content": "One paragraph:\n\n" + "\n\n".join(summaries)}],
        )
    print(f"{len(summaries)} summaries and a digest: {digest.content[0].text}")
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main([Path(name) for name in sys.argv[1:]])))
