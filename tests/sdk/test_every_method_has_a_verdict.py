"""The SDKs of this environment hold no method that nobody has looked at."""

from __future__ import annotations

import pytest

from anchor_autopatch.surface import verdicts
from anchor_autopatch.surface.sdks import SDKS, Sdk, find
from tools import coverage_page


@pytest.fixture(params=SDKS, ids=lambda sdk: sdk.name)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    found: Sdk = request.param
    if find(found) is None:
        pytest.skip(f"{found.distribution} is not installed here")
    return found


def test_every_method_has_one_verdict(sdk: Sdk) -> None:
    installed = find(sdk)
    assert installed is not None

    unclear = verdicts.unclear(verdicts.read(sdk.name), sdk.read(installed.folder))

    told = [f"{one.method.name} ({one.method.route}) {one.problem}" for one in unclear]
    assert told == [], f"{sdk.name} {installed.version}: look at each, add it to surface/verdicts"


def test_page_was_written_from_this_version(sdk: Sdk) -> None:
    installed = find(sdk)
    assert installed is not None

    noted = {
        one.method for one in coverage_page.notes()[sdk.name] if installed.version in one.versions
    }

    assert noted == sdk.read(installed.folder), "run `make docs`"
