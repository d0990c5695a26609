"""`make demo`: applications, their bills, the split to the cent; leaves its state to look at.

Everything runs on this machine: a simulator answers in the place of the providers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
# As a script this file has examples/ on its path, not the checkout that the packages lie in.
sys.path[0] = str(CHECKOUT)

from anchor_autopatch.core.errors import AnchorError  # noqa: E402
from examples.demo_steps import applications, bills, proofs, simulated  # noqa: E402
from examples.demo_steps.questions import read_questions  # noqa: E402
from examples.demo_steps.screen import chapter, line, table  # noqa: E402
from examples.demo_steps.stage import (  # noqa: E402
    APPLICATION_PYTHON,
    DemoError,
    Stage,
    new_state,
    relative,
)
from examples.provider_sim import client  # noqa: E402


def main() -> int:
    """Returns 0 when all that was shown holds, 1 when something does not, 2 when it cannot run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--list-prices", action="store_true", help="price by LiteLLM's table alone, no agreed rates"
    )
    asked = parser.parse_args()
    if not APPLICATION_PYTHON.exists():
        print("The applications have no environment yet; make it with: make demo", file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        state = new_state()
        with client.running() as simulator:
            stage = Stage(state, simulator)
            _play(stage, agreed_rates=not asked.list_prices)
        _say_what_to_type_next(stage, time.monotonic() - start)
    except (DemoError, AnchorError, client.SimulatorError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def _play(stage: Stage, *, agreed_rates: bool) -> None:
    simulated.prepare(stage.simulator)
    chapter(
        1,
        "Four applications call their providers",
        "They know nothing of us, but for one old line in the agent: the hook is on their "
        "PYTHONPATH, that is all. A simulator on this machine stands for the providers; each of "
        "its calls carries the usage of hundreds, so that the bills are worth splitting.",
    )
    applications.run_all(stage)
    written = proofs.receipts_written(stage)
    ledger = stage.simulator.ledger()
    (stage.state / "ledger.json").write_text(json.dumps(ledger, indent=1), encoding="utf-8")
    period = _period(ledger)

    chapter(
        2,
        f"The providers send their bills for {period}",
        "Each in a format of its own. Rates were agreed with Gemini; everything else is priced by "
        "LiteLLM's table.",
    )
    if agreed_rates:
        bills.set_contract_rates(stage, period)
    bills.import_invoices(stage, period)

    chapter(3, "The line for cron: ship, price, anchor to the bills, publish")
    # Without the agreed rates the Gemini bill is far from its estimate, and that is told.
    stage.anchor("reconcile", may_find=not agreed_rates)

    chapter(4, "Who pays what")
    stage.anchor("report")

    chapter(5, "Does it add up?")
    proofs.compare_sums(stage)
    proofs.compare_counts(stage, written)

    chapter(6, "What failed?")
    proofs.show_failure(stage)

    chapter(7, f"Five questions to {relative(str(stage.report))}")
    for question in read_questions():
        line(question.text)
        print(f"\n{question.indented()}")
        columns, rows = stage.query(question.sql)
        table(columns, rows)
        if not rows:
            raise DemoError(f"No answer to: {question.text}")


def _period(ledger: list[dict[str, Any]]) -> str:
    months = {row["at"][:7] for row in ledger}
    if len(months) != 1:
        raise DemoError("A month ended while the applications ran; run it again")
    return months.pop()


def _say_what_to_type_next(stage: Stage, seconds: float) -> None:
    home = relative(str(stage.state))
    print(f"\nAll of it holds; it took {seconds:.0f} s. What to type next:\n")
    for command, why in (
        (f"ANCHOR_HOME={home} .venv/bin/anchor report", "the split once more"),
        (f"ANCHOR_HOME={home} .venv/bin/anchor invoices list", "the bills that were imported"),
        ("less README.md", "how to switch it on for your own programs"),
        ("make test", "the tests"),
    ):
        print(f"   {command:<51} {why}")


if __name__ == "__main__":
    raise SystemExit(main())
