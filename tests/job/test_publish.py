"""report.duckdb keeps its promises: names, types, comments, privacy, and never half a file."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, Outbox, event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)

# What users build upon; more columns are welcome, none of these may go.
CONTRACT = {
    "receipts": """
        receipt_id occurred_at duration_ms team service feature environment region cost_center
        user_id request_id trace_id call_site labels attribution_source provider provider_host
        provider_account api_key_id sdk operation request_model response_model response_id
        outcome http_status stream attempts usage_source raw_usage input_tokens output_tokens
        cache_read_tokens cache_write_tokens reasoning_tokens billable parent_receipt_id
        estimated_cost_usd price_status rate_card_id anchored_cost anchored_currency invoice_id
        invoice_line_id match_level""",
    "usage_lines": "receipt_id meter quantity unit unit_price_usd cost_usd rate_card_id",
    "app_costs": """
        period provider invoice_id team service environment response_model calls
        estimated_cost_usd anchored_cost currency status""",
    "feature_costs": """
        period provider feature calls estimated_cost_usd anchored_cost currency status""",
    "user_costs": "period provider user_id calls estimated_cost_usd anchored_cost currency status",
    "request_costs": "period provider request_id calls estimated_cost_usd anchored_cost currency",
    "reconciliation": """
        period provider account invoice_id invoice_total currency estimated_total_usd untracked
        unallocated variance variance_percent threshold flagged status mode""",
    "exception_events": """
        event_id occurred_at class provider dependency http_status code exception_type message
        service incident_id""",
    "unpriced_models": "period provider request_model response_model calls first_seen last_seen",
    "unattributed_costs": "period provider team service call_site calls estimated_cost_usd",
    "capture_health": """
        service outboxes open_outboxes quarantined_files missing_rows corrupt_rows
        last_receipt_at""",
    "provider_health": "hour provider model calls failed_calls rate_limited timeouts circuit",
    "budgets": """
        budget period team service environment amount currency spent status spent_percent
        forecast_p50 forecast_p90""",
    "anomalies": "hour team service environment cost_usd expected_usd status incident_id",
    "retries": "slot service provider class wasted_requests wasted_ms wasted_usd finding",
    "failed_calls": "period provider outcome class stream calls estimated_cost_usd status",
    "new_error_codes": "provider code http_status class failed_requests first_seen last_seen",
}


@pytest.fixture
def published(tmp_path):
    """Publishes what the outboxes of tmp_path hold; returns a query function on the report."""

    def query(sql):
        with open_warehouse(tmp_path) as con:
            ship(con, [tmp_path], NOW)
            path = publish(con, tmp_path, NOW)
        with duckdb.connect(str(path), read_only=True) as report:
            return report.execute(sql).fetchall()

    return query


@pytest.mark.parametrize("view", CONTRACT)
def test_view_has_the_promised_columns(published, view):
    found = {name for (name,) in published(f"SELECT column_name FROM (DESCRIBE {view})")}

    assert set(CONTRACT[view].split()) - found == set()


def test_no_column_is_a_binary_fraction(published):
    types = published(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        " AND data_type NOT IN ('VARCHAR', 'BIGINT', 'INTEGER', 'BOOLEAN', 'TIMESTAMP', 'JSON',"
        " 'DECIMAL(38,18)', 'DECIMAL(38,9)', 'DECIMAL(38,6)')"
    )

    assert types == []


@pytest.mark.parametrize("name", ["cost", "total", "amount", "variance", "untracked", "threshold"])
def test_money_has_eighteen_decimals(published, name):
    types = published(
        "SELECT DISTINCT data_type FROM duckdb_columns()"
        f" WHERE column_name SIMILAR TO '(.*_)?{name}(_usd)?'"
    )

    assert set(types) <= {("DECIMAL(38,18)",)}


def test_everything_has_a_comment(published):
    assert (
        published(
            "SELECT table_name, column_name FROM duckdb_columns()"
            # Those of kept_rows are the columns of the views beside it.
            " WHERE NOT internal AND schema_name = 'main' AND comment IS NULL"
            " UNION ALL SELECT table_name, NULL FROM duckdb_tables() WHERE comment IS NULL"
        )
        == []
    )


def test_report_is_private_and_leaves_nothing_beside(published, tmp_path):
    published("SELECT 1")

    assert stat.S_IMODE((tmp_path / "report.duckdb").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if "report" in path.name) == [
        "report.duckdb"
    ]


def test_open_reader_keeps_the_old_report(published, tmp_path):
    left_behind(tmp_path, receipt(1))
    published("SELECT 1")
    with duckdb.connect(str(tmp_path / "report.duckdb"), read_only=True) as old:
        left_behind(tmp_path, receipt(2), name="second")
        with open_warehouse(tmp_path) as con:
            ship(con, [tmp_path], NOW)
            publish(con, tmp_path, NOW)

        assert old.execute("SELECT count(*) FROM receipts").fetchone() == (1,)
    assert published("SELECT count(*) FROM receipts") == [(2,)]


def test_killed_build_does_not_disturb_the_next(published, tmp_path):
    published("SELECT 1")
    (tmp_path / ".report.duckdb.new").write_bytes(b"half a file")

    assert published("SELECT count(*) FROM receipts") == [(0,)]


def test_report_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / ".report.duckdb.new").mkdir()

    with open_warehouse(tmp_path) as con, pytest.raises(StoreError, match="the last one stays"):
        publish(con, tmp_path, NOW)


def test_missing_usage_is_null_not_zero(published, tmp_path):
    left_behind(tmp_path, receipt(1, raw_usage=None, usage_shape=None, usage_source="absent"))

    assert published(
        "SELECT raw_usage, input_tokens, output_tokens, estimated_cost_usd FROM receipts"
    ) == [(None, None, None, None)]


def test_broken_json_of_a_label_is_null_not_an_error(published, tmp_path):
    left_behind(tmp_path, receipt(1, labels="{half"))

    assert published("SELECT labels FROM receipts") == [(None,)]


def test_unmapped_host_comes_with_the_line_to_add(published, tmp_path):
    left_behind(tmp_path, receipt(1, provider="unmapped", provider_host="10.0.0.5:8080"))

    assert published("SELECT provider_host, calls, line_to_add FROM unmapped_hosts") == [
        ("10.0.0.5:8080", 1, "ANCHOR_PROVIDER_HOSTS=10.0.0.5:8080=PROVIDER")
    ]


def test_calls_without_an_owner_are_listed(published, tmp_path):
    left_behind(tmp_path, receipt(1), receipt(2, team=None), receipt(3, team=None))

    assert published("SELECT team, service, calls FROM unattributed_costs") == [
        (None, "chatbot", 2)
    ]


def test_capture_health_counts_gaps_and_names_the_last_receipt(published, tmp_path):
    Outbox(tmp_path).write(receipt(1), receipt(2), event(3), receipt(4)).run(
        "DELETE FROM receipt WHERE seq = 2"
    ).die()

    assert published(
        "SELECT host, program, service, outboxes, receipts, events, missing_rows, corrupt_rows,"
        " epoch_us(last_receipt_at) FROM capture_health"
    ) == [("laptop", "app.py", "chatbot", 1, 2, 1, 1, 0, START_US + 4_000_000)]


def test_nameless_damaged_file_shows_in_capture_health(published, tmp_path):
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "foreign.db").write_bytes(b"x" * 2000)

    assert published("SELECT service, quarantined_files FROM capture_health") == [(None, 1)]


def test_provider_health_counts_a_failed_call_once(published, tmp_path):
    left_behind(
        tmp_path,
        receipt(1),
        receipt(2, outcome="error"),
        event(2, receipt_id="receipt-000002", request_model="gpt-4o", event_class="timeout"),
        event(3, request_model="gpt-4o"),
        event(4, provider=None, dependency="redis:6379", event_class="network"),
    )

    assert published(
        "SELECT provider, model, calls, failed_calls, rate_limited, timeouts, network_errors"
        " FROM provider_health"
    ) == [("openai", "gpt-4o", 3, 2, 1, 1, 0)]


def test_request_that_the_sdk_sent_again_is_no_failed_call(published, tmp_path):
    again = event(1, retried=1, request_model="gpt-4o")
    left_behind(tmp_path, again, receipt(2, attempts=2))

    assert published("SELECT calls, failed_calls, rate_limited FROM provider_health") == [(1, 0, 1)]
    assert published("SELECT retried FROM exception_events") == [(True,)]


def test_refused_headers_are_counted_by_program(published, tmp_path):
    refused = event(1)._replace(event_class="headers_refused", code="untrusted", provider=None)
    more = refused._replace(event_id="event-2", attempts=3)
    left_behind(tmp_path, refused._replace(attempts=4), more, receipt(1))

    assert published("SELECT program, refused_headers FROM capture_health") == [("app.py", 7)]
    assert published("SELECT sum(calls) FROM provider_health") == [(1,)]


def relations(path):
    """Every relation of a report: its rows, as they are ordered there where order is promised."""
    with duckdb.connect(str(path), read_only=True) as report:
        names = [name for (name,) in report.execute("SHOW TABLES").fetchall()]
        order = {name: "" if name == "receipts" else "ORDER BY ALL" for name in names}
        return {name: report.execute(f"FROM {name} {order[name]}").fetchall() for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["110MB", "1MB"], ids=["little", "hopelessly little"])
def test_little_memory_publishes_the_same(tmp_path, monkeypatch, limit):
    Outbox(tmp_path).write_many(1).die()
    with open_warehouse(tmp_path) as con:
        ship(con, [tmp_path], NOW)
        con.execute(
            "INSERT INTO receipt BY NAME SELECT * EXCLUDE (i) REPLACE (receipt_id || i AS"
            " receipt_id, occurred_at - to_seconds(i * 7919 % 86400) AS occurred_at,"
            " md5(i::VARCHAR) || repeat(md5(i::VARCHAR), 20) AS call_site)"
            " FROM receipt, range(30000) AS many(i)"
        )
        plenty = relations(publish(con, tmp_path, NOW))
        monkeypatch.setattr("anchor_autopatch.job.publish.MEMORY_LIMIT", limit)

        little = relations(publish(con, tmp_path, NOW))

    assert [name for name in plenty if plenty[name] != little[name]] == []


def test_cost_that_the_provider_tells_stands_beside_the_estimate(tmp_path, published):
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost_in_usd_ticks": 8_171_500}
    told = {"provider": "xai", "request_model": "grok-4.3", "raw_usage": json.dumps(usage)}
    left_behind(tmp_path, receipt(usage_shape="openai.chat", **told))
    with open_warehouse(tmp_path) as con:
        ship(con, [tmp_path], NOW)
        measure(con, NOW)

    found = published("SELECT provider_cost_usd FROM receipts")

    assert found == [(Decimal("0.00081715"),)]
