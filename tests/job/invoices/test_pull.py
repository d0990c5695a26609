"""Pulling over HTTP: every page or nothing, retried, resumed, the key told to its provider only."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import datetime, timedelta

import duckdb
import pytest
from urllib3 import HTTPResponse

from anchor_autopatch.cli import main
from anchor_autopatch.core.errors import ConfigError, InvoiceError
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.invoices import list_invoices
from anchor_autopatch.job.invoices.pull import PROVIDERS, Target, pull, read_targets, window_of
from anchor_autopatch.job.invoices.pull.client import Patience, _Retry
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, insert, usd
from tests.job.invoices.billing_server import Billing, day, serving

WINDOW = (datetime(2026, 10, 1), datetime(2026, 11, 1))  # noqa: DTZ001 # UTC, as the warehouse has it
HASTE = Patience(retries=2, backoff_seconds=0.0, longest_wait_seconds=0.01)
KEY = "sk-admin-0123456789"


@pytest.fixture
def billing():
    return Billing()


@pytest.fixture
def url(billing):
    with serving(billing) as url:
        yield url


@pytest.fixture(scope="module")
def empty_warehouse(tmp_path_factory):
    home = tmp_path_factory.mktemp("empty")
    open_warehouse(home).close()
    return home / WAREHOUSE_FILE


@pytest.fixture
def fetch(url, tmp_path, empty_warehouse):
    """Pulls one provider; returns what became of it."""
    shutil.copy(empty_warehouse, tmp_path / WAREHOUSE_FILE)

    def run(provider="openai", window=WINDOW, now=NOW, target_url=url):
        target = Target(provider, "", target_url, PROVIDERS[provider].key_env, KEY, "team-1")
        (pulled,) = pull(
            lambda: open_warehouse(tmp_path), tmp_path, [target], window, now, patience=HASTE
        )
        return pulled

    return run


def rows(tmp_path, sql):
    with open_warehouse(tmp_path) as con:
        return con.execute(sql).fetchall()


def test_all_pages_land_grouped_with_usage_beside(fetch, billing, tmp_path):
    pulled = fetch()

    (costs, *usage) = pulled.booked
    assert (costs.period, costs.total, costs.lines) == ("2026-10", usd("41.85"), 62)
    assert usage[0].operation == "completions"
    assert rows(tmp_path, "SELECT meter, quantity FROM usage_evidence ORDER BY meter") == [
        ("cache_read", 1240),
        ("input", 1860),
        ("output", 217),
    ]
    assert len(billing.asked("/organization/costs")) == 10


def test_the_pages_are_kept_byte_by_byte(fetch, tmp_path):
    fetch()

    ((packed,),) = rows(
        tmp_path,
        "SELECT payload FROM invoice_document WHERE file_name LIKE 'openai-costs-2%'",
    )
    pages = json.loads(gzip.decompress(packed))
    assert [len(page["data"]) for page in pages] == [7, 7, 7, 7, 3]


def test_the_key_is_sent_as_the_provider_wants_it(fetch, billing):
    fetch("openai")
    fetch("anthropic")

    bearer = billing.asked("/organization/costs")[0].headers
    named = billing.asked("/organizations/cost_report")[0].headers
    assert bearer["Authorization"] == f"Bearer {KEY}"
    assert (named["x-api-key"], named["anthropic-version"]) == (KEY, "2023-06-01")
    assert "Authorization" not in named


def test_a_netrc_file_does_not_replace_the_key(fetch, billing, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    fetch()

    assert {seen.headers["Authorization"] for seen in billing.seen} == {f"Bearer {KEY}"}


def test_a_busy_provider_is_asked_again(fetch, billing):
    billing.faults = [
        ("/organization/costs", 429, {"Retry-After": "3600"}, b"{}"),
        ("/organization/costs", 503, {}, b"{}"),
    ]

    assert fetch().problem is None
    assert len(billing.asked("/organization/costs")) == 12


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("3600", 300)])
def test_retry_after_is_obeyed_up_to_a_limit(asked, waited):
    answer = HTTPResponse(headers={"Retry-After": asked}, status=429)

    assert _Retry().get_retry_after(answer) == waited


def test_a_pull_that_broke_off_goes_on_where_it_stopped(fetch, billing, tmp_path):
    billing.faults = [("page=page_14", 500, {}, b"")] * 3
    broken = fetch()
    first = len(billing.seen)

    whole = fetch()

    assert broken.problem == (
        "openai answered 500 to /organization/costs; run it again later, or check the address"
    )
    assert whole.booked[0].total == usd("41.85")
    assert billing.seen[first].params["page"] == "page_14"
    assert not list((tmp_path / "pull").iterdir())


def test_pages_of_yesterday_are_fetched_anew(fetch, billing):
    billing.faults = [("page=page_14", 500, {}, b"")] * 3
    fetch()
    first = len(billing.seen)

    fetch(now=NOW + timedelta(hours=2))

    assert "page" not in billing.seen[first].params


def test_an_account_that_fails_books_nothing(fetch, billing, tmp_path):
    billing.faults = [("/organization/usage/images", 500, {}, b"")] * 3

    assert fetch().problem is not None
    assert rows(tmp_path, "SELECT count(*) FROM invoice_document") == [(0,)]


def test_a_page_that_is_cut_off_is_fetched_again_by_the_next_run(fetch, billing):
    billing.faults = [("page=page_7", 200, {}, b'{"object": "page", "data": [')]

    assert fetch().problem == (
        "The answer to /organization/costs is cut off or no JSON; run it again: it goes on there"
    )
    assert fetch().booked[0].total == usd("41.85")


def test_a_day_that_the_provider_leaves_out_does_not_pass(fetch, billing, tmp_path):
    billing.missing_days = {day("2026-10-12")}

    assert "No bucket from 2026-10-12 00:00:00 to 2026-10-13 00:00:00" in fetch().problem
    assert rows(tmp_path, "SELECT count(*) FROM invoice_line") == [(0,)]


def test_a_last_day_that_is_left_out_does_not_pass(fetch, billing):
    billing.missing_days = {day("2026-10-31")}

    assert "Buckets cover 2026-10-01 00:00:00 to 2026-10-31 00:00:00, asked for was" in (
        fetch().problem
    )


def test_money_that_the_groups_leave_out_does_not_pass(fetch, billing):
    billing.left_out = 0.01

    assert "Day 2026-10-01 sums to 1.35 USD grouped and 1.36 ungrouped" in fetch().problem


def test_after_a_refusal_all_is_asked_anew(fetch, billing):
    billing.left_out = 0.01
    fetch()
    billing.left_out = 0.0

    assert fetch().problem is None


def test_a_busy_warehouse_keeps_the_pages(fetch, billing, tmp_path):
    held = duckdb.connect(str(tmp_path / WAREHOUSE_FILE), config={"threads": 1})
    with held:
        problem = fetch().problem
    first = len(billing.seen)

    pulled = fetch()

    assert "Cannot open" in problem or "is in use" in problem
    assert (pulled.problem, len(billing.seen)) == (None, first)


def test_pages_are_private(fetch, billing, tmp_path):
    billing.faults = [("page=page_14", 500, {}, b"")] * 3
    fetch()

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "pull").rglob("*")}
    assert modes == {0o600, 0o700}


def test_restated_days_take_the_place_of_the_former(fetch, billing):
    fetch()
    billing.lines = [("gpt-5, input", 2.0)]

    costs = fetch().booked[0]

    assert (costs.outcome, costs.total) == ("restated", usd("62.00"))


def test_pulling_again_changes_nothing(fetch):
    fetch()

    assert {entry.outcome for entry in fetch().booked} == {"unchanged"}


def test_pages_that_do_not_end_are_told(fetch, billing):
    page = json.dumps({"data": [], "has_more": True, "next_page": "page_7"}).encode()
    billing.faults = [("/organization/costs", 200, {}, page)] * 3

    assert fetch().problem == (
        "/organization/costs leads to page 'page_7' twice; the pages do not end, report it"
    )


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "check that OPENAI_ADMIN_KEY holds an admin or management key"),
        (403, "check that the key in OPENAI_ADMIN_KEY may read costs"),
        (404, "check the address and the team"),
    ],
)
def test_a_refusal_names_the_mend_and_not_the_key(fetch, billing, status, mend):
    billing.faults = [("/organization/costs", status, {}, f"Incorrect key {KEY}".encode())]

    problem = fetch().problem

    assert problem == f"openai answered {status} to /organization/costs; {mend}"
    assert KEY not in problem


def test_a_redirect_is_not_followed_with_the_key(fetch, billing, url):
    billing.faults = [("/organization/costs", 302, {"Location": f"{url}/elsewhere"}, b"")]

    assert fetch().problem.startswith("openai answered 302 to /organization/costs;")
    assert billing.asked("/elsewhere") == []


def test_an_unreachable_provider_is_told_without_the_url(fetch):
    problem = fetch(target_url="http://127.0.0.1:9").problem

    assert problem == (
        "No answer of openai to /organization/costs (ConnectionError); "
        "run it again: it goes on where it stopped"
    )


def test_the_key_is_in_no_representation():
    assert KEY not in repr(Target("openai", "", "https://x", "OPENAI_ADMIN_KEY", KEY))


def test_anthropic_lands_cents_and_usage(fetch, tmp_path):
    costs = fetch("anthropic").booked[0]

    assert (costs.total, costs.lines) == (usd("38.28"), 31)


def test_xai_lands_its_invoice_and_its_usage(fetch, billing):
    window = (datetime(2026, 11, 1), datetime(2026, 11, 22))  # noqa: DTZ001

    invoice, usage = fetch("xai", window).booked

    assert (invoice.total, usage.total) == (usd("3.71"), usd("3.71"))
    (asked,) = billing.asked("/usage")
    time_range = json.loads(asked.body)["analyticsRequest"]["timeRange"]
    assert time_range == {
        "startTime": "2026-11-01 00:00:00",
        "endTime": "2026-11-21 23:59:59",
        "timezone": "Etc/GMT",
    }


def test_openrouter_is_asked_for_each_day_that_it_still_has(fetch, billing):
    (booked,) = fetch("openrouter", (WINDOW[0], datetime(2026, 11, 22))).booked[:1]  # noqa: DTZ001

    dates = [seen.params["date"] for seen in billing.seen]
    assert (dates[0], dates[-1], len(dates)) == ("2026-10-23", "2026-11-21", 30)
    assert (booked.period, booked.total) == ("2026-10", usd("4.50"))


def test_openrouter_does_not_know_older_months(fetch):
    window = (datetime(2026, 8, 1), datetime(2026, 9, 1))  # noqa: DTZ001

    assert fetch("openrouter", window).problem.startswith("openrouter answers for the last 30 days")


# -- which days, which accounts --


@pytest.mark.parametrize(
    ("period", "frozen", "expected"),
    [
        (None, (), ("2026-10-01", "2026-11-22")),
        (None, ("2026-10",), ("2026-11-01", "2026-11-22")),
        ("2026-09", (), ("2026-09-01", "2026-10-01")),
        ("2026-11", (), ("2026-11-01", "2026-11-22")),
    ],
)
def test_open_months_are_pulled_up_to_yesterday(tmp_path, monkeypatch, period, frozen, expected):
    with open_warehouse(tmp_path) as con:
        con.execute("CREATE TEMP TABLE closed (period VARCHAR)")
        con.execute("CREATE OR REPLACE TEMP VIEW frozen_period AS SELECT period FROM closed")
        for name in frozen:
            insert(con, "closed", period=name)

        start, end = window_of(con, NOW, period)

    assert (f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}") == expected


@pytest.mark.parametrize("period", ["2026-13", "2027-01"])
def test_a_month_that_cannot_be_pulled_is_told(tmp_path, period):
    with open_warehouse(tmp_path) as con, pytest.raises(InvoiceError, match=f"Period '{period}'"):
        window_of(con, NOW, period)


def test_every_provider_with_a_key_is_a_target():
    targets = read_targets({}, {"OPENAI_ADMIN_KEY": KEY, "OPENROUTER_MANAGEMENT_KEY": KEY}, [])

    assert [target.provider for target in targets] == ["openai", "openrouter"]


def test_accounts_of_the_file_have_keys_of_their_own():
    config = {"pull": [{"provider": "openai", "account": "lab", "key_env": "LAB_KEY"}]}

    (target,) = read_targets(config, {"LAB_KEY": KEY, "OPENAI_ADMIN_KEY": "x"}, [])

    assert (target.account, target.key, target.url) == ("lab", KEY, "https://api.openai.com/v1")


@pytest.mark.parametrize(
    ("config", "environ", "providers", "message"),
    [
        ({}, {}, [], "No key to pull with; set one of OPENAI_ADMIN_KEY, ANTHROPIC_ADMIN_KEY,"),
        ({}, {}, ["openai"], "No key for openai: set OPENAI_ADMIN_KEY"),
        ({}, {}, ["bedrock"], "Cannot pull 'bedrock'; known: openai,"),
        ({}, {"XAI_MANAGEMENT_KEY": KEY}, ["xai"], "xai needs a team id, not ''; set XAI_TEAM_ID"),
        ({}, {"OPENAI_ADMIN_KEY": "a\nb"}, [], "The value of OPENAI_ADMIN_KEY is no key;"),
        ({"pull": {"provider": "openai"}}, {}, [], "Section 'pull' is no list of tables;"),
        ({"pull": [{"provider": "opnai"}]}, {}, [], "Unknown provider 'opnai' in [[pull]];"),
        ({"pull": [{"provider": "openai", "key": KEY}]}, {}, [], "Cannot read key = '"),
        (
            {"pull": [{"provider": "openai", "url": "http://api.example.com"}]},
            {"OPENAI_ADMIN_KEY": KEY},
            [],
            "Address 'http://api.example.com' of [[pull]] is not https;",
        ),
    ],
)
def test_a_target_that_cannot_be_asked_is_told(config, environ, providers, message):
    with pytest.raises(ConfigError) as caught:
        read_targets(config, environ, providers)

    assert str(caught.value).startswith(message)


# -- the command --


@pytest.fixture
def command(tmp_path, url, monkeypatch):
    """Runs `anchor invoices pull` against the local server."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    (tmp_path / "anchor.toml").write_text(f'[[pull]]\nprovider = "openai"\nurl = "{url}"\n')
    return lambda *words: main(["invoices", "pull", *words, "--home", str(tmp_path)])


def test_the_command_says_what_it_booked(command, tmp_path, capsys):
    assert command("--period", "2026-10") == 0

    assert capsys.readouterr().out.splitlines()[0] == (
        "imported: openai 2026-10 invoice openai-costs:openai:2026-10: 41.85 USD, lines: 62"
    )
    with open_warehouse(tmp_path) as con:
        assert [invoice.total for invoice in list_invoices(con)] == [usd("41.85")]


def test_the_command_tells_a_failure_with_exit_2(command, billing, capsys):
    billing.faults = [("/organization/costs", 401, {}, b"{}")]

    assert command("--period", "2026-10") == 2

    assert capsys.readouterr().err == (
        "anchor: openai: openai answered 401 to /organization/costs; "
        "check that OPENAI_ADMIN_KEY holds an admin or management key\n"
    )
