"""A month is reviewed, signed by somebody else, and frozen; nothing moves it afterwards."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close import (
    freeze,
    missing_signatures,
    read_rules,
    restate,
    review,
    sign_off,
)
from anchor_autopatch.job.close.correcting import Move, propose_move
from anchor_autopatch.job.close.events import Act
from anchor_autopatch.job.close.ledger import journal
from anchor_autopatch.job.close.statements import current, kept
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import add_call, allocate, bill, split, usd
from tests.job.closed import CONFIG, LATER, RULES, frozen, month

OCTOBER = "2026-10"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def states(con):
    return rows(con, "SELECT action, state, actor FROM close_event ORDER BY event_no")


def with_rules(**close):
    return read_rules({"close": CONFIG["close"] | close})


def test_a_month_goes_from_open_to_frozen(con, tmp_path):
    frozen(con, tmp_path)

    assert states(con) == [
        ("review", "reviewed", "ana"),
        ("sign_off", None, "bob"),
        ("lock", "signed_off", "bob"),
        ("freeze", "frozen", "bob"),
    ]
    assert rows(con, "SELECT status, mode FROM reconciliation") == [("frozen", "chargeback")]
    assert rows(con, "SELECT DISTINCT status FROM cost_split") == [("frozen",)]


def test_who_prepared_a_month_cannot_sign_it(con, tmp_path):
    month(con, tmp_path)
    review(con, RULES, OCTOBER, "ana", LATER)

    with pytest.raises(ConfigError, match="'ana' prepared 2026-10"):
        sign_off(con, RULES, OCTOBER, "ana", LATER)


def test_steps_need_their_roles(con, tmp_path):
    month(con, tmp_path)

    with pytest.raises(ConfigError, match="'eve' is none of the preparers"):
        review(con, RULES, OCTOBER, "eve", LATER)
    with pytest.raises(ConfigError, match="name preparers in \\[close\\]"):
        review(con, read_rules({}), OCTOBER, "ana", LATER)


STEPS = {
    "review": lambda con, home, period: review(con, RULES, period, "eve", LATER),
    "sign-off": lambda con, home, period: sign_off(con, RULES, period, "eve", LATER),
    "team": lambda con, home, period: sign_off(con, RULES, period, "eve", LATER, team="media"),
    "freeze": lambda con, home, period: freeze(con, home, RULES, period, "eve", LATER),
    "restate": lambda con, home, period: restate(con, RULES, period, "eve", "wrong", LATER),
    "move": lambda con, home, period: propose_move(
        con, RULES, period, Move({}, {}, usd("1")), Act("eve", "wrong", LATER)
    ),
}


@pytest.mark.parametrize("period", ["2026-13", "2026-11", "october"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_period_that_is_none_is_told_with_the_role_that_lacks(con, tmp_path, step, period):
    month(con, tmp_path)

    told = f"^Nothing is known of period '{period}'; .*; known: 2026-10; 'eve' "
    with pytest.raises(ConfigError, match=told):
        step(con, tmp_path, period)


def test_every_column_of_a_statement_has_a_name(con, tmp_path):
    month(con, tmp_path)

    made = {each.format: each.body for each in current(con, OCTOBER, "showback") if not each.team}

    assert "| est. USD | amount | currency |" in made["md"]
    assert "<th>currency</th>" in made["html"]
    assert "<th></th>" not in made["html"]


def test_moved_figures_have_to_be_reviewed_again(con, tmp_path):
    month(con, tmp_path)
    review(con, RULES, OCTOBER, "ana", LATER)
    add_call(con, "r3", "search", "1", team="search")
    allocate(con)

    with pytest.raises(ConfigError, match="moved since its review"):
        sign_off(con, RULES, OCTOBER, "bob", LATER)
    review(con, RULES, OCTOBER, "ana", LATER)

    assert sign_off(con, RULES, OCTOBER, "bob", LATER) == []


def test_an_invoice_that_came_after_the_last_run_prevents_the_review(con, tmp_path):
    month(con, tmp_path)
    bill(con, tmp_path, "X-1,openai,2026-10,5.00,USD", name="late.csv")

    with pytest.raises(ConfigError, match="came or changed after the last run"):
        review(con, RULES, OCTOBER, "ana", LATER)


def test_teams_above_the_threshold_sign_for_themselves(con, tmp_path):
    rules = with_rules(team_threshold="50.00", team_signers={"media": ["mia"]})
    month(con, tmp_path)
    review(con, rules, OCTOBER, "ana", LATER)

    missing = sign_off(con, rules, OCTOBER, "bob", LATER)
    with pytest.raises(ConfigError, match="who does: mia"):
        sign_off(con, rules, OCTOBER, "bob", LATER, team="media")

    assert [each.team for each in missing] == ["media"]
    assert sign_off(con, rules, OCTOBER, "mia", LATER, team="media") == []
    assert missing_signatures(con, rules, OCTOBER) == []


def test_only_a_signed_off_month_freezes(con, tmp_path):
    month(con, tmp_path)
    review(con, RULES, OCTOBER, "ana", LATER)

    with pytest.raises(ConfigError, match="is reviewed, it cannot be frozen"):
        freeze(con, tmp_path, RULES, OCTOBER, "bob", LATER)


def test_freezing_books_every_cent_and_balances(con, tmp_path):
    frozen(con, tmp_path)

    assert rows(con, "SELECT account, amount, team FROM ledger_entry ORDER BY entry_no") == [
        ("Expense:App:imagegen", usd("84.00"), "media"),
        ("Expense:App:chatbot", usd("16.00"), "support"),
        ("Liabilities:Provider:gemini", usd("-100.00"), None),
    ]


def test_journal_has_debit_and_credit_apart(con, tmp_path):
    frozen(con, tmp_path)

    head, *lines = (line.split(",") for line in journal(con, OCTOBER).splitlines())
    debit, credit = head.index("debit"), head.index("credit")

    assert [(line[5], line[debit], line[credit]) for line in lines] == [
        ("Expense:App:imagegen", "84.00", ""),
        ("Expense:App:chatbot", "16.00", ""),
        ("Liabilities:Provider:gemini", "", "100.00"),
    ]


def test_showback_books_nothing_in_the_journal(con, tmp_path):
    frozen(con, tmp_path, with_rules(modes={OCTOBER: "showback"}))

    assert len(journal(con).splitlines()) == 1
    assert len(journal(con, with_showback=True).splitlines()) == 4


def test_statements_sum_to_the_invoices(con, tmp_path):
    month(con, tmp_path)

    made = current(con, OCTOBER, "chargeback")
    totals = {
        each.team: each.body.splitlines()[-1].split(",")[-2:]
        for each in made
        if each.format == "csv"
    }

    assert totals == {
        "": ["100.00", "USD"],
        "media": ["84.00", "USD"],
        "support": ["16.00", "USD"],
    }


def test_pages_print_the_digest_of_the_csv(con, tmp_path):
    month(con, tmp_path)

    media = {
        each.format: each for each in current(con, OCTOBER, "showback") if each.team == "media"
    }

    assert media["csv"].sha256 in media["md"].body
    assert media["csv"].sha256 in media["html"].body
    assert "Showback" in media["html"].body


def test_a_service_cannot_write_html_or_formulas_into_a_statement(con, tmp_path):
    add_call(con, "r1", "=1+1", "1", team="<b>x</b>|y")
    bill(con, tmp_path, "G-1,gemini,2026-10,1.00,USD")
    allocate(con)

    made = {each.format: each.body for each in current(con, OCTOBER, "showback") if not each.team}

    assert "<b>" not in made["html"]
    assert ",'=1+1," in made["csv"]
    assert "x</b>\\|y" in made["md"]


def test_restating_keeps_what_was_signed(con, tmp_path):
    digest = frozen(con, tmp_path)

    assert restate(con, RULES, OCTOBER, "carol", "reissued", LATER) == 2
    bill_again = "G-2,gemini,2026-10,50.00,USD"
    con.execute("UPDATE invoice SET superseded_at = '2026-11-22' WHERE invoice_id LIKE '%G-1'")
    bill(con, tmp_path, bill_again, name="again.csv")
    allocate(con)
    review(con, RULES, OCTOBER, "ana", LATER)
    sign_off(con, RULES, OCTOBER, "bob", LATER)
    again = freeze(con, tmp_path, RULES, OCTOBER, "bob", LATER)

    assert again != digest
    assert {each.team for each in kept(con, OCTOBER, 1)} == {"", "media", "support"}
    booked = "SELECT kind, sum(amount) FROM ledger_entry WHERE amount > 0 GROUP BY 1 ORDER BY 1"
    assert rows(con, booked) == [
        ("allocation", usd("150")),
        ("reversal", usd("100")),
    ]
    assert sum(split(con).values()) == Decimal(50)


def test_approver_alone_restates(con, tmp_path):
    frozen(con, tmp_path)

    with pytest.raises(ConfigError, match="none of the approvers"):
        restate(con, RULES, OCTOBER, "bob", "why not", LATER)
    with pytest.raises(ConfigError, match="Give --reason"):
        restate(con, RULES, OCTOBER, "carol", " ", LATER)


BAD_RULES = (
    ({"close": []}, "expected a table"),
    ({"close": {"signer": ["bob"]}}, "Unknown key 'signer'"),
    ({"close": {"signers": "bob"}}, "expected a list of names"),
    ({"close": {"mode": "maybe"}}, "known: showback, chargeback"),
    ({"close": {"team_threshold": 10.5}}, "expected an amount in quotes"),
    ({"close": {"team_threshold": "-1"}}, "expected an amount in quotes"),
)


@pytest.mark.parametrize(("config", "text"), BAD_RULES)
def test_rules_nobody_can_read_are_refused(config, text):
    with pytest.raises(ConfigError, match=text):
        read_rules(config)
