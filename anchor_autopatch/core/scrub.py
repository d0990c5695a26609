"""Removes secrets from a text before it is stored; linear patterns only, bounded input.

The list follows the key formats that the providers document and the usual carriers (URL
credentials, query parameters, authorization headers); it was checked against the threat model's
table (2026-11).
"""

from __future__ import annotations

import re

MESSAGE_LIMIT = 512
_INPUT_LIMIT = 8_192

_SECRETS = re.compile(
    r"""
      -----BEGIN\ [A-Z ]{0,40}-----[^-]{0,8000}(?:-----END\ [A-Z ]{0,40}-----)?   # PEM
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?              # JWT
    | \bAIza[A-Za-z0-9_\-*]{10,}
    | \b(?:AKIA|ASIA|AROA)[A-Z0-9]{8,}
    | (?<=://)[^\s/@]{1,256}:[^\s/@]{1,256}(?=@)                       # user:password@host
    """,
    re.VERBOSE,
)
_PREFIXES = (
    r"\b(?:sk|rk|pk|ek|xai|gsk|hf|ghp|gho|ghs|github_pat|glpat|xox[a-z]|ya29|npm|pypi|r8"
    r"|key|whsec|pplx|tvly|fw)[-_.]"
)
_PREFIXED = re.compile(_PREFIXES + r"[A-Za-z0-9_.\-*]{6,}")
# In the name of a team or a service the prefix alone says nothing (key-accounts, sk-bratislava):
# there it takes what no name has, a run of 16 letters and digits.
_PREFIXED_KEY = re.compile(
    _PREFIXES
    + r"(?:[A-Za-z0-9]{2,8}[-_]){0,3}(?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{16,256}[\w.\-*]{0,256}"
)
# `tokens` stays: `max_tokens=4096` in the text of an error is a count. What a pattern before this
# one has masked is not masked once more.
_CARRIERS = re.compile(
    r"""(?ix)
    ( \b(?:bearer|basic)\s+
    | ["']?\b(?:[\w-]{0,32}(?:api[-_]?key|secret|token(?!s)|passwo?r?d|passwd|pwd
        |authorization|credential|signature)[\w-]{0,16}
        |key|sig|auth)
      ["']?\s{0,4}[=:]\s{0,4}["']?(?:(?:bearer|basic)\s+)?
    )
    (?!\[redacted\]|(?:bearer|basic)\s)[^\s"'&,;<>)}\]]{3,}
    """
)
_HARMLESS = re.compile(r"[a-z0-9._/-]{1,15}|[0-9a-f-]{1,64}").fullmatch
MASK = "[redacted]"


def scrub(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text without secrets, cut to `limit` characters.

    Without control characters or lone surrogates.
    """
    return _scrubbed(text, _PREFIXED, limit)


def scrub_name(text: str, limit: int) -> str:
    """Like `scrub`, for names that people give: what only looks like the start of a key stays."""
    return _scrubbed(text, _PREFIXED_KEY, limit)


def is_harmless(text: str) -> bool:
    """True for short words and hexadecimal ids, of which `scrub_name` takes nothing away.

    Its patterns need capitals, a colon, an equals sign, or a prefix with a letter beyond f before a
    run of 16 letters and digits. Asking costs a tenth of scrubbing.
    """
    return _HARMLESS(text) is not None


def _scrubbed(text: str, prefixed: re.Pattern[str], limit: int) -> str:
    # Cut before it is searched: an exception may quote a request of megabytes.
    text = text[:_INPUT_LIMIT]
    text = _SECRETS.sub(MASK, text)
    text = prefixed.sub(MASK, text)
    text = _CARRIERS.sub(lambda match: match.group(1) + MASK, text)
    # SQLite refuses a lone surrogate; control characters could forge a second line in a log.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)[:limit]
