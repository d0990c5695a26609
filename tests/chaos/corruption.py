"""Ways in which a file rots, each drawn from a random generator."""

from __future__ import annotations

import os

_BLOCK = 512


def flip_bit(rng, path):
    """One bit is another."""
    _rewrite(path, lambda content: _flipped(rng, content))


def cut(rng, path):
    """The file ends early."""
    os.truncate(path, rng.randrange(path.stat().st_size))


def clear_block(rng, path):
    """A block of 512 bytes reads as zeros."""
    start = rng.randrange(0, path.stat().st_size, _BLOCK)
    _overwrite(path, start, bytes(_BLOCK))


def garble(rng, path):
    """64 bytes are something else."""
    _overwrite(path, rng.randrange(path.stat().st_size), rng.randbytes(64))


def lose(_rng, path):
    """The file is gone."""
    path.unlink()


KINDS = (flip_bit, flip_bit, flip_bit, cut, clear_block, garble, lose)
"""As often as they stand here: single bits are what SQLite itself notices least."""


def _flipped(rng, content):
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    return content


def _overwrite(path, start, what):
    def changed(content):
        content[start : start + len(what)] = what[: len(content) - start]
        return content

    _rewrite(path, changed)


def _rewrite(path, change):
    path.write_bytes(change(bytearray(path.read_bytes())))
