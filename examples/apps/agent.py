"""Answers questions about orders: finds notes, plans the steps, then writes the answer.

Started by `python agent.py "ada: Where is order 1815?" "grace: Can I return a bell?"`. Its models
are asked through LiteLLM. It has always recorded every answer by hand (`log_cost`); that call site
stays as it is, whether or not the calls are captured by themselves.
"""

from __future__ import annotations

import sys
from typing import Any

import litellm

import anchor_autopatch

PLANNER = "openai/gpt-4o"
writers = litellm.Router(
    model_list=[{"model_name": "writer", "litellm_params": {"model": "openai/gpt-4o-mini"}}],
    num_retries=1,
)


def log_cost(response: Any) -> Any:
    """Records an answer, as this program did before its calls were captured."""
    anchor_autopatch.record(response)
    return response


def find_notes(question: str) -> int:
    """How many notes of the shop are near to a question."""
    found = log_cost(litellm.embedding(model="openai/text-embedding-3-small", input=[question]))
    return len(found.data)


def plan(question: str, notes: int) -> str:
    """The steps that lead to an answer, one a line."""
    wanted = f"List the steps that answer this, with {notes} notes at hand: {question}"
    turns = [{"role": "user", "content": wanted}]
    answer = log_cost(litellm.completion(model=PLANNER, messages=turns))
    return answer.choices[0].message.content


def write(question: str, steps: str) -> str:
    """The answer, received as it is written."""
    turns = [{"role": "system", "content": steps}, {"role": "user", "content": question}]
    pieces = list(writers.completion(model="writer", messages=turns, stream=True))
    whole = log_cost(litellm.stream_chunk_builder(pieces, messages=turns))
    return whole.choices[0].message.content


def answer(user: str, question: str) -> str:
    """Answers one question on behalf of a user."""
    with anchor_autopatch.attribute(user_id=user, feature="order-questions"):
        steps = plan(question, find_notes(question))
        return write(question, steps)


def main(questions: list[str]) -> int:
    """Prints the answers; returns 0."""
    for line in questions:
        user, _, question = line.partition(": ")
        print(f"{user}: {answer(user, question)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
