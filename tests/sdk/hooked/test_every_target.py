"""Whatever of the tables of targets can be imported in this environment is patched."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version

import pytest

from anchor_autopatch.host import patching
from anchor_autopatch.host.targets import PARTS, TARGETS

# SDKs warn of what is to come when their modules are imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.mark.parametrize("target", [*TARGETS, *PARTS], ids=lambda target: target.trigger)
def test_target_that_can_be_imported_is_patched(target):
    try:
        installed = version(target.distribution)
        importlib.import_module(target.trigger)
    except (PackageNotFoundError, ModuleNotFoundError) as missing:
        pytest.skip(f"not in this environment: {missing.name}")

    state = patching.states[target.name]
    assert state.patched, f"{target.distribution} {installed}: {state.reason}"
