"""Every sample payload lands in one warehouse, with its amount, sign, month and currency."""

from __future__ import annotations

import pytest

from anchor_autopatch.job.invoices import import_files, list_invoices
from anchor_autopatch.job.verify.documents import check_documents
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, usd
from tests.job.invoices.files import SAMPLES, sample

MONEY = {
    "openai_costs.json": ("openai", "", "33.27", "USD"),
    "anthropic_cost_report.json": ("anthropic", "", "3.76", "USD"),
    "aws_cur2_bedrock.csv": ("bedrock", "111122223333", "5.25", "USD"),
    "azure_focus_rows.csv": ("azure", "", "12.35", "EUR"),
    "gcp_billing_export_rows.jsonl": ("gemini", "010101-F0FFF0-61C528", "12.32", "EUR"),
    "openrouter_activity.json": ("openrouter", "", "0.02", "USD"),
    "xai_invoice_preview.json": ("xai", "", "3.71", "USD"),
    "xai_usage.json": ("xai", "", "3.71", "USD"),
}
WITHOUT_MONEY = (
    "openai_usage_completions.json",
    "anthropic_usage_messages.json",
    "litellm_spendlogs.csv",
)
# A second answer for the days that the cost report speaks of: refused beside it.
ALONE = ("anthropic_analytics_cost.json",)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_no_sample_is_left_out():
    if not SAMPLES.exists():
        pytest.skip("the sample payloads are not beside this checkout")

    assert {path.name for path in SAMPLES.iterdir()} == {*MONEY, *WITHOUT_MONEY, *ALONE}


def test_all_samples_land_together(con, tmp_path):
    paths = [sample(name) for name in (*MONEY, *WITHOUT_MONEY)]

    import_files(con, paths, NOW, home=tmp_path)

    landed = [
        (entry.provider, entry.account, entry.period, entry.total, entry.currency)
        for entry in list_invoices(con)
    ]
    assert sorted(landed) == sorted(
        (provider, account, "2026-10", usd(total), currency)
        for provider, account, total, currency in MONEY.values()
    )
    assert check_documents(con).faults == ()


def test_one_control_total_for_two_answers_of_one_provider(con):
    import_files(con, [sample("xai_usage.json"), sample("xai_invoice_preview.json")], NOW)

    control = [entry.source for entry in list_invoices(con) if entry.is_control_total]
    assert control == ["xai-invoice"]


@pytest.mark.parametrize("name", MONEY)
def test_a_sample_twice_changes_nothing(con, name):
    import_files(con, [sample(name)], NOW)

    assert [entry.outcome for entry in import_files(con, [sample(name)], NOW)] == ["unchanged"]
