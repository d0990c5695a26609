"""Small binary things that answers carry: an image, a sound, a vector."""

from __future__ import annotations

import base64
import struct
import zlib


def _png() -> bytes:
    """Return one grey pixel as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """Return a tenth of a second of silence as 8 kHz mono WAV."""
    samples = b"\x80" * 800
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data


TINY_PNG_BASE64 = base64.b64encode(_png()).decode()
SILENCE = _wav()


def vector(dimensions: int) -> list[float]:
    """Return an embedding of the given length; every value is exact in 32 bits."""
    return [((i % 7) - 3) / 8 for i in range(max(1, dimensions))]


def packed(values: list[float]) -> str:
    """Return a vector as base64 of little-endian 32-bit floats (OpenAI encoding_format=base64)."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
