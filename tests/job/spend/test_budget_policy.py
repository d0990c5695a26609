"""`[[budgets]]` and `[anomalies]` are read whole, or named with the value and the mend."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.policy.budgets import Budget, read_spend_policy
from anchor_autopatch.core.policy.checking import check_config


def read(text):
    return read_spend_policy(tomllib.loads(text))


def test_budget_is_read_with_its_defaults():
    policy, problems = read('[[budgets]]\nteam = "search"\namount = "5000.10"\n')

    assert problems == []
    assert policy.budgets == (Budget("search", Decimal("5000.10"), "USD", team="search"),)


def test_amount_is_what_was_written_to_the_last_digit():
    policy, _ = read("[[budgets]]\namount = 0.1\n")

    assert [(each.name, each.amount) for each in policy.budgets] == [("total", Decimal("0.1"))]


def test_thresholds_are_sorted_and_each_counts_once():
    policy, _ = read("[[budgets]]\namount = 10\nthresholds = [100, 25, 100]\n")

    assert policy.budgets[0].thresholds == (25, 100)


@pytest.mark.parametrize(
    ("line", "path", "words"),
    [
        ("amount = 0", "amount", "no amount above 0"),
        ("amount = -5", "amount", "no amount above 0"),
        ("amount = true", "amount", "no amount above 0"),
        ("amount = nan", "amount", "no amount above 0"),
        ('amount = "1,000"', "amount", "'1,000'"),
        ('currency = "dollars"', "currency", "ISO 4217"),
        ('period = "week"', "period", "known: month"),
        ("thresholds = []", "thresholds", "whole percents"),
        ("thresholds = [0.5]", "thresholds", "whole percents"),
        ("thresholds = [0, 100]", "thresholds", "whole percents"),
        ("team = 7", "team", "no text"),
        ('name = "a/b"', "name", "'a/b'"),
        ("teams = 'search'", "teams", "did you mean 'team'?"),
    ],
)
def test_wrong_value_is_named_and_its_budget_left_out(line, path, words):
    amount = "" if line.startswith("amount") else "amount = 5\n"

    policy, problems = read(f"[[budgets]]\n{amount}{line}\n\n[[budgets]]\namount = 9\n")

    assert [problem.path for problem in problems] == [("budgets", 0, path)]
    assert words in problems[0].text
    assert policy.budgets[-1].amount == 9


def test_budget_without_an_amount_is_told():
    _, problems = read('[[budgets]]\nteam = "search"\n')

    assert [problem.text for problem in problems] == [
        'A budget needs an amount; write amount = "5000.00"'
    ]


def test_second_budget_of_a_name_is_told_and_left_out():
    policy, problems = read("[[budgets]]\namount = 5\n[[budgets]]\namount = 9\n")

    assert len(policy.budgets) == 1
    assert "Two budgets are called 'total'" in problems[0].text


def test_anomaly_rules_have_defaults_and_name_what_is_wrong():
    policy, problems = read("[anomalies]\nminimum_usd = 2\nratio = 'x'\nsigma = 3\n")

    assert (policy.anomalies.minimum_usd, policy.anomalies.ratio) == (Decimal(2), Decimal(2))
    assert {problem.path[-1] for problem in problems} == {"ratio", "sigma"}


def test_budget_of_a_team_outside_the_vocabulary_is_told():
    config = tomllib.loads(
        '[vocabulary]\nteams = ["search"]\n[[budgets]]\nteam = "searchh"\namount = 5\n'
    )

    assert [problem.path for problem in check_config(config, 0)] == [("budgets", 0, "team")]


def test_policy_check_shows_line_and_value_of_a_wrong_budget(tmp_path, capsys):
    file = tmp_path / "anchor.toml"
    file.write_text('[[budgets]]\nteam = "search"\namount = "lots"\n', "utf-8")

    code = main(["policy", "check", "--config", str(file), "--json"])

    assert code == 1
    printed = capsys.readouterr().out
    assert '"line": 3' in printed
    assert "'lots'" in printed
