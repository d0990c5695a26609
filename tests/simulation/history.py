"""Histories: what happens in which order, drawn from a seed, and their shortest failing part.

A step says all that it needs in numbers, and a number that names a file or a writer counts among
those that there are. So any part of a history is a history too, and can be played by itself.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.world import World

STEPS = 25
"""Steps of one history."""

_WEIGHTS = {
    "start_writer": 4,
    "write": 10,
    "seal_file": 3,
    "kill_writer": 3,
    "end_writer": 1,
    "copy_outbox": 2,
    "restore_copy": 2,
    "add_foreign_file": 1,
    "flip_bit": 2,
    "move_clock": 2,
    "add_invoice": 1,
    "ship": 5,
    "reconcile": 1,
    "archive": 1,
}
"""How often each thing happens. Writers work more often than the job, as they do; a run of the
whole job takes 0.3 s, so it is the one that few steps are spent on, and most of those die."""

_DEATHS = {"ship": 10, "reconcile": 32, "archive": 6}
"""A little more than the steps that a run of the job passes: all of them are died at."""


class Step(NamedTuple):
    """One thing that happens; its repr can be pasted into a test."""

    name: str
    arguments: tuple[object, ...] = ()


def drawn(seed: int) -> list[Step]:
    """The history of a seed: the same on every machine."""
    dice = Random(seed)
    names = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=STEPS)
    # Somebody must have begun to write before anything else can happen.
    return [Step("start_writer"), *(Step(name, _arguments(name, dice)) for name in names)]


def _arguments(name: str, dice: Random) -> tuple[object, ...]:
    if name in _DEATHS:
        return (dice.randrange(_DEATHS[name]) if dice.random() < 0.7 else None,)
    which = dice.randrange(4)
    own = {
        "start_writer": (),
        "write": (which, "".join(dice.choices("rrre", k=dice.randint(1, 6)))),
        "add_foreign_file": (dice.randbytes(dice.randrange(64)),),
        "flip_bit": (which, dice.randrange(2**20)),
        "move_clock": (dice.randint(-100_000, 100_000),),
        "add_invoice": (dice.randrange(10_000),),
    }
    return own.get(name, (which,))


def play(world: World, steps: Sequence[Step], check: Callable[[], object]) -> None:
    """Lets everything happen that can, and checks after each step."""
    for step in steps:
        if _can_happen(world, step.name):
            getattr(world, step.name)(*step.arguments)
            check()


def _can_happen(world: World, name: str) -> bool:
    needed = {
        "write": world.writers,
        "seal_file": world.writers,
        "kill_writer": world.writers,
        "end_writer": world.writers,
        "copy_outbox": world.outboxes(),
        "restore_copy": world.copies,
        "add_foreign_file": (world.home / "outbox").is_dir(),
    }
    return bool(needed.get(name, True))


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """A shortest part of a failing history: without any one of its steps it fails no more."""
    left = list(steps)
    # Halves first, then smaller and smaller pieces: most steps have nothing to do with the fault.
    size = len(left)
    while size:
        place = 0
        while place < len(left):
            part = left[:place] + left[place + size :]
            if fails(part):
                left = part
            else:
                place += size
        size //= 2
    return left
