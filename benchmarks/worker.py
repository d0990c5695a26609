"""Runs in an SDK world with the hook on: works when told, with it or without it.

One process is its own control: two processes that run the same code differ by some percent for as
long as they live. Without the hook means after `uninstall`, which puts every function of the SDKs
back in its place.
"""

from __future__ import annotations

import json
import sys

from anchor_autopatch.host import startup
from benchmarks import works


def main() -> None:
    """Answers a line of samples for each line `{work, hooked, count}` until stdin ends."""
    urls = json.loads(sys.argv[1])
    known = works.over_http(urls) if urls else works.in_process()
    for line in sys.stdin:
        asked = json.loads(line)
        (startup.install if asked["hooked"] else startup.uninstall)()
        work = known[asked["work"]]
        work(1)
        print(json.dumps(work(asked["count"])), flush=True)


if __name__ == "__main__":
    main()
