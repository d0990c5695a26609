"""What an application's environment gets: wrapt, the command, and receipts."""

from __future__ import annotations

import sqlite3

import pytest


def test_base_install_brings_wrapt_alone(base):
    assert base.packages() == {"anchor-autopatch", "wrapt"}


@pytest.mark.parametrize("library", ["duckdb", "requests", "litellm", "rich"])
def test_job_library_is_absent(base, library):
    tried = base.run("python", "-c", f"import {library}", fails=True)

    assert "ModuleNotFoundError" in tried.stderr


def test_help_lists_the_commands(base):
    assert "reconcile" in base.run("anchor", "--help").stdout


def test_job_command_says_what_to_install(base, tmp_path):
    tried = base.run("anchor", "reconcile", fails=True, ANCHOR_HOME=str(tmp_path))

    assert tried.returncode == 2
    assert "pip install 'anchor-autopatch[job]'" in tried.stderr
    assert "Traceback" not in tried.stderr


def test_one_call_leaves_one_receipt(one_call, tmp_path):
    one_call(tmp_path)

    (outbox,) = (tmp_path / "outbox").glob("*.db")
    rows = sqlite3.connect(outbox).execute("SELECT provider, billable FROM receipt").fetchall()
    assert rows == [("openai", 1)]
