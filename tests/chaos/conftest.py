"""Homes for processes that are killed, and figures that are printed whatever pytest hides."""

from __future__ import annotations

import sys

import pytest

from tests.job.conftest import no_home_of_the_user, synced_home, synced_warehouse

__all__ = ["no_home_of_the_user", "synced_home", "synced_warehouse"]


@pytest.fixture
def tell(capsys, request):
    """A function that prints one line of figures; `make chaos` is run for these."""

    def print_line(line):
        with capsys.disabled():
            sys.stdout.write(f"\n{request.node.originalname}: {line}\n")

    return print_line
