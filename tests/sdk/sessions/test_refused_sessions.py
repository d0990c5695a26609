"""Mode reject holds for sessions and gRPC, too: refused before anything is opened or sent."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch import AttributionRequired, attribute
from tests.sdk.sessions import test_gemini_live as gemini
from tests.sdk.sessions import test_gemini_music as music
from tests.sdk.sessions import test_openai_sessions as openai
from tests.sdk.sessions import test_xai as xai
from tests.sdk.sessions.test_openai_sessions import addresses

__all__ = ["addresses"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:connect:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
server = xai.server
server_process = xai.server_process
xai_client = xai.client
openai_client = openai.client
gemini_client = gemini.client
play = music.play


@pytest.fixture(autouse=True)
def _rejecting(home):
    from tests.host.support import context

    policy = '[policy]\nmode = "reject"\nrequired = ["team"]\n'
    (home / "anchor.toml").write_text(policy, encoding="utf-8")
    context.forget_environment()


@pytest.mark.parametrize("kind", ["realtime", "responses"])
def test_openai_session_is_refused(openai_client, kind, receipts, one_event):
    with pytest.raises(AttributionRequired), openai.opened(openai_client, kind):
        pass

    assert (receipts(), one_event().event_class) == ([], "attribution_required")


def test_openai_session_of_a_team_is_opened(openai_client, receipts):
    with attribute(team="search"), openai.opened(openai_client, "realtime") as connection:
        openai.ask(connection, "realtime")
        openai.end_of(connection, "realtime")

    assert {receipt.team for receipt in receipts()} == {"search"}


def test_gemini_session_is_refused(gemini_client, receipts):
    with pytest.raises(AttributionRequired):
        gemini.talk(gemini_client)

    assert receipts() == []


def test_gemini_session_of_a_team_is_opened(gemini_client, receipts):
    with attribute(team="search"):
        gemini.talk(gemini_client)

    assert {receipt.team for receipt in receipts()} == {"search"}


def test_music_session_is_refused(play, receipts):
    with pytest.raises(AttributionRequired):
        play(music.SOUND)

    assert receipts() == []


@pytest.mark.parametrize("stream", [False, True])
def test_xai_call_is_refused(xai_client, server, stream):
    chat = xai.chat(xai_client)

    with pytest.raises(AttributionRequired):
        list(chat.stream()) if stream else chat.sample()


@pytest.mark.parametrize("stream", [False, True])
def test_asynchronous_xai_call_is_refused(home, server, stream):
    async def run(client):
        chat = xai.chat(client)
        if stream:
            return [part async for part in chat.stream()]
        return await chat.sample()

    with pytest.raises(AttributionRequired):
        xai.with_async(server, run)


def test_xai_call_of_a_team_is_made(xai_client, one_receipt):
    with attribute(team="search"):
        xai.chat(xai_client).sample()

    assert (one_receipt().team, json.loads(one_receipt().attribution_source)) == (
        "search",
        {"team": "code"},
    )
