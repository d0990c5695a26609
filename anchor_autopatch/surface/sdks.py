"""The supported SDKs: which distribution, and how its methods are read."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from anchor_autopatch.surface import source, ways
from anchor_autopatch.surface.source import Method

_Reader = Callable[[Path], set[Method]]


class Sdk(NamedTuple):
    """An SDK whose methods can be read."""

    name: str
    distribution: str
    package: str
    """Folder of the import package in site-packages."""
    read: _Reader


class Installed(NamedTuple):
    """An SDK as it lies in this environment."""

    version: str
    folder: Path


def find(sdk: Sdk) -> Installed | None:
    """Where the SDK is installed in this environment, None when it is not."""
    try:
        found = distribution(sdk.distribution)
    except PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file(sdk.package)))
    return Installed(found.version, folder) if folder.is_dir() else None


def _stainless(folder: Path) -> set[Method]:
    resources = folder / "resources"
    return source.methods(resources, sorted(resources.rglob("*.py")), ways.STAINLESS)


def _google_genai(folder: Path) -> set[Method]:
    found = source.methods(folder, sorted(folder.glob("*.py")), ways.GENAI)
    later = folder / "_gaos"
    found |= source.methods(later, _resources(later), ways.SPEAKEASY)
    # Version 1 has a whole client below it, which is not the one that later versions have.
    earlier = folder / "_interactions" / "resources"
    return found | {
        method._replace(name=f"_interactions.{method.name}")
        for method in source.methods(earlier, sorted(earlier.rglob("*.py")), ways.STAINLESS)
    }


def _resources(folder: Path) -> list[Path]:
    # sdk.py only gathers the others, and what begins with an underscore is no application's.
    return [path for path in sorted(folder.glob("[!_]*.py")) if path.stem != "sdk"]


def _mistralai(folder: Path) -> set[Method]:
    found = set()
    for root, client in _mistral_clients(folder):
        # Version 1 has modules named so beside those of its resources.
        files = [path for path in _resources(client) if path.stem not in ("basesdk", "models")]
        found |= source.methods(root, files, ways.SPEAKEASY)
    sockets = folder / "extra"
    return found | source.methods(sockets, sorted(sockets.glob("realtime/*.py")), ways.SOCKETS)


def _mistral_clients(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The client and its copies for two clouds: what names count from, and the modules' folder."""
    if (folder / "client").is_dir():
        yield folder / "client", folder / "client"
        yield from ((folder, copy) for copy in sorted(folder.glob("*/client")))
        return
    yield folder, folder
    for copy in sorted(folder.parent.glob("mistralai_*")):
        if copy.is_dir() and not copy.suffix:
            yield copy.parent, copy


def _cohere(folder: Path) -> set[Method]:
    return source.methods(folder, sorted(folder.rglob("raw*client.py")), ways.FERN)


def _xai(folder: Path) -> set[Method]:
    sync = folder / "sync"
    return source.methods(sync, sorted(sync.glob("*.py")), ways.GRPC)


def _botocore(folder: Path) -> set[Method]:
    """Operations of the service models: they are data, not code."""
    return {
        Method(f"{service}.{name}", "{method} {requestUri}".format_map(operation["http"]))
        for service in ("bedrock-runtime", "bedrock-agent-runtime")
        for path in sorted((folder / "data" / service).glob("*/service-2.json.gz"))
        for name, operation in json.loads(gzip.decompress(path.read_bytes()))["operations"].items()
    }


def _litellm(folder: Path) -> set[Method]:
    """The functions under its decorator; `acompletion` is `completion`."""
    found = dict(_decorated(folder))
    names = set(found.values())
    return {
        Method(name, "")
        for (place, function), name in found.items()
        if not (function.startswith("a") and _litellm_name(place, function[1:]) in names)
    }


_DECORATORS = {"client", "wrapper_client"}
_UNDECORATED = {"ocr", "batch_completion", "batch_completion_models"}
_DECORATED_FILE = re.compile(rb"^@(?:wrapper_)?client$", re.MULTILINE)


def _decorated(folder: Path) -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted(folder.rglob("*.py")):
        place = ".".join(path.relative_to(folder).parent.parts)
        if place not in ("ocr", "batch_completion") and not _DECORATED_FILE.search(
            path.read_bytes()
        ):
            continue
        for function in source.functions(path):
            words = {getattr(word, "id", None) for word in function.decorator_list}
            if words & _DECORATORS or function.name in _UNDECORATED:
                yield (place, function.name), _litellm_name(place, function.name)


def _litellm_name(place: str, function: str) -> str:
    # Where litellm itself exports it under its bare name, or under its module's.
    bare = not place or "_" in function or place.removesuffix("_api") in (function, function[1:])
    return function if bare else f"{place}.{function}"


SDKS = (
    Sdk("openai", "openai", "openai", _stainless),
    Sdk("anthropic", "anthropic", "anthropic", _stainless),
    Sdk("google-genai", "google-genai", "google/genai", _google_genai),
    Sdk("litellm", "litellm", "litellm", _litellm),
    Sdk("botocore", "botocore", "botocore", _botocore),
    Sdk("xai-sdk", "xai-sdk", "xai_sdk", _xai),
    Sdk("groq", "groq", "groq", _stainless),
    Sdk("mistralai", "mistralai", "mistralai", _mistralai),
    Sdk("cohere", "cohere", "cohere", _cohere),
)
