"""Loaders that cannot be watched load what they load all the same."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

import pytest

from anchor_autopatch.host.finder import AnchorFinder
from anchor_autopatch.host.targets import TARGETS


class OfTheOldKind:
    """A loader with `load_module` alone, which Python takes until 3.15."""

    def load_module(self, name):
        """Never called here."""


class WithoutAttributes:
    """A loader as an extension module may define it."""

    __slots__ = ()

    def exec_module(self, module):
        """Never called here."""


class Behind:
    """A finder that finds every module, with the loader that it was made with."""

    def __init__(self, loader):
        self.spec = ModuleSpec("found", loader)

    def find_spec(self, name, path, target):
        return self.spec


@pytest.mark.parametrize("loader", [OfTheOldKind(), WithoutAttributes()])
def test_loader_that_cannot_be_watched_stays_as_it_is(monkeypatch, loader):
    behind = Behind(loader)
    monkeypatch.setattr(sys, "meta_path", [behind])

    found = AnchorFinder(frozenset()).find_spec(TARGETS[0].trigger)

    assert found is behind.spec
    assert not hasattr(loader, "__dict__") or vars(loader) == {}
