"""The interpreter's own locks and threads, also where gevent or eventlet have put theirs in place.

A greenlet in the place of a thread would close a file of 16 MB in the application's event loop, and
a cooperative lock, taken in one thread and released in another, wakes a hub that is not there.
"""

from __future__ import annotations

import _thread
import sys
from typing import Any


def _original(name: str) -> Any:
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original("_thread", name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None:
        return getattr(eventlet.original("_thread"), name)
    return getattr(_thread, name)


allocate_lock = _original("allocate_lock")
get_ident = _original("get_ident")
start_new_thread = _original("start_new_thread")
