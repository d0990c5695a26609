"""An application of many calls that ends as its argument says; run by the durability tests."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys

CALLS = 500
WORKERS = 4


def call(count):
    import openai

    client = openai.OpenAI()
    for _ in range(count):
        client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}]
        )


def fork_workers():
    call(CALLS // 5)
    children = []
    for _ in range(WORKERS):
        child = os.fork()
        if child == 0:
            call(CALLS // 5)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def pool(start_method):
    with multiprocessing.get_context(start_method).Pool(WORKERS) as workers:
        workers.map(call, [CALLS // WORKERS] * WORKERS)


def main(ending):
    if ending in ("fork", "spawn"):
        pool(ending)
    elif ending == "os.fork":
        fork_workers()
    else:
        call(CALLS)
        if ending == "os._exit":
            os._exit(0)
        if ending.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, ending))


if __name__ == "__main__":
    main(sys.argv[1])
