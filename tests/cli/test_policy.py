"""`anchor policy`: every mistake in one go, with its line; headers that the host believes."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch import current
from anchor_autopatch.cli import main
from anchor_autopatch.cli.policy import job_sections
from anchor_autopatch.host import context
from anchor_autopatch.host.attribution import headers
from anchor_autopatch.host.request_context import Request

WRONG = """\
[policy]
mode = "rejcet"
required = ["team"]

[policy.modes]
prodution = "reject"

[[policy.override]]
mode = "report"
reason = "an old one"
until = 2020-01-01

[vocabulary]
environments = ["production"]
teams = ["search"]

[[rule]]
call_site = "shop.*"
team = "saerch"

[[rule]]
api_key = "sk-a-real-key"
team = "search"

[hosts]
"gateway.internal" = 7

[polcy]
"""
KEYS = "k1=a-secret-of-the-gateway"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A function that writes `anchor.toml`; no variable of ours is set."""
    monkeypatch.delenv("ANCHOR_HEADER_KEYS", raising=False)
    monkeypatch.delenv("ANCHOR_LABELS", raising=False)
    path = tmp_path / "anchor.toml"
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    context.forget_environment()
    headers.forget()
    return lambda text: path.write_text(text, encoding="utf-8")


def checked(capsys):
    code = main(["policy", "check", "--json"])
    return code, json.loads(capsys.readouterr().out)["problems"]


class TestCheck:
    def test_all_mistakes_are_listed_with_their_lines(self, config, capsys):
        config(WRONG)

        code, problems = checked(capsys)

        assert code == 1
        assert [(each["line"], each["where"]) for each in problems] == [
            (2, "policy.mode"),
            (28, "polcy"),
            (26, "hosts.gateway.internal"),
            (11, "policy.override.0.until"),
            (19, "rule.0.team"),
            (6, "policy.modes.prodution"),
            (22, "rule.1.api_key"),
        ]

    def test_mistake_says_value_and_mend(self, config, capsys):
        config(WRONG)

        told = {each["where"]: each["problem"] for each in checked(capsys)[1]}

        assert "'rejcet' is unknown; known: report, quarantine, reject" in told["policy.mode"]
        assert "did you mean 'search'?" in told["rule.0.team"]
        assert "did you mean 'production'?" in told["policy.modes.prodution"]
        assert "did you mean 'policy'?" in told["polcy"]
        assert "sk-a-real-key" not in told["rule.1.api_key"]

    def test_table_for_people_names_the_file(self, config, capsys, tmp_path):
        config("[polcy]\n")

        assert main(["policy", "check"]) == 1
        out = capsys.readouterr().out
        assert str(tmp_path / "anchor.toml") in out.replace("\n", "")
        assert "did you mean 'policy'?" in out

    def test_file_that_never_ends_is_told_too(self, config, capsys):
        config("x = " + "[" * 100_000)

        assert checked(capsys)[0] == 1

    def test_file_that_is_no_toml_says_where(self, config, capsys):
        config("[policy\n")

        code, (problem,) = checked(capsys)

        assert code == 1
        assert "line 1" in problem["problem"]

    def test_good_file_is_clean(self, config, capsys):
        config("[policy]\nrequired = ['team']\n")

        assert main(["policy", "check"]) == 0
        assert "nothing wrong" in capsys.readouterr().out

    def test_no_file_is_clean(self, config, capsys):
        assert main(["policy", "check"]) == 0
        assert "nothing is required" in capsys.readouterr().out

    @pytest.mark.parametrize("named_by", ["ANCHOR_CONFIG", "--config"])
    def test_named_file_that_is_not_there_is_a_mistake(
        self, named_by, config, capsys, monkeypatch, tmp_path
    ):
        path = str(tmp_path / "typo.toml")
        words = ["--config", path] if named_by == "--config" else []
        if not words:
            monkeypatch.setenv("ANCHOR_CONFIG", path)

        assert main(["policy", "check", "--json", *words]) == 1
        (problem,) = json.loads(capsys.readouterr().out)["problems"]
        assert problem["where"] == named_by
        assert path in problem["problem"]

    def test_sections_of_the_job_are_checked_by_their_readers(self, config, capsys):
        config(
            "[close]\nsigners = 'fin'\n[retention]\nreceipts_days = 'x'\n"
            "[incidents]\nquiet = 5\n[alerts]\nreminders = ['1x']\n"
            "[variance]\npercent = -1\n[settlement]\noverdue_hours = 0\n"
            "[allocation]\nbuket = 1\n"
        )

        code, problems = checked(capsys)

        assert code == 1
        assert {each["where"]: each["line"] for each in problems} == {
            "close": 1, "retention": 3, "incidents": 5, "alerts": 7, "variance": 9,
            "settlement": 11, "allocation": 13,
        }  # fmt: skip
        assert "Cannot use 5 for '[incidents] quiet'" in json.dumps(problems)

    def test_environment_without_the_job_says_what_it_did_not_check(
        self, config, capsys, monkeypatch
    ):
        def no_duckdb():
            raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")

        monkeypatch.setattr(job_sections, "readers", no_duckdb)
        config("[close]\nsigners = 'fin'\n")

        assert main(["policy", "check"]) == 0
        assert "has no duckdb; check the rest where the job runs" in capsys.readouterr().err

    def test_variables_are_checked_too(self, config, capsys, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", "k1=short-secret")
        monkeypatch.setenv("ANCHOR_LABELS", "plan=pro,oops")

        code, problems = checked(capsys)

        assert code == 1
        assert [each["where"] for each in problems] == ["ANCHOR_HEADER_KEYS", "ANCHOR_LABELS"]
        assert "short-secret" not in json.dumps(problems)


class TestSignHeader:
    def test_host_believes_what_was_signed(self, config, capsys, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", KEYS)
        asked = "--key k1 --path /chat --request-id r-1 --team search --environment staging"

        assert main(["policy", "sign-header", *asked.split(), "--json"]) == 0
        sent = json.loads(capsys.readouterr().out)

        with Request(method="POST", path="/chat", header=sent.get):
            assert (current().team, current().environment) == ("search", "staging")
        with Request(method="POST", path="/other", header=sent.get):
            assert current().team is None

    def test_headers_are_printed_as_they_are_sent(self, config, capsys, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", KEYS)

        main(["policy", "sign-header", "--key", "k1", "--path", "/", "--request-id", "r"])

        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "x-owner-request-id: r"
        assert lines[1].startswith("x-owner-signature: v1.k1.")

    def test_unknown_key_is_told(self, config, capsys):
        code = main(["policy", "sign-header", "--key", "k1", "--path", "/", "--request-id", "r"])

        assert code == 2
        assert "ANCHOR_HEADER_KEYS has: none" in capsys.readouterr().err
