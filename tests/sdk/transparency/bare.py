"""Gives every play in a process without us and prints what each step told, as JSON."""

from __future__ import annotations

import json
import sys

from tests.sdk.transparency import casting, performing


def told() -> dict[str, dict[str, str]]:
    """Play -> step -> what it told, from its second run on: some warnings are given only once."""
    return {name: performing.all_told(casting.load(name)) for name in casting.playable()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(told()))
