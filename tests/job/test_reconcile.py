"""The cron line end to end: outboxes and an invoice in, a published split to the cent out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation.split import read_split
from anchor_autopatch.job.invoices import TypedTotal, add_total, import_file
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def home(synced_home):
    return synced_home


def calls(service, count, first=1, **fields):
    return [receipt(first + number, service=service, **fields) for number in range(count)]


def add_invoice(home, provider, total):
    with open_warehouse(home) as con:
        add_total(con, TypedTotal(provider, "2026-09", total, "USD"), NOW)


def query(home, sql):
    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_bill_is_split_to_the_cent(home):
    left_behind(home, *calls("images", 84), *calls("chatbot", 16, first=201))
    add_invoice(home, "openai", "100.00")

    report = reconcile([home], NOW, {})

    assert [(check.total, check.split_sum, check.holds) for check in report.invoices] == [
        (Decimal(100), Decimal(100), True)
    ]
    assert query(home, "SELECT service, anchored_cost FROM app_costs ORDER BY ALL") == [
        ("chatbot", Decimal(16)),
        ("images", Decimal(84)),
    ]


def test_money_of_a_model_that_nobody_called_is_named(home, tmp_path):
    left_behind(home, *calls("chatbot", 2))
    bill = tmp_path / "bill.csv"
    bill.write_text(
        "invoice_id,provider,period,amount,currency,model\nI-1,openai,2026-09,10.00,USD,gpt-unseen\n"
    )
    with open_warehouse(home) as con:
        import_file(con, bill, NOW)

    report = reconcile([home], NOW, {})

    coarse, variance = (text for text in report.findings if "gpt-unseen" in text)
    assert coarse.startswith("openai 2026-09 I-1: 10.00 USD of 'gpt-unseen' found no receipt")
    assert "of tagging_failure (no receipt of gpt-unseen: all share the line)" in variance


def test_lines_of_a_receipt_sum_to_its_cost(home):
    left_behind(home, receipt(1))

    reconcile([home], NOW, {})

    assert query(home, "SELECT meter, quantity::BIGINT FROM usage_lines ORDER BY ALL") == [
        ("input_tokens", 100),
        ("output_tokens", 20),
    ]
    assert query(
        home,
        "SELECT estimated_cost_usd > 0 AND estimated_cost_usd = (SELECT sum(cost_usd) FROM"
        " usage_lines) FROM receipts",
    ) == [(True,)]


def test_running_twice_changes_nothing(home):
    left_behind(home, *calls("images", 7), *calls("chatbot", 5, first=101), event(1))
    add_invoice(home, "openai", "0.10")
    reconcile([home], NOW, {})
    sql = "SELECT * EXCLUDE (shipped_at) FROM receipts ORDER BY receipt_id"
    before = query(home, sql), query(home, "FROM app_costs")

    second = reconcile([home], NOW, {})

    assert (query(home, sql), query(home, "FROM app_costs")) == before
    assert (second.shipped.receipts, second.priced.changed_count) == (0, 0)


def test_no_receipts_at_all_is_a_clean_run(home):
    report = reconcile([home], NOW, {})

    assert (report.receipts, report.findings) == (0, ())
    assert read_split(home).period is None


def test_model_without_a_price_is_a_finding_and_null(home):
    left_behind(home, receipt(1, request_model="mystery-1", response_model="mystery-1"))

    report = reconcile([home], NOW, {})

    assert "anchor prices set mystery-1 --provider openai" in report.findings[0]
    assert query(home, "SELECT estimated_cost_usd, price_status FROM receipts") == [
        (None, "unpriced")
    ]
    assert query(home, "SELECT response_model, calls FROM unpriced_models") == [("mystery-1", 1)]


def test_unmapped_host_is_a_finding_until_it_is_mapped(home):
    left_behind(home, receipt(1, provider="unmapped", provider_host="10.0.0.5:80"))

    first = reconcile([home], NOW, {})
    second = reconcile([home], NOW, {"hosts": {"10.0.0.5:80": "openai"}})

    assert "ANCHOR_PROVIDER_HOSTS=10.0.0.5:80=PROVIDER" in first.findings[0]
    assert [finding for finding in second.findings if "10.0.0.5" in finding] == []


def test_unmapped_call_is_never_part_of_an_invoice(home):
    left_behind(home, receipt(1), receipt(2, provider="unmapped", service="other"))
    add_invoice(home, "openai", "5.00")

    reconcile([home], NOW, {})

    assert query(home, "SELECT service FROM app_costs WHERE anchored_cost > 0") == [("chatbot",)]


def test_key_map_names_the_account_of_old_and_new_receipts(home):
    left_behind(home, receipt(1))
    reconcile([home], NOW, {})
    left_behind(home, receipt(2), receipt(3, api_key_id="key-2"), name="second")

    reconcile([home], NOW, {"accounts": {"key-1": "acme"}})

    assert query(home, "SELECT receipt_id, provider_account FROM receipts ORDER BY ALL") == [
        ("receipt-000001", "acme"),
        ("receipt-000002", "acme"),
        ("receipt-000003", ""),
    ]


@pytest.mark.parametrize("accounts", ["acme", {"key-1": 7}])
def test_key_map_of_a_wrong_form_is_named(home, accounts):
    with pytest.raises(ConfigError, match=r"anchor\.toml"):
        reconcile([home], NOW, {"accounts": accounts})


def test_damaged_outbox_is_a_finding_of_the_run(home):
    (home / "outbox").mkdir()
    (home / "outbox" / "foreign.db").write_bytes(b"x" * 2000)

    assert "foreign.db" in reconcile([home], NOW, {}).findings[0]


def test_split_reads_estimate_and_anchored_side_by_side(home):
    left_behind(home, receipt(1), receipt(2, provider="gemini"))
    add_invoice(home, "openai", "5.00")
    reconcile([home], NOW, {})

    bills = {bill.provider: bill for bill in read_split(home, "2026-09").bills}

    assert [share.status for share in bills["openai"].shares] == ["anchored"]
    assert [share.status for share in bills["gemini"].shares] == ["estimated"]
    assert bills["openai"].holds
    assert bills["gemini"].invoice_total is None


def test_period_without_anything_is_named(home):
    reconcile([home], NOW, {})

    with pytest.raises(ConfigError, match="'2020-01'"):
        read_split(home, "2020-01")


class Killed(BaseException):
    """Stands for SIGKILL at a step."""


STEPS = ("ship", "meters.measure", "rates.sync_installed", "pricing.price", "publish")


@pytest.mark.parametrize("step", [*STEPS, "allocation.allocate_open_periods"])
def test_killed_before_a_step_the_next_run_ends_the_same(home, monkeypatch, step):
    left_behind(home, *calls("images", 7), *calls("chatbot", 5, first=101))
    add_invoice(home, "openai", "1.00")

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(f"anchor_autopatch.job.reconcile.{step}", kill)
        with pytest.raises(Killed):
            reconcile([home], NOW, {})
    reconcile([home], NOW, {})

    assert query(home, "SELECT service, calls, anchored_cost FROM app_costs ORDER BY ALL") == [
        ("chatbot", 5, Decimal("0.42")),
        ("images", 7, Decimal("0.58")),
    ]


def test_receipts_shipped_after_the_clock_went_back_are_priced(home):
    left_behind(home, receipt(1), name="before")
    reconcile([home], NOW, {})
    left_behind(home, receipt(2), name="after")

    reconcile([home], NOW - timedelta(hours=5), {})

    with open_warehouse(home) as con:
        priced = con.execute("SELECT count(*) FROM receipt_price WHERE price_status = 'priced'")
        assert priced.fetchall() == [(2,)]
