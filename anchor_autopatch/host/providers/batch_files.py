"""Output files of batches, where the batch itself tells no usage (Azure, Groq, Mistral, Together).

The lines of the file tell it, when the application downloads them. They are summed by model: one
batch has one model nearly always, and nobody pays by the line. Which file is a batch's output is
known from the retrieval that named it to the application, in this process.

Sources: batch objects of openai 3.54, groq 1.7 and mistralai 1.12 to 3.7; Gemini's batch guide
(read 2026-11).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen
from anchor_autopatch.host.clients import fields
from anchor_autopatch.host.providers import objects
from anchor_autopatch.host.providers.answers import UnreadBody, is_read
from anchor_autopatch.host.providers.reading import get, text, to_json

# Containers and vector stores have files of their own.
_CONTENT = re.compile(r"\A/?(?:openai/)?(?:v\d\w*/)?files/([^/:]+)(?:/content|:download)\Z")
_FILE_NAMES = ("output_file_id", "output_file", "responsesFile")
_LIMIT = 1_024
_SLICE = 1_048_576
_outputs: OrderedDict[str, str] = OrderedDict()
"""File id -> id of its batch; the oldest goes first."""


class OutputFile(objects.Request):
    """Marks a download of a batch's answers; stands in `call.reader` until they come."""

    __slots__ = ("batch_id",)

    def __init__(self, path: str, batch_id: str) -> None:
        super().__init__("batch", path, retrieved=True)
        self.batch_id = batch_id


def note(batch_id: str, answer: Any) -> bool:
    """Notes which file holds the answers of a batch; False when there is none yet."""
    named = next(filter(None, (text(answer, name) for name in _FILE_NAMES)), None)
    if named is None:
        return False
    _outputs[named.rpartition("/")[2]] = batch_id
    if len(_outputs) > _LIMIT:
        _outputs.popitem(last=False)
    return True


def operation(method: str, path: str) -> str | None:
    """What a request is when its file turns out to be a batch's output; None for no download."""
    return "batch" if method == "GET" and _CONTENT.search(path) else None


def request(method: str, path: str) -> OutputFile | None:
    """The download that a request asks for; None where the file is not known for a batch's."""
    found = _CONTENT.search(path) if method == "GET" and _outputs else None
    batch_id = _outputs.get(found[1]) if found else None
    return OutputFile(path, batch_id) if batch_id is not None else None


class Sums:
    """The usage of a batch's answers, summed by model."""

    def __init__(self) -> None:
        self._usage: dict[tuple[str | None, str], dict[str, Any]] = {}
        self._count: dict[tuple[str | None, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._usage)

    def add(self, answer: dict[str, Any]) -> None:
        """Takes one answer: a response body, or what is known of it."""
        found = _usage(answer)
        if found is not None:
            usage, shape, model = found
            self._usage[model, shape] = _added(self._usage.get((model, shape), {}), usage)
            self._count[model, shape] = self._count.get((model, shape), 0) + 1

    def objects(self, batch_id: str) -> list[objects.Object]:
        """One object for each model; a single one under the batch's own id.

        By that a usage of the batch's own and its submission are known, so it counts once.
        """
        several = len(self._usage) > 1
        found = []
        for (model, shape), usage in self._usage.items():
            named = f"{batch_id}#{model}" if several else batch_id
            told: dict[str, object] = {"batch": True, "requests": self._count[model, shape]}
            seen = Seen(to_json(usage), shape, model, named, told)
            found.append(objects.Object(named, True, seen, batch_id=batch_id if several else None))
        return found


class _Lines:
    """Takes the bytes of an output file, as `clients.bodies` has its sinks."""

    def __init__(self) -> None:
        self.failure: dict[str, Any] | None = None
        self.sums = Sums()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self.sums.add(fields.sought(line))

    def end(self) -> None:
        """Takes the last line, behind which no end stands."""
        self.sums.add(fields.sought(self._rest))
        self._rest = b""

    def seen(self) -> Seen:
        return NOTHING

    def complete(self) -> bool:
        return True


class OutputReader(UnreadBody):
    """Sums the usage of the lines that pass by; the application's bytes are not touched."""

    def __init__(self, call: Call, asked: OutputFile) -> None:
        super().__init__(asked.operation, lambda _operation, _answer: NOTHING)
        self._lines = _Lines()
        self.sink = self._lines
        self._call = call
        self._asked = asked
        self._told = False

    def feed(self, chunk: Any) -> bool:
        """Takes the next bytes; nothing is ever hidden."""
        self._lines.feed(chunk)
        return False

    def closed(self, response: Any) -> None:
        """Takes the body, where the application has read it whole."""
        if not is_read(response) or self._lines.sums:
            return
        body = response.content
        for start in range(0, len(body), _SLICE):
            # In slices: all lines of a large file at once would be a second copy of it.
            self._lines.feed(body[start : start + _SLICE])

    def seen(self) -> Seen:
        """Nothing of its own: each model has a row, told here once."""
        if not self._told:
            self._told = True
            self._lines.end()
            found = self._lines.sums.objects(self._asked.batch_id)
            objects.each(self._call, self._asked, found)
        return NOTHING


def watch(call: Call, asked: OutputFile, response: Any) -> None:
    """Links a download with its response; one that has been read is told at once."""
    reader = OutputReader(call, asked)
    call.reader = reader
    streams.watch(response, call)
    if is_read(response):
        reader.closed(response)
        streams.leave_response(response)


def _usage(answer: dict[str, Any]) -> tuple[dict[str, Any], str, str | None] | None:
    """Usage, its shape and the model of one line; None for a request that failed."""
    usage = answer.get("usage")
    if isinstance(usage, dict):
        shape = "openai.chat" if "prompt_tokens" in usage else "openai.responses"
        return usage, shape, text(answer, "model")
    usage = answer.get("usageMetadata")
    if isinstance(usage, dict):
        return usage, "gemini.generate_content", text(answer, "modelVersion")
    return None


def _added(total: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The counts of both; of what is no count, the first that was told."""
    found = dict(total)
    for name, value in more.items():
        known = get(found, name)
        if isinstance(value, dict):
            found[name] = _added(known if isinstance(known, dict) else {}, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = value + (known if isinstance(known, (int, float)) else 0)
        else:
            found.setdefault(name, value)
    return found
