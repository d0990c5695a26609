"""The `anchor` command.

One module per group of subcommands, each imported only when it is the one asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

from anchor_autopatch import __version__
from anchor_autopatch.cli.parsing import OneLineParser, expect_known, parse
from anchor_autopatch.core.errors import AnchorError

CLEAN = 0
FINDINGS = 1
"""Done, and something printed needs a person."""
COULD_NOT_RUN = 2
INTERRUPTED = 130
"""As shells have it: 128 + SIGINT."""


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
    "invoices": Command("invoices.command", "provider invoices: import, pull, add, list, rate"),
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
    """Runs one `anchor` command and returns its exit code.

    0 clean, 1 findings, 2 could not run, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except AnchorError as error:
        reason = str(error)
    except ModuleNotFoundError as error:
        reason = _missing(arguments[0], error)
    except BrokenPipeError:
        # The reader of our output left (`anchor report | head`): nothing failed.
        _print_nowhere()
        return CLEAN
    except OSError as error:
        # What a command touches by itself is told by its own errors; this is what it prints to.
        _print_nowhere()
        reason = f"Stopped: {error}"
    except (KeyboardInterrupt, RuntimeError) as error:
        # So DuckDB tells of Ctrl-C in the middle of a statement.
        if not isinstance(error, KeyboardInterrupt) and str(error) != "Query interrupted":
            raise
        print("anchor: Interrupted", file=sys.stderr)
        return INTERRUPTED
    print(f"anchor: {reason}", file=sys.stderr)
    return COULD_NOT_RUN


def _run(arguments: list[str]) -> int:
    parsed = parse(_parser(arguments), arguments)
    code = int(parsed.run(parsed))
    # A full disk and a reader that left show here, not after the exit code was decided.
    sys.stdout.flush()
    return code


def _print_nowhere() -> None:
    """Lets what is still in the buffer of stdout go: flushing it at exit would fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_EXTRAS = {"duckdb": "job", "requests": "job", "litellm": "job", "rich": "job"}


def _missing(command: str, error: ModuleNotFoundError) -> str:
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRAS:
        raise error
    return (
        f"{command!r} needs {module}, which this environment has not; "
        f"pip install 'anchor-autopatch[{_EXTRAS[module]}]'"
    )


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="anchor",
        description="AI provider bills, split per application, to the cent.",
        epilog="example: anchor run -- python app.py, then: anchor reconcile && anchor report",
    )
    parser.add_argument("--version", action="version", version=f"anchor {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    expect_known(asked, tuple(COMMANDS))
    for name, command in COMMANDS.items():
        if name == asked:
            module = import_module(f"anchor_autopatch.cli.{command.module}")
            module.add_parser(commands, name, command.summary)
        else:
            # Its line in the list only: what all commands need takes half a second to import.
            commands.add_parser(name, help=command.summary, add_help=False)
    return parser
