"""Every SQL text of the job: `schema/*.sql` makes the tables, the rest are named statements."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from anchor_autopatch.core.sql_files import read_statements

__all__ = ("load", "read_script", "schema_scripts")


@cache
def load(name: str) -> dict[str, str]:
    """Statement name -> SQL of `name`.sql, in the order of the file."""
    return read_statements(__name__, name)


def read_script(name: str) -> str:
    """The whole text of `name`.sql, for a file that is run from top to bottom."""
    return files(__name__).joinpath(f"{name}.sql").read_text("utf-8")


def schema_scripts() -> list[str]:
    """The texts of `schema/*.sql`, in the order of their numbers."""
    scripts = sorted(files(__name__).joinpath("schema").iterdir(), key=lambda script: script.name)
    return [script.read_text("utf-8") for script in scripts if script.name.endswith(".sql")]
