"""Receipt and event ids.

UUID version 7 (RFC 9562), made by hand because `import uuid` costs 7 ms.
"""

from __future__ import annotations

import os
import time


def uuid7() -> str:
    """A new time-ordered id as lower-case text with dashes.

    Random part from the operating system.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    version_and_a = 0x7000 | (random >> 68)
    variant_and_b = (0b10 << 62) | (random & ((1 << 62) - 1))
    text = f"{milliseconds & ((1 << 48) - 1):012x}{version_and_a:04x}{variant_and_b:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
