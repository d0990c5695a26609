"""`anchor run`, `hook`, `install`, `uninstall`: switching capture on and off."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from anchor_autopatch.cli.hook import files as hook_files
from anchor_autopatch.cli.hook import interpreters
from anchor_autopatch.cli.output import print_json
from anchor_autopatch.core.errors import AnchorError

_EPILOGS = {
    "run": "example: anchor run -- python app.py",
    "hook": "example: PYTHONPATH=$(anchor hook) python app.py",
    "install": "example: anchor install   (undo it with: anchor uninstall)",
    "uninstall": "example: anchor uninstall",
}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `name`."""
    parser = commands.add_parser(name, help=summary, description=summary, epilog=_EPILOGS[name])
    parser.set_defaults(run=_RUN[name])
    if name == "run":
        # No --json: what is printed is the program's own.
        parser.add_argument(
            "program", nargs=argparse.REMAINDER, metavar="-- PROGRAM [ARGUMENT ...]"
        )
    else:
        parser.add_argument("--json", action="store_true", help="print JSON")


def _run(parsed: argparse.Namespace) -> int:
    command = parsed.program[1:] if parsed.program[:1] == ["--"] else parsed.program
    if not command:
        raise AnchorError(
            "`anchor run` was given no program; expected: anchor run -- python app.py"
        )
    if shutil.which(command[0]) is None:
        raise AnchorError(
            f"Cannot find the program {command[0]!r} on PATH; check its name or give its path"
        )
    python = interpreters.interpreter_of(command, os.environ)
    # Asked before it starts: a hook whose package is not there would capture nothing, silently.
    problem = interpreters.capture_problem(python) if python is not None else None
    if problem is not None:
        raise AnchorError(problem)
    folder = str(hook_files.template_folder())
    rest = os.environ.get("PYTHONPATH")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (folder, rest)))}
    sys.stdout.flush()
    # Takes this process's place, so that signals, exit code and terminal are the program's own.
    os.execvpe(command[0], command, environ)


def _hook(parsed: argparse.Namespace) -> int:
    folder = hook_files.template_folder()
    if parsed.json:
        print_json({"folder": folder})
    else:
        print(folder)
    return 0


def _install(parsed: argparse.Namespace) -> int:
    problem = interpreters.capture_problem(interpreters.own())
    if problem is not None:
        raise AnchorError(problem)
    written = hook_files.write(hook_files.site_packages())
    if parsed.json:
        print_json({"written": written})
        return 0
    for path in written:
        print(f"wrote {path}")
    print("Every Python process of this environment is captured from its next start on.")
    return 0


def _uninstall(parsed: argparse.Namespace) -> int:
    removed = hook_files.remove(hook_files.site_packages())
    if parsed.json:
        print_json({"removed": removed})
        return 0
    for path in removed:
        print(f"removed {path}")
    if not removed:
        print(f"Nothing to remove in {hook_files.site_packages()}")
    return 0


_RUN = {"run": _run, "hook": _hook, "install": _install, "uninstall": _uninstall}
