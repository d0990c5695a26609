"""`anchor policy`: whether anchor.toml means what it says, and headers that prove who asks."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.cli.policy import corrections as policy_corrections
from anchor_autopatch.cli.policy import job_sections
from anchor_autopatch.core import settings
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy.checking import check_config
from anchor_autopatch.core.policy.locating import locate
from anchor_autopatch.core.signatures import (
    KEYS_VARIABLE,
    REQUEST_ID_HEADER,
    SIGNATURE_HEADER,
    Signed,
    read_keys,
    sign,
)

_HEADERS = {
    "team": "x-owner-team",
    "service": "x-owner-product",
    "feature": "x-owner-feature",
    "environment": "x-owner-env",
    "user": "x-owner-user",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that has to be mended."""

    line: int | None
    """Of anchor.toml; None for an environment variable."""
    where: str
    problem: str


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds `anchor policy check | sign-header | held | release | corrections`."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor policy check"
    )
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    _add_check(subcommands)
    _add_sign_header(subcommands)
    policy_corrections.add_parsers(subcommands)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="list everything in anchor.toml that cannot mean what it says",
        description="Lists every mistake in anchor.toml and in the variables that belong to it, "
        "with line, value and mend. Exit code 1 when there is one.",
        epilog="example: anchor policy check --config deploy/anchor.toml",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="default: ANCHOR_CONFIG, else anchor.toml in ANCHOR_HOME",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    path = args.config or Path(settings.config_path())
    found = [*_missing(path, args), *_in_file(path), *_in_environment()]
    if args.json:
        print_json({"file": str(path), "problems": [asdict(each) for each in found]})
    elif found:
        rows = [(each.line, each.where, each.problem) for each in found]
        print_table(str(path), ("line", "where", "problem"), rows, right=("line",))
    elif path.exists():
        print(f"{path}: nothing wrong.")
    else:
        print(f"No policy at {path}: nothing is required, no header is believed.")
    return FINDINGS if found else CLEAN


def _missing(path: Path, args: argparse.Namespace) -> Iterator[Mistake]:
    """A file that somebody named and that is not there; nobody has to have one in the home."""
    where = "--config" if args.config else settings.CONFIG_VARIABLE
    if (args.config or os.environ.get(settings.CONFIG_VARIABLE)) and not path.exists():
        yield Mistake(None, where, f"There is no {str(path)!r}; mend the path or make the file")


def _in_file(path: Path) -> Iterator[Mistake]:
    from anchor_autopatch.core.config import load_config

    if not path.exists():
        return
    try:
        config = load_config(str(path))
    except ConfigError as error:
        yield Mistake(None, "anchor.toml", str(error))
        return
    text = path.read_text("utf-8")
    for problem in check_config(config, time.time_ns() // 1000):
        where = ".".join(map(str, problem.path))
        yield Mistake(locate(text, problem.path), where, problem.text)
    yield from _in_job_sections(config, text)


def _in_job_sections(config: dict[str, Any], text: str) -> Iterator[Mistake]:
    try:
        found = list(job_sections.problems(config))
    except ModuleNotFoundError as error:
        print(
            f"Only what applications read was checked: this environment has no {error.name}; "
            "check the rest where the job runs",
            file=sys.stderr,
        )
        return
    for section, problem in found:
        yield Mistake(locate(text, (section,)), section, problem)


def _in_environment() -> Iterator[Mistake]:
    try:
        read_keys(os.environ.get(KEYS_VARIABLE, ""))
    except ConfigError as error:
        yield Mistake(None, KEYS_VARIABLE, str(error))
    for entry in filter(None, os.environ.get("ANCHOR_LABELS", "").split(",")):
        if not entry.partition("=")[0].strip() or "=" not in entry:
            text = f"Entry {entry.strip()!r} is left out; write name=value"
            yield Mistake(None, "ANCHOR_LABELS", text)


def _add_sign_header(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "sign-header",
        help="print attribution headers with a signature for one request",
        description="Prints attribution headers, one a line, with a signature that holds for this "
        f"method, path and request id. The key is taken from {KEYS_VARIABLE}.",
        epilog="example: anchor policy sign-header --key k1 --path /chat --request-id r-1 "
        "--team search",
    )
    parser.add_argument("--key", required=True, metavar="ID", help=f"key id in {KEYS_VARIABLE}")
    parser.add_argument("--method", default="POST", help="default: POST")
    parser.add_argument("--path", required=True, help="as it is sent, without its query")
    parser.add_argument("--request-id", required=True, metavar="ID")
    for field in _HEADERS:
        parser.add_argument(f"--{field}", metavar="ID")
    parser.add_argument("--seconds", type=int, default=60, help="how long it holds; default: 60")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_sign_header)


def _sign_header(args: argparse.Namespace) -> int:
    keys = read_keys(os.environ.get(KEYS_VARIABLE, ""))
    if args.key not in keys:
        known = ", ".join(keys) or "none"
        raise ConfigError(f"Unknown key {args.key!r}; {KEYS_VARIABLE} has: {known}")
    given = {name: getattr(args, field) for field, name in _HEADERS.items()}
    headers = {REQUEST_ID_HEADER: args.request_id, **given}
    headers = {name: value for name, value in headers.items() if value is not None}
    expires = int(time.time()) + args.seconds
    signed = Signed(args.method, args.path, headers)
    headers[SIGNATURE_HEADER] = sign(args.key, keys[args.key], signed, expires)
    if args.json:
        print_json(headers)
    else:
        for name, value in headers.items():
            print(f"{name}: {value}")
    return CLEAN
