"""Where calls go: who a gateway's model belongs to, and fingerprints of keys under one salt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anchor_autopatch import record
from anchor_autopatch.core import settings
from anchor_autopatch.core.hosts import provider_of_model
from anchor_autopatch.host.capture import sites
from tests.host.support import environment

KEY = "sk-test-0123456789abcdef"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("anthropic/claude-x", "anthropic"),
        ("bedrock/anthropic.claude-x", "bedrock"),
        ("google/gemini-2.5-flash", "gemini"),
        ("x-ai/grok-4", "xai"),
        ("meta-llama/Llama-3", "unmapped"),
        ("acme-own", "unmapped"),
        ("", "unmapped"),
        (None, "unmapped"),
    ],
)
def test_model_name_tells_a_provider_or_nothing(model, provider):
    assert provider_of_model(model) == provider


def test_key_has_one_fingerprint_in_every_process(home):
    ours = sites.fingerprint(KEY)

    code = f"from anchor_autopatch.host.capture import sites; print(sites.fingerprint({KEY!r}))"
    theirs = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )

    assert theirs.stdout.strip() == ours
    assert (home / settings.SALT_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.glob(f"{settings.SALT_FILE}*")] == [settings.SALT_FILE]


def test_salt_of_a_faster_process_counts(home, monkeypatch):
    path = home / settings.SALT_FILE
    make = sites._make_salt

    def slower(wanted):
        path.write_bytes(b"their salt")
        make(wanted)

    monkeypatch.setattr(sites, "_make_salt", slower)

    assert sites._home_salt() == b"their salt"
    assert [each.name for each in home.glob(f"{settings.SALT_FILE}*")] == [settings.SALT_FILE]


def test_salt_that_cannot_be_read_loses_no_call(home, one_receipt):
    (home / settings.SALT_FILE).mkdir()

    assert len(sites.fingerprint(KEY)) == 16
    record({"id": "r1", "usage": {"prompt_tokens": 1}}, provider="openai")

    assert one_receipt().response_id == "r1"
