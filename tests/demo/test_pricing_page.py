"""docs/pricing.md: every command of it works, in the order of the page, and does what it says."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.cli.policy.job_sections import problems
from anchor_autopatch.core.policy.checking import check_config
from anchor_autopatch.job.pricing import hold_against_cards
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.relations import open_report
from anchor_autopatch.job.warehouse import open_warehouse
from tests.demo.conftest import CHECKOUT
from tests.job.billed import bill
from tests.job.priced import NOW, add, cost, run

PAGE = (CHECKOUT / "docs" / "pricing.md").read_text(encoding="utf-8")
NOW_US = 1_795_000_000_000_000
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 0,
    "total_tokens": 1000,
    "prompt_tokens_details": {"cached_tokens": 400},
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


COMMANDS = [line[2:] for block in blocks("console") for line in block.splitlines()]


def save_tables(folder: Path) -> None:
    """The three tables that the page names: dear in September, then cheaper month by month."""
    rates = (("september", "5e-6"), ("october", "4e-6"), ("november", "3e-6"))
    for month, rate in rates:
        entry = {
            "litellm_provider": "openai",
            "input_cost_per_token": float(rate),
            "output_cost_per_token": float(rate) * 4,
            "cache_read_input_token_cost": float(rate) / 10,
        }
        (folder / f"prices-{month}.json").write_text(json.dumps({"gpt-4o": entry}))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    return tmp_path / "home"


def follow(command: str) -> int:
    _anchor, *arguments = shlex.split(command)
    return main(arguments)


def test_commands_of_the_page_price_each_day_as_it_says(home: Path) -> None:
    *setup, diff, against = COMMANDS
    codes = [follow(command) for command in setup]

    with open_warehouse(home) as con:
        for day in ("2026-10-13", "2026-10-14", "2026-10-25"):
            add(con, day, occurred_at=datetime.fromisoformat(day), usage=USAGE)
        run(con)
        costs = [cost(con, day) for day in ("2026-10-13", "2026-10-14", "2026-10-25")]

    assert codes == [0] * len(setup)
    # September's rates, October's since the day that was typed, the contract over October's list.
    assert costs == [Decimal("0.0032"), Decimal("0.00256"), Decimal("0.00136")]
    assert follow(diff) == 1
    # Both lists have the same of gpt-4o today, and October's rates are no longer in force.
    assert follow(against) == 0


def test_sections_of_the_page_have_no_mistake() -> None:
    config = tomllib.loads("".join(blocks("toml")))

    assert {*config} == {"models", "prices"}
    assert check_config(config, NOW_US) == []
    assert [*problems(config)] == []


def test_query_of_the_page_names_the_bill_and_both_prices(home: Path) -> None:
    follow("anchor prices sync --file prices-october.json --seen 2026-10-01")
    row = "O-1,openai,2026-10,gpt-4o,input,10000000,50.00,USD"
    header = "invoice_id,provider,period,model,meter,quantity,amount,currency"
    with open_warehouse(home) as con:
        bill(con, home, row, header=header)
        hold_against_cards(con, NOW, Decimal(1))
        publish(con, home, NOW)

    (query,) = blocks("sql")
    with open_report(home) as con:
        found = con.execute(query).fetchall()

    assert found == [("O-1", "gpt-4o", "input", 5, 4, Decimal("1.25"))]
