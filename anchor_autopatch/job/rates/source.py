"""Reads LiteLLM's price table: from the installed package, without importing it, or from a file.

Importing litellm takes seconds and the network; the table is one JSON file in its folder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError

TABLE_FILE = "model_prices_and_context_window_backup.json"
_GZIP = b"\x1f\x8b"
_PIP_LINE = "pip install 'anchor-autopatch[job]'"


class PriceTable(NamedTuple):
    """A price list as published: model key -> its fields, numbers exact."""

    version: str
    content_sha256: str
    models: dict[str, dict[str, object]]
    source: str = "litellm"
    """litellm (the installed package) | file | url."""


def read_installed() -> PriceTable:
    """The table of the litellm package that this environment has.

    Raises:
        ConfigError: litellm is not installed, or its table is missing or is no price table.
    """
    path = _locate()
    try:
        installed = version("litellm")
    except PackageNotFoundError:
        installed = "unknown"
    return parse_table(path, installed)


def parse_table(path: Path, table_version: str) -> PriceTable:
    """A price table from a file in LiteLLM's format.

    Raises:
        ConfigError: the file cannot be read or is not a JSON object of models.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read the price table {str(path)!r}: {error.strerror}") from error
    return parse_content(content, table_version, str(path))


def read_file(path: Path, pinned: str | None) -> PriceTable:
    """The table in a file of the user's, plain or gzipped.

    Raises:
        ConfigError: the file cannot be read, is no price table, or is not the `pinned` one, whose
            SHA-256 (hex) is over the unpacked text.
    """
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        # What an OSError says of itself names the path once more; what gzip says has no such part.
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"Cannot read the price table {str(path)!r}: {why}") from error
    digest = hashlib.sha256(content).hexdigest()
    if pinned is not None and digest != pinned.lower():
        raise ConfigError(f"{str(path)!r} has the SHA-256 {digest}, expected {pinned}")
    return parse_content(content, path.name, str(path))._replace(source="file")


def parse_content(content: bytes, table_version: str, name: str) -> PriceTable:
    """A price table from the bytes of one; `name` says in errors where they come from.

    Raises:
        ConfigError: the bytes are not a JSON object of models.
    """
    try:
        # Decimal keeps every published digit; float would invent some.
        table = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"Cannot read {name!r} as a price table: {error}; expected JSON in LiteLLM's format"
        ) from error
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise ConfigError(f"{name!r} is not a price table: expected a JSON object of models")
    return PriceTable(table_version, hashlib.sha256(content).hexdigest(), table)


def _locate() -> Path:
    # A top-level name: find_spec looks it up and executes nothing.
    spec = find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / TABLE_FILE
        if path.is_file():
            return path
    if spec is None:
        raise ConfigError(f"The price list comes with litellm, which is not installed; {_PIP_LINE}")
    raise ConfigError(f"The installed litellm has no {TABLE_FILE!r}; {_PIP_LINE}")
