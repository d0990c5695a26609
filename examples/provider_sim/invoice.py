"""Writes an invoice of a running simulator to a file: `python -m examples.provider_sim.invoice`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.provider_sim.client import Simulator, SimulatorError


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.provider_sim.invoice",
        description="Print what a running simulator billed as a provider's invoice.",
        epilog="example: python -m examples.provider_sim.invoice --url http://127.0.0.1:8000 "
        "--kind csv --provider gemini --total 100.00 --out gemini.csv",
    )
    parser.add_argument("--url", required=True, help="any base url of the simulator")
    kinds = ("openai_costs", "anthropic_cost_report", "csv")
    parser.add_argument("--kind", default="csv", choices=kinds)
    parser.add_argument("--provider", help="who invoices; needed for csv")
    parser.add_argument("--period", metavar="YYYY-MM", help="only this month (UTC)")
    parser.add_argument("--project", help="only this project")
    parser.add_argument("--total", help="scale to this amount, to the cent; auto = round the sum")
    parser.add_argument("--invoice-id", help="number of the invoice (csv)")
    parser.add_argument("--out", type=Path, help="file to write; default: standard output")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the invoice; return 0, or 2 with one line on stderr when it cannot be made."""
    options = _parse(arguments)
    names = ("provider", "period", "project", "total", "invoice_id")
    query = {name: value for name in names if (value := getattr(options, name)) is not None}
    try:
        text = Simulator({"all": options.url.rstrip("/")}).invoice(options.kind, **query)
    except (SimulatorError, OSError) as error:
        print(f"No invoice: {error}", file=sys.stderr)
        return 2
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
