"""Two hundred made-up secrets in the forms in which real ones are met; none opens anything."""

from __future__ import annotations

import base64
import random
import string
from typing import NamedTuple

COUNT = 200
_LETTERS = string.ascii_letters + string.digits


class Canary(NamedTuple):
    """A secret and a text that carries it."""

    secret: str
    """What must be found nowhere."""
    text: str


def _keys(core):
    """Keys that are known by their form wherever they stand."""
    return (
        f"sk-proj-{core}",
        f"sk-ant-api03-{core}-AA",
        f"AIza{core}",
        f"AKIA{core.upper()}",
        f"ghp_{core}",
        f"hf_{core}",
        f"xai-{core}",
        f"gsk_{core}",
        f"glpat-{core}",
        f"eyJhbGciOiJIUzI1NiJ9.{core}.{core}",
    )


def _carried(core):
    """Secrets that are known by what stands before them."""
    basic = base64.b64encode(f"user:{core}".encode()).decode()
    return (
        f"Authorization: Bearer {core}",
        f"Authorization: Basic {basic}",
        f"api_key={core}",
        f'{{"client_secret": "{core}"}}',
        f"password={core}",
        f"https://user:{core}@host.example/path",
        f"https://host.example/?key={core}&page=1",
        f"https://host.example/?sig={core}",
        f"x-goog-api-key: {core}",
        f"-----BEGIN PRIVATE KEY-----\n{core}\n-----END PRIVATE KEY-----",
    )


def canaries(seed=5):
    """COUNT of them, the same for one seed."""
    rng = random.Random(seed)
    made = []
    while len(made) < COUNT:
        # Every key of a provider has digits; one of letters alone could be a name.
        core = "".join(rng.choices(_LETTERS, k=22)) + str(rng.randrange(10, 100))
        forms = (*_keys(core), *_carried(core))
        text = forms[len(made) % len(forms)]
        secret = core if core in text else core.upper() if core.upper() in text else text[-20:]
        made.append(Canary(secret, text))
    return made
