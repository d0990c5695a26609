"""Cards become segments by when they were seen, in any order of loading."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.job.rates import source, sync_installed, sync_table
from anchor_autopatch.job.rates.source import PriceTable, parse_table, read_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, cost, load_table, run

SHARED_TABLES = Path(__file__).parents[2] / ".." / "shared" / "data" / "price-tables"
needs_tables = pytest.mark.skipif(
    not SHARED_TABLES.is_dir(), reason="no collection of real price tables beside this checkout"
)
EARLIER = datetime(2026, 10, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 10, tzinfo=UTC)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rate_of(usd):
    return {"input_cost_per_token": usd, "output_cost_per_token": 0}


def segments(con, model="gpt-4o"):
    """(from, to, input rate) of the current list segments of a model."""
    sql = """
        SELECT DISTINCT valid_from::DATE::VARCHAR, valid_to::DATE::VARCHAR, rate.input_tokens_usd
        FROM rate_segment
        JOIN rate USING (rate_sheet_id)
        WHERE model_key = ? AND superseded_at IS NULL AND tier = 'standard'
        ORDER BY ALL
    """
    return con.execute(sql, [model]).fetchall()


def all_segments(con):
    sql = """
        SELECT model_key, valid_from, valid_to, rate_sheet_id
        FROM rate_segment WHERE superseded_at IS NULL ORDER BY ALL
    """
    return con.execute(sql).fetchall()


def test_first_card_prices_the_past_and_says_so(con):
    load_table(con, {"gpt-4o": rate_of(0.001)})
    add(con, occurred_at=NOON - timedelta(days=400))

    run(con)

    assert cost(con) == 1
    provenance = con.execute("SELECT provenance FROM rate_segment").fetchall()
    assert provenance == [("oldest known rates",)]


@pytest.mark.parametrize(
    ("day", "expected"), [("2026-11-09T23:59:59", "1"), ("2026-11-10T00:00", "2")]
)
def test_receipt_takes_the_rates_of_its_instant(con, day, expected):
    load_table(con, {"gpt-4o": rate_of(0.001)}, seen=EARLIER)
    load_table(con, {"gpt-4o": rate_of(0.002)}, seen=LATER)
    add(con, occurred_at=datetime.fromisoformat(day))

    run(con)

    assert cost(con) == Decimal(expected)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_cards_in_any_order_give_the_same_segments(con, order):
    cards = [(rate_of(0.001), EARLIER), (rate_of(0.002), LATER), (rate_of(0.001), NOW)]

    for index in order:
        fields, seen = cards[index]
        # Another model tells the first card from the third.
        load_table(con, {"gpt-4o": fields, f"m{index}": rate_of(1e-6)}, seen=seen)

    assert segments(con) == [
        ("1970-01-01", "2026-11-10", Decimal("0.001")),
        ("2026-11-10", "2026-11-22", Decimal("0.002")),
        ("2026-11-22", "9999-12-31", Decimal("0.001")),
    ]


def test_known_card_seen_again_moves_nothing(con):
    load_table(con, {"gpt-4o": rate_of(0.001)}, seen=EARLIER)
    load_table(con, {"gpt-4o": rate_of(0.002)}, seen=LATER)
    before = all_segments(con)

    report = load_table(con, {"gpt-4o": rate_of(0.001)}, seen=NOW)

    assert not report.is_new
    assert all_segments(con) == before


def test_digits_written_otherwise_are_no_change(con):
    for version, text in (("1", "5.0000000000000004E-8"), ("2", "0.00000005")):
        published = PriceTable(version, text, {"gpt-4o": _entry(text)})
        report = sync_table(con, published, observed_at=NOW, now=NOW)

    assert not report.is_new


def test_whole_numbers_are_one_price_however_written(con):
    load_table(con, {"gpt-4o": {"input_cost_per_token": 0}})

    assert not load_table(con, {"gpt-4o": {"input_cost_per_token": 0.0}}).is_new


def _entry(text):
    rate = Decimal(text)
    return {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": rate}


def test_model_that_vanishes_keeps_its_last_rates(con):
    load_table(con, {"gpt-4o": rate_of(0.001), "kept": rate_of(1)}, seen=EARLIER)
    load_table(con, {"kept": rate_of(1)}, seen=LATER)
    add(con)

    run(con)

    assert cost(con) == 1


def test_field_that_vanishes_is_a_change(con):
    premium = {"input_cost_per_token_above_200k_tokens": 1}
    load_table(con, {"gpt-4o": rate_of(0.001) | premium}, seen=EARLIER)

    report = load_table(con, {"gpt-4o": rate_of(0.001)}, seen=LATER)

    assert report.changed_models == 1


def test_superseded_knowledge_stays_on_record(con):
    load_table(con, {"gpt-4o": rate_of(0.002)}, seen=LATER)
    load_table(con, {"gpt-4o": rate_of(0.001)}, seen=EARLIER, now=NOW + timedelta(days=1))

    superseded = con.execute("SELECT COUNT(*) FROM rate_segment WHERE superseded_at IS NOT NULL")

    assert superseded.fetchone() == (1,)


def test_capability_rules_are_no_models(con):
    rules = {"fallback_generalizations": {"rules": []}, "sample_spec": _entry("1")}

    report = sync_table(
        con, PriceTable("1", "text", rules | {"gpt-4o": _entry("1")}), observed_at=NOW, now=NOW
    )

    assert report.model_count == 1


def test_installed_table_is_read_without_importing_litellm():
    import subprocess
    import sys

    code = (
        "import sys; from anchor_autopatch.job.rates.source import read_installed; "
        "assert len(read_installed().models) > 1000; assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_installed_table_syncs_once(con):
    first = sync_installed(con, NOW)
    second = sync_installed(con, NOW + timedelta(days=1))

    assert (first.is_new, second.is_new) == (True, False)
    assert first.new_models == first.model_count == len(all_segments(con))


def test_missing_litellm_says_what_to_type(monkeypatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"pip install 'anchor-autopatch\[job\]'"):
        read_installed()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b'{"gpt-4o": 1}'])
def test_file_that_is_no_price_table_is_refused(tmp_path, content):
    path = tmp_path / "prices.json"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"prices\.json"):
        parse_table(path, "1")


def test_no_sql_type_of_the_job_is_a_binary_fraction():
    pattern = re.compile(r"\b(DOUBLE|FLOAT\d*|REAL)\b", re.IGNORECASE)

    offending = [
        f"{path.name}: {line.strip()}"
        for path in sorted(Path(str(files("anchor_autopatch.job.sql"))).rglob("*.sql"))
        for line in path.read_text("utf-8").splitlines()
        if pattern.search(re.sub(r"'[^']*'", "", line.partition("--")[0]))
    ]

    assert offending == []


def test_no_column_of_the_warehouse_is_a_binary_fraction(con):
    sql = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"

    types = con.execute(sql).fetchall()

    assert [row for row in types if re.search("DOUBLE|FLOAT|REAL", row[2])] == []


@needs_tables
@pytest.mark.slow
def test_real_tables_in_any_order_give_the_same_segments(tmp_path):
    index = json.loads((SHARED_TABLES / "index.json").read_text())
    outcomes = []
    for seed in (1, 2):
        random.Random(seed).shuffle(index)
        with open_warehouse(tmp_path / str(seed)) as con:
            for entry in index:
                seen = datetime.fromisoformat(entry["pypi_upload"]).replace(tzinfo=UTC)
                sync_table(con, _read(entry), observed_at=seen, now=NOW)
            outcomes.append(all_segments(con))

    assert outcomes[0] == outcomes[1]


def _read(entry):
    text = gzip.decompress((SHARED_TABLES / entry["file"]).read_bytes())
    models = json.loads(text, parse_float=Decimal)
    held = {key: fields for key, fields in models.items() if isinstance(fields, dict)}
    return PriceTable(entry["version"], entry["sha256"], held)


def test_overlapping_segments_are_refused_when_a_table_is_loaded(con):
    load_table(con, {"gpt-4o": {"input_cost_per_token": 1e-6}})
    con.execute(
        "INSERT INTO rate_segment SELECT * REPLACE ('contract' AS source) FROM rate_segment"
    )
    con.execute("INSERT INTO rate_segment SELECT * FROM rate_segment WHERE source = 'contract'")

    with pytest.raises(StoreError, match="Two segments price 'gpt-4o' from 1970"):
        load_table(con, {"gpt-4o": {"input_cost_per_token": 2e-6}})
