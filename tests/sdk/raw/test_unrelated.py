"""What a program pays whose requests go to nobody's model: no hook that it does not need."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from anchor_autopatch.host.clients import raw

_PROGRAM = """
import sys
sys.path.insert(0, {root!r})
import anchor_autopatch
anchor_autopatch.install()
import {library} as library
from {library} import _client
class Transport(library.BaseTransport):
    def handle_request(self, request):
        return library.Response(200, stream=library.ByteStream(b"{{}}"))
def hooked():
    return hasattr(_client.BoundSyncStream.__iter__, "_anchor_original")
with library.Client(transport=Transport()) as http:
    http.get("https://status.example/")
    before = hooked()
    with http.stream("POST", "https://api.openai.com/v1/chat/completions", json={{}}) as answer:
        answer.read()
print(before, hooked())
"""


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_bodies_are_hooked_when_one_is_to_be_read(library, tmp_path, pytestconfig):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not in this SDK world")
    program = _PROGRAM.format(root=str(pytestconfig.rootpath), library=library)

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"ANCHOR_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("place", "authority"),
    [
        ("api.openai.com", "api.openai.com"),
        (b"localhost:8080", "localhost:8080"),
        (("api.openai.com", None), "api.openai.com"),
        (("localhost", 8080), "localhost:8080"),
        (("::1", None), "[::1]"),
        (("::1", 8080), "[::1]:8080"),
    ],
)
def test_places_are_named_as_in_addresses(place, authority):
    assert raw._authority(place) == authority
