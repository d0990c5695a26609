"""Runs the official focus-validator on an export of ours: `make focus`.

    .venv/bin/python -m tools.focus_validator .venvs/focus/bin/python [FILE.csv]

Without a file, a small home is made and exported: bills in two currencies, one of no calls, a month
without a bill, a correction. The validator 1.0.0 knows FOCUS 1.0 only. Its rules ask for columns
under names that no specification from 1.0 on has, so it reads a copy that has those, too; and it
looks for its table of currencies below the folder it is started in.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from anchor_autopatch.job.focus import export_focus
from tests.job.focus_home import make_home

# Name that the rules of the validator ask for -> column of ours that holds the same.
_OBSOLETE = {
    "ChargeType": "ChargeCategory",
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
}


def main() -> int:
    """Validates and returns the validator's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="of the environment that has focus-validator")
    parser.add_argument("file", type=Path, nargs="?", help="a CSV export; default: make one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = args.file or _sample(Path(folder))
        copy = Path(folder) / "copy.csv"
        _with_obsolete_columns(export, copy)
        return _validate(args.python.absolute(), copy)


def _sample(folder: Path) -> Path:
    path = folder / "focus.csv"
    make_home(folder / "home")
    export_focus(folder / "home", path, kind="csv")
    return path


def _with_obsolete_columns(export: Path, copy: Path) -> None:
    with export.open(newline="", encoding="utf-8") as source, copy.open("w", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, [*(rows.fieldnames or ()), *_OBSOLETE])
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {old: row[new] for old, new in _OBSOLETE.items()})


def _validate(python: Path, file: Path) -> int:
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    command = [python, "-m", "focus_validator.main", "--validate-version", "1.0"]
    return subprocess.run(
        [*command, "--data-file", file], cwd=found.stdout.strip(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
