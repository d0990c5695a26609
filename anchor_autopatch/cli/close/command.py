"""`anchor close`: review, sign off and freeze a month; what it says and what it books."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.close import actions as close_actions
from anchor_autopatch.cli.close import corrections as close_corrections
from anchor_autopatch.cli.close.actions import rules_of
from anchor_autopatch.cli.jobs import (
    add_action,
    add_actor,
    add_job_arguments,
    homes_of,
    in_warehouse,
)
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


_FORMATS = ("csv", "md", "html")
"""As `job.close.statements.FORMATS`, whose import needs duckdb: too early for `--help`."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand and its actions."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor close status"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_status(actions)
    _add_review(actions)
    _add_sign_off(actions)
    _add_freeze(actions)
    _add_restate(actions)
    close_actions.add_actions(actions)
    close_corrections.add_correct(actions)
    _add_statement(actions)
    _add_journal(actions)
    _add_trail(actions)


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    texts: tuple[str, str, str],
    *,
    acts: bool = True,
) -> argparse.ArgumentParser:
    """An action of a period; `texts` are its help, its description and its example."""
    parser = add_action(actions, name, run, texts)
    parser.add_argument("period", metavar="YYYY-MM")
    if acts:
        add_actor(parser)
    return parser


def _add_status(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "status",
        help="where each period stands, and what it waits for",
        description="Lists reconciled periods with their state, who still has to sign, and "
        "corrections that wait for approval. Exit code 1 when something waits.",
        epilog="example: anchor close status",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_status)


def _status(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.close.status import statuses

    rules = rules_of(args)
    found = in_warehouse(args, lambda con: statuses(con, rules))
    if args.json:
        print_json([status._asdict() for status in found])
    elif found:
        columns = ("period", "state", "version", "mode", "invoices", "flagged", "waits for")
        rows = [(*status[:6], "; ".join(status.waits_for)) for status in found]
        print_table("Periods", columns, rows, right=("version", "invoices", "flagged"))
    else:
        print("Nothing is reconciled yet; run: anchor reconcile")
    return FINDINGS if any(status.waits_for for status in found) else CLEAN


def _add_review(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(
        actions,
        "review",
        _review,
        (
            "make the statements and offer them for signing",
            "Makes the statements of a period as its figures are now. What is signed is bound to "
            "them: when figures move, the period has to be reviewed again.",
            "anchor close review 2026-10 --by ana",
        ),
    )


def _review(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close import missing_signatures, review

    rules, now = rules_of(args), utc_now()
    done = in_warehouse(
        args, lambda con: review(con, rules, args.period, args.by, now), for_change=True
    )
    missing = in_warehouse(args, lambda con: missing_signatures(con, rules, args.period))
    signatures = [each.team or "the whole period" for each in missing]
    if args.json:
        print_json({**done._asdict(), "signatures_needed": signatures})
    else:
        print(f"Reviewed {args.period} by {args.by}; digest of the statements: {done.digest}")
        print(f"To be signed: {', '.join(signatures)}")
        for name in done.uninvoiced:
            print(f"! no invoice of {name} yet: its calls are estimates in the statements")
    return FINDINGS if done.uninvoiced else CLEAN


def _add_sign_off(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        "sign-off",
        _sign_off,
        (
            "accept the figures, for a team or for the whole period",
            "Signs the reviewed statements. Who prepared them cannot sign. With the last "
            "signature the figures are locked. Exit code 1 while others still have to sign.",
            "anchor close sign-off 2026-10 --by bob",
        ),
    )
    parser.add_argument("--team", default="", help="sign for this team only")


def _sign_off(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close import sign_off

    rules, now = rules_of(args), utc_now()
    missing = in_warehouse(
        args,
        lambda con: sign_off(con, rules, args.period, args.by, now, team=args.team),
        for_change=True,
    )
    signatures = [each.team or "the whole period" for each in missing]
    if args.json:
        print_json({"period": args.period, "signatures_needed": signatures})
    elif missing:
        print(f"Signed by {args.by}; still to be signed: {', '.join(signatures)}")
    else:
        print(f"{args.period} is signed off; freeze it with: anchor close freeze {args.period}")
    return FINDINGS if missing else CLEAN


def _add_freeze(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(
        actions,
        "freeze",
        _freeze,
        (
            "seal a signed-off period and book it",
            "Seals every row of the period in a read-only file, and books each invoice in the "
            "ledger. What comes later is a correction.",
            "anchor close freeze 2026-10 --by bob",
        ),
    )


def _freeze(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close import freeze

    rules, home = rules_of(args), homes_of(args)[0]
    digest = in_warehouse(
        args,
        lambda con: freeze(con, home, rules, args.period, args.by, utc_now()),
        for_change=True,
        publish=True,
    )
    if args.json:
        print_json({"period": args.period, "digest": digest})
    else:
        print(f"{args.period} is frozen; digest of its statements: {digest}")
    return CLEAN


def _add_restate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        "restate",
        _restate,
        (
            "open a locked period as a new version",
            "For errors that are too large for a correction: opens the period as a new version. "
            "Sign-offs, statements and the sealed file of the old one are kept; its bookings are "
            "reversed when the new one is frozen.",
            "anchor close restate 2026-10 --by carol --reason 'invoice was reissued'",
        ),
    )
    parser.add_argument("--reason", required=True, metavar="TEXT")


def _restate(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close import restate

    rules, now = rules_of(args), utc_now()
    version = in_warehouse(
        args,
        lambda con: restate(con, rules, args.period, args.by, args.reason, now),
        for_change=True,
    )
    if args.json:
        print_json({"period": args.period, "version": version})
    else:
        print(f"{args.period} is open again, version {version}; next: anchor reconcile")
    return CLEAN


def _add_statement(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        "statement",
        _statement,
        (
            "print or write the statements of a period",
            "Prints one statement, or writes all of them into a folder. Of a period that was not "
            "reviewed yet they show the figures as they are now.",
            "anchor close statement 2026-10 --out statements/",
        ),
        acts=False,
    )
    parser.add_argument("--team", default="", help="default: all teams together")
    parser.add_argument("--format", choices=_FORMATS, default="md")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write all, in every format")


def _statement(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.close.statements import current, file_name

    rules = rules_of(args)
    made = in_warehouse(args, lambda con: current(con, args.period, rules.mode_of(args.period)))
    if args.out:
        names = [file_name(args.period, each) for each in made]
        _write_all(args.out, dict(zip(names, (each.body for each in made), strict=True)))
        if args.json:
            print_json({"folder": args.out, "files": names})
        else:
            print(f"Wrote {len(made)} files to {args.out}")
        return CLEAN
    wanted = [each for each in made if (each.team, each.format) == (args.team, args.format)]
    if not wanted:
        teams = ", ".join(sorted({each.team for each in made if each.team}))
        raise ConfigError(f"No statement of team {args.team!r} in {args.period}; teams: {teams}")
    print_json(wanted[0]._asdict()) if args.json else print(wanted[0].body, end="")
    return CLEAN


def _write_all(folder: Path, bodies: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in bodies.items():
            # No line end is translated: a signature binds the digest of these very bytes.
            (folder / name).write_text(body, encoding="utf-8", newline="")
    except OSError as error:
        raise StoreError(f"Cannot write into {str(folder)!r}: {error.strerror}") from error


def _add_journal(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "journal",
        help="print the ledger's bookings as CSV, for an ERP",
        description="Prints what is booked in chargeback periods: debit and credit apart, each "
        "transaction balanced. Give the posting period, or get all.",
        epilog="example: anchor close journal 2026-10 > journal-2026-10.csv",
    )
    parser.add_argument("period", nargs="?", metavar="YYYY-MM")
    parser.add_argument(
        "--with-showback", action="store_true", help="bookings for information, too"
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_journal)


def _journal(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.close.ledger import journal

    text = in_warehouse(
        args, lambda con: journal(con, args.period, with_showback=args.with_showback)
    )
    print_json({"journal": text}) if args.json else print(text, end="")
    return CLEAN


def _add_trail(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "trail",
        help="list who did what, when and why",
        description="Lists every step of the close, of one period or of all, oldest first.",
        epilog="example: anchor close trail 2026-10",
    )
    parser.add_argument("period", nargs="?", metavar="YYYY-MM")
    add_job_arguments(parser)
    parser.set_defaults(run=_trail)


def _trail(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.close.status import TrailRow, trail

    rows = in_warehouse(args, lambda con: trail(con, args.period))
    if args.json:
        print_json([row._asdict() for row in rows])
    elif rows:
        # Enough to tell two apart in a table; --json has all of it.
        short = [row._replace(digest=row.digest[:12]) for row in rows]
        print_table("What was done", TrailRow._fields, short, right=("event_no",))
    else:
        print("Nothing was done yet.")
    return CLEAN
