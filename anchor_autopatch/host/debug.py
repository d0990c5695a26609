"""ANCHOR_DEBUG=1 (or a file name).

A trace of what the hook does, written to a file and never to a stream.
"""

from __future__ import annotations

import os
import time


def enabled() -> bool:
    """True when a trace was asked for."""
    return os.environ.get("ANCHOR_DEBUG", "") not in ("", "0")


def trace(topic: str, text: str) -> None:
    """Appends one line; a trace that cannot be written is dropped."""
    if not enabled():
        return
    from anchor_autopatch.core import settings

    wanted = os.environ["ANCHOR_DEBUG"]
    path = wanted if os.path.isabs(wanted) else os.path.join(settings.home(), "debug.log")
    line = f"{time.time():.6f} {os.getpid()} {topic} {text}\n"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, line.encode("utf-8", "replace"))
        finally:
            os.close(file)
    except OSError:
        return
