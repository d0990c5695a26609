"""Runs in an SDK world: works when told, and can take the hook off for the time of a block."""

from __future__ import annotations

import gc
import json
import sys

from benchmarks import works


def main() -> None:
    """Answers a line of samples for each line `{work, size, unhooked}` until stdin ends."""
    urls = json.loads(sys.argv[1])
    known = works.over_http(urls) if urls else works.in_process()
    for work in known.values():
        work(3)
    # What the imports made is kept out of every later collection: one of them takes 100 ms, and
    # falls to one side or the other by chance.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["unhooked"]:
            samples = _without_hook(known[asked["work"]], asked["size"])
        else:
            samples = known[asked["work"]](asked["size"])
        print(json.dumps(samples), flush=True)


def _without_hook(work: works.Work, size: int) -> works.Samples:
    from anchor_autopatch.host import startup

    startup.uninstall()
    # The classes of the SDK have changed: its code warms up anew.
    work(3)
    samples = work(size)
    startup.install()
    work(3)
    return samples


if __name__ == "__main__":
    main()
