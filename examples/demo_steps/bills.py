"""The bills of this month, each in its own format, and the rates agreed with one provider."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from examples.demo_steps.simulated import CONTRACT
from examples.demo_steps.stage import Stage

GEMINI_TOTAL = "100.00"
_CREDITED_PART = 21
"""Gemini gives back a 21st of each line of the 105.00 at agreed rates: whole cents, 5.00 in all."""
# provider -> (file, kind of document that the simulator writes)
_DOCUMENTS = {
    "gemini": ("gemini.csv", "csv"),
    "openai": ("openai-costs.json", "openai_costs"),
    "anthropic": ("anthropic-cost-report.json", "anthropic_cost_report"),
}


def set_contract_rates(stage: Stage, period: str) -> None:
    """Tells what was agreed with Gemini; without this its calls are priced at list prices."""
    for model, rates in CONTRACT.items():
        options = [word for term, rate in rates.items() for word in (f"--{term}", rate)]
        since = ("--from", f"{period}-01", "--reason", "framework contract")
        stage.anchor("prices", "set", model, "--provider", "gemini", *options, *since)


def import_invoices(stage: Stage, period: str) -> None:
    """Fetches what each provider bills for the period, and imports it."""
    folder = stage.state / "invoices"
    folder.mkdir(exist_ok=True)
    for provider, (name, kind) in _DOCUMENTS.items():
        document = stage.simulator.invoice(kind, provider=provider, period=period, total="auto")
        if provider == "gemini":
            document = _with_credits(document)
        (folder / name).write_text(document, encoding="utf-8")
        stage.anchor("invoices", "import", str(folder / name))


def _with_credits(bill: str) -> str:
    """The CSV bill with a credit for each of its lines, as Google's export has them."""
    lines = list(csv.DictReader(io.StringIO(bill)))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow(line)
        writer.writerow(line | _credit_of(line))
    return text.getvalue()


def _credit_of(line: dict[str, str]) -> dict[str, str]:
    """What differs between a line and its credit."""
    return {
        "line_id": f"{line['line_id']}-credit",
        "description": f"promotional credit, {line['description']}",
        "meter": "",
        "quantity": "",
        "quantity_unit": "",
        "amount": str(-Decimal(line["amount"]) / _CREDITED_PART),
        "charge_category": "credit",
    }
