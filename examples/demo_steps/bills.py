"""The bills of this month, each in its own format, and the rates agreed with one provider."""

from __future__ import annotations

from examples.demo_steps.simulated import CONTRACT
from examples.demo_steps.stage import Stage

GEMINI_TOTAL = "100.00"
# provider -> (file, kind of document that the simulator writes, the total that it bills)
_DOCUMENTS = {
    "gemini": ("gemini.csv", "csv", GEMINI_TOTAL),
    "openai": ("openai-costs.json", "openai_costs", "auto"),
    "anthropic": ("anthropic-cost-report.json", "anthropic_cost_report", "auto"),
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
    for provider, (name, kind, total) in _DOCUMENTS.items():
        document = stage.simulator.invoice(kind, provider=provider, period=period, total=total)
        (folder / name).write_text(document, encoding="utf-8")
        stage.anchor("invoices", "import", str(folder / name))
