"""What a test leaves to the garbage collector ends with that test."""

from __future__ import annotations

import gc


def end() -> None:
    """Ends what nobody holds any more; what is still held is no later test's business.

    Without the freeze each collection goes through all that the SDKs' imports made, 0.1 s of CPU
    for every test, and a later test may be blamed for what a thread of an earlier one let go of.
    """
    gc.collect()
    gc.freeze()
