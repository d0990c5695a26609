"""Where ANCHOR_HOME is and what lies in it; the environment names that both halves read."""

from __future__ import annotations

import os

OUTBOX_FOLDER = "outbox"
WAREHOUSE_FILE = "warehouse.duckdb"
REPORT_FILE = "report.duckdb"
ARCHIVE_FOLDER = "archive"
QUARANTINE_FOLDER = "quarantine"
SALT_FILE = "key-salt"
CONFIG_FILE = "anchor.toml"
CONFIG_VARIABLE = "ANCHOR_CONFIG"


def default_home(environ: os._Environ[str] | dict[str, str] = os.environ) -> str:
    """The home when ANCHOR_HOME is not set; per user, never below /tmp.

    `$XDG_STATE_HOME/anchor`, else `~/.local/state/anchor` (XDG Base Directory Specification 0.8).
    """
    state = environ.get("XDG_STATE_HOME") or ""
    # The specification: a relative path in the variable is invalid and must be ignored.
    if not os.path.isabs(state):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "anchor")


def home(environ: os._Environ[str] | dict[str, str] = os.environ) -> str:
    """ANCHOR_HOME as an absolute path; it need not exist yet."""
    return os.path.abspath(environ.get("ANCHOR_HOME") or default_home(environ))


def config_path(environ: os._Environ[str] | dict[str, str] = os.environ) -> str:
    """The policy file: ANCHOR_CONFIG, else `anchor.toml` in the home; it need not exist."""
    return environ.get(CONFIG_VARIABLE) or os.path.join(home(environ), CONFIG_FILE)
