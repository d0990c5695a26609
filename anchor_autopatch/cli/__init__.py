"""The `anchor` command.

One module per group of subcommands, each imported only when it is the one asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from anchor_autopatch import __version__
from anchor_autopatch.core.errors import AnchorError

CLEAN = 0
FINDINGS = 1
"""Done, and something printed needs a person."""
COULD_NOT_RUN = 2


class Command(NamedTuple):
    """A subcommand: where it lives and the line that `anchor --help` shows."""

    module: str
    summary: str


COMMANDS = {
    "run": Command("hook.command", "run a program and its children with the hook on"),
    "hook": Command("hook.command", "print the folder that goes on PYTHONPATH"),
    "install": Command("hook.command", "switch the hook on in this environment's site-packages"),
    "uninstall": Command("hook.command", "remove what `anchor install` wrote"),
    "doctor": Command("doctor", "say what is captured here, what is not, and why"),
    "policy": Command(
        "policy.command", "check anchor.toml; see and release what it holds; sign headers"
    ),
    "ship": Command("ship", "move receipts from the outboxes to the warehouse, exactly once"),
    "prices": Command("prices.command", "list prices: sync, diff, show, set, start"),
    "invoices": Command("invoices", "provider invoices: import, pull, add, list"),
    "reconcile": Command(
        "reconcile", "the cron line: ship, price, anchor to the invoices, publish"
    ),
    "report": Command("report.command", "print the split of the bill"),
    "close": Command("close.command", "close a month: review, sign-off, freeze, corrections"),
    "export": Command("export", "write FOCUS, CSV, Parquet or the journal for other tools"),
    "audit": Command("audit", "say whether a charge can be defended, and what would mend it"),
    "incidents": Command("incidents", "what fails, since when, whom it hits; ack, silence"),
    "alerts": Command("alerts", "prove that each sink is told; list what was sent"),
    "watch": Command("watch", "side-car: raise incidents and tell of them within seconds"),
    "verify": Command("verify", "prove the whole chain again, from outboxes to report"),
    "archive": Command("archive", "copy whole days into Parquet files that are proven by digest"),
    "purge": Command("archive", "remove what is archived and past its term; --dry-run"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one `anchor` command and returns its exit code: 0 clean, 1 findings, 2 could not run."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except AnchorError as error:
        print(f"anchor: {error}", file=sys.stderr)
        return COULD_NOT_RUN
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        print(f"anchor: {_missing(arguments[0], missing)}", file=sys.stderr)
        return COULD_NOT_RUN
    except BrokenPipeError:
        # The reader of our output left (`anchor report | head`): nothing failed.
        sys.stderr.close()
        return CLEAN
    except KeyboardInterrupt:
        return 130


_EXTRAS = {"duckdb": "job", "requests": "job", "litellm": "job", "rich": "job"}


def _missing(command: str, module: str) -> str:
    return (
        f"{command!r} needs {module}, which this environment has not; "
        f"pip install 'anchor-autopatch[{_EXTRAS[module]}]'"
    )


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anchor",
        description="AI provider bills, split per application, to the cent.",
        epilog="example: anchor run -- python app.py, then: anchor reconcile && anchor report",
    )
    parser.add_argument("--version", action="version", version=f"anchor {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        if name == asked:
            module = import_module(f"anchor_autopatch.cli.{command.module}")
            module.add_parser(commands, name, command.summary)
        else:
            commands.add_parser(name, help=command.summary, add_help=False)
    return parser
