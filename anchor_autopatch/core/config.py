"""Reads `anchor.toml`: provider hosts, key accounts and contract settings.

The job validates, the host forgives.
"""

from __future__ import annotations

import os
import tomllib
from typing import Any

from anchor_autopatch.core.errors import ConfigError


def load_config(path: str) -> dict[str, Any]:
    """The policy file as a dict; {} when there is none.

    Raises:
        ConfigError: the file exists and is not TOML in UTF-8, or cannot be read.
    """
    # os.path and open(), not pathlib: the host reads this file too, and importing pathlib would
    # cost its start-up 8 ms.
    if not os.path.exists(path):
        return {}
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    # RecursionError: tomllib calls itself for each array within an array.
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"Cannot read {path!r} as TOML: {error}; mend the line it names"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"Cannot open {path!r}: {error.strerror}; check its permissions"
        ) from error
