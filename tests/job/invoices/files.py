"""Reads invoice files as the import does, without a warehouse; sample payloads where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anchor_autopatch.job.invoices.importing import read_file
from anchor_autopatch.job.invoices.values import Context, naive_utc
from tests.job.billed import NOW

SAMPLES = Path(__file__).parents[4] / "shared/data/invoice-payloads"


def sample(name):
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"sample payload {name} is not beside this checkout")
    return path


def save(folder, payload, name="payload"):
    """A file of a text, or of JSON."""
    path = folder / name
    path.write_text(payload if isinstance(payload, str) else json.dumps(payload), "utf-8")
    return path


def read(path, source="auto", **context):
    return read_file(path, source, Context(naive_utc(NOW), **context))


def landed(path, source="auto", **context):
    """What a good file says."""
    file = read(path, source, **context)
    assert [finding.message for finding in file.findings.found] == []
    return file.landed


def lines(path, *fields, source="auto", **context):
    """The fields of every line of the one invoice of a good file."""
    (invoice,) = landed(path, source, **context).invoices
    return [tuple(getattr(line, name) for name in fields) for line in invoice.lines]


def told(path, source="auto", **context):
    """What is wrong with a bad file."""
    return [finding.message for finding in read(path, source, **context).findings.in_order()]
