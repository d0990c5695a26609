"""Whatever stands in a payload in place of a value lands or is told in words: no traceback."""

from __future__ import annotations

import copy
import csv
import io
import json

import pytest

from tests.job.invoices.billing_server import Billing, Seen, day
from tests.job.invoices.files import read, save
from tests.job.invoices.test_cloud_exports import azure, cur, focus, gcp_row
from tests.job.invoices.test_spend_logs import spend
from tests.job.invoices.test_usage_reports import completions, messages
from tests.job.invoices.test_vendor_reports import activity, analytics, analytics_cost, preview

WRONG = (None, "", "x", -1, 1.5, 10**30, True, [], {}, [[]], "2026-13-01", "9" * 400, "\ud800")


def costs():
    params = {"start_time": day("2026-10-12"), "end_time": day("2026-10-13"), "limit": "9"}
    return Billing().answer(Seen("/organization/costs", params, {}, ""))


JSON = {
    "openai-costs": costs(),
    "openai-usage": completions(input_tokens=5, input_cached_tokens=2),
    "anthropic-usage": messages(uncached_input_tokens=5, cache_creation={"x": 1}),
    "anthropic-analytics": analytics_cost(),
    "xai-invoice": preview("371"),
    "xai-usage": analytics(("2026-10-12T00:00:00Z", 3.71)),
    "openrouter": {"data": [activity()]},
    "gcp-billing": [gcp_row(1.5, credits=[{"name": "p", "amount": -0.5}], labels=[{"key": "a"}])],
    "litellm-spend": [spend()],
}
TABLES = {
    "aws-cur": cur(tags='{"a": "b"}', line_item_usage_amount="3", pricing_unit="1K tokens"),
    "azure-cost": azure(),
    "focus": focus(Tags='{"a": "b"}', ConsumedQuantity="3", ConsumedUnit="1K", ListCost="3"),
}


def places(value, path=()):
    """The path of every value within a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, (dict, list)):
            yield from places(child, (*path, key))


def damaged(value, path, wrong):
    changed = copy.deepcopy(value)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = wrong
    return changed


def judge(file):
    """Reading ended in a way that it may end in: told, landed, or left out and said so."""
    return bool(file.findings.found) or any(file.landed)


@pytest.mark.parametrize("source", JSON)
def test_the_undamaged_payload_lands(tmp_path, source):
    assert read(save(tmp_path, JSON[source]), source).findings.found == []


@pytest.mark.parametrize("source", JSON)
def test_any_other_value_in_json_lands_or_is_told(tmp_path, source):
    for path in list(places(JSON[source])):
        for wrong in WRONG:
            file = read(save(tmp_path, damaged(JSON[source], path, wrong)), source)
            assert judge(file) or path[-1] in {"results", "data", "timeSeries"}, (path, wrong)


@pytest.mark.parametrize("source", JSON)
def test_json_that_is_cut_off_anywhere_is_told(tmp_path, source):
    text = json.dumps(JSON[source])

    for end in range(1, len(text), 5):
        assert read(save(tmp_path, text[:end]), source).findings.found, end


@pytest.mark.parametrize("source", TABLES)
def test_any_other_value_in_a_table_lands_or_is_told(tmp_path, source):
    ((header, row), *_) = [list(csv.reader(io.StringIO(TABLES[source])))]
    for at in range(len(header)):
        for wrong in map(str, WRONG[1:-1]):
            text = io.StringIO()
            csv.writer(text).writerows([header, [*row[:at], wrong, *row[at + 1 :]]])
            assert judge(read(save(tmp_path, text.getvalue()), source)), (header[at], wrong)
