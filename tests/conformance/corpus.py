"""Where the recorded exchanges and their replayer are, and the replayer as a module."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
EXCHANGES = SHARED / "data/corpus/exchanges.jsonl.gz"
REPLAYER = SHARED / "tools/replay.py"


def absent():
    """Why nothing can be replayed here, or None."""
    missing = [path for path in (EXCHANGES, REPLAYER) if not path.exists()]
    return f"no {missing[0]} here" if missing else None


@cache
def replayer():
    """The replayer; importing it imports no SDK."""
    spec = importlib.util.spec_from_file_location("anchor_replayer", REPLAYER)
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look themselves up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def exchanges():
    """All recorded exchanges, in file order."""
    return list(replayer().load(str(EXCHANGES)))
