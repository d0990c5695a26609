"""`anchor doctor`: what is captured in this environment, what is not, and why.

Exit 1 when money or evidence would go unseen.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.doctor_checks import (
    alerts,
    configuration,
    frameworks,
    homes,
    others,
    sdks,
    switch,
)
from anchor_autopatch.cli.doctor_checks.finding import PROBLEM
from anchor_autopatch.cli.output import print_json, print_table


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds `anchor doctor`."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor doctor --json"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    found = [
        *switch.check(),
        *sdks.check(),
        *others.check(),
        *frameworks.check(),
        *configuration.check(),
        *homes.check(time.time()),
        *alerts.check(time.time()),
    ]
    if parsed.json:
        print_json([asdict(finding) for finding in found])
    else:
        rows = [(finding.status, finding.subject, finding.text) for finding in found]
        print_table("anchor doctor", ("status", "what", "finding"), rows)
    return FINDINGS if any(finding.status == PROBLEM for finding in found) else CLEAN
