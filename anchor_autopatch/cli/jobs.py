"""What the job's commands share: where they work, that only one works there, what time it is."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anchor_autopatch.core.config import load_config
from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.core.settings import CONFIG_FILE, CONFIG_VARIABLE, home

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

_Result = TypeVar("_Result")


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --home (repeatable), --store and --json."""
    parser.add_argument(
        "--home",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="default: ANCHOR_HOME; may be repeated: outboxes of all, warehouse in the first",
    )
    parser.add_argument("--store", metavar="URL", help="default: ANCHOR_STORE, else duckdb")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    texts: tuple[str, str, str],
) -> argparse.ArgumentParser:
    """Adds an action of a command; `texts` are its help, its description and its example."""
    parser = actions.add_parser(
        name, help=texts[0], description=texts[1], epilog=f"example: {texts[2]}"
    )
    add_job_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def add_actor(parser: argparse.ArgumentParser) -> None:
    """Adds --by: who does it."""
    parser.add_argument(
        "--by", default=this_user(), metavar="NAME", help="who does it; default: this user"
    )


def this_user() -> str:
    """The name of who runs this, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user often has a number only. Python 3.13 raises OSError, earlier KeyError.
        return f"uid {os.getuid()}"


def homes_of(args: argparse.Namespace) -> list[Path]:
    """The homes as absolute paths, each once; the first holds the warehouse.

    Raises:
        ConfigError: --store names something else than the DuckDB warehouse.
    """
    store = args.store or os.environ.get("ANCHOR_STORE") or "duckdb"
    if store.partition(":")[0] != "duckdb":
        raise ConfigError(f"Unknown store {store!r}; known: duckdb")
    given = [path.expanduser().absolute() for path in args.home] or [Path(home())]
    return list(dict.fromkeys(given))


def config_of(home_path: Path) -> dict[str, Any]:
    """What the policy file says that goes with a home; {} when there is none.

    Raises:
        ConfigError: it cannot be read, or ANCHOR_CONFIG names one that is not there.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).exists():
        # A path with a typing error would mean: no contract, no close, nobody is told.
        raise ConfigError(
            f"{CONFIG_VARIABLE} names {named!r}, which is not there; mend the path or unset it"
        )
    return load_config(named or str(home_path / CONFIG_FILE))


@contextmanager
def only_job(home_path: Path) -> Iterator[bool]:
    """Yields whether this process may work on the home; says on stderr when another one does.

    Raises:
        StoreError: the home cannot be made or written to.
    """
    from anchor_autopatch.job.ballast import room_to_work
    from anchor_autopatch.job.lease import JOB_LOCK, lease
    from anchor_autopatch.job.warehouse import private_files

    with ExitStack() as stack:
        stack.enter_context(private_files())
        try:
            home_path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mine = stack.enter_context(lease(home_path / JOB_LOCK))
        except OSError as error:
            raise StoreError(
                f"Cannot use {str(home_path)!r} as ANCHOR_HOME: {_unusable(home_path, error)}"
            ) from error
        if mine:
            stack.enter_context(room_to_work(home_path))
        else:
            print(f"Another job is at work on {str(home_path)!r}: left to it.", file=sys.stderr)
        yield mine


def _unusable(home_path: Path, error: OSError) -> str:
    if any(path.exists() and not path.is_dir() for path in (home_path, *home_path.parents)):
        return f"{error.strerror}; a file is no home, name a folder"
    return f"{error.strerror}; check its permissions"


def in_warehouse(
    args: argparse.Namespace,
    work: Callable[[DuckDBPyConnection], _Result],
    *,
    for_change: bool = False,
    publish: bool = False,
) -> _Result:
    """What `work` gives for the open warehouse of the first home.

    With `for_change` no other job works there meanwhile; with `publish` report.duckdb is made anew.

    Raises:
        StoreError: another process is at work on it.
    """
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.publish import publish as publish_report
    from anchor_autopatch.job.warehouse import open_warehouse

    home_path = homes_of(args)[0]
    if not for_change:
        with open_warehouse(home_path) as con:
            return work(con)
    with only_job(home_path) as mine:
        if not mine:
            raise StoreError(
                f"Another job is at work on {str(home_path)!r}; wait for it and try again"
            )
        with open_warehouse(home_path) as con:
            done = work(con)
            if publish:
                try:
                    publish_report(con, home_path, utc_now())
                except StoreError as error:
                    # Somebody who reads only that it failed would do it a second time.
                    raise StoreError(
                        f"{error}; what was asked for is done, anchor reconcile publishes it"
                    ) from error
            return done
