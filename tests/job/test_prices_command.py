"""`anchor prices` takes over the list, shows it, and enters contracts."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.rates.units import told_price


@pytest.fixture
def prices(tmp_path, capsys):
    """Runs `anchor prices ...` on a home of its own; returns (exit code, stdout, stderr)."""

    def run(*arguments):
        code = main(["prices", *arguments, "--home", str(tmp_path)])
        return (code, *capsys.readouterr())

    return run


CONTRACT = ("set", "gpt-4o", "--provider", "openai", "--input", "2/1M", "--from", "2026-10-01")


def test_sync_says_what_it_learnt(prices):
    code, out, _ = prices("sync", "--json")

    report = json.loads(out)
    assert code == 0
    assert report["is_new"]
    assert report["model_count"] == report["new_models"] > 1000


def test_show_names_the_card_and_the_rates(prices):
    prices("sync")

    code, out, _ = prices("show", "gpt-4o", "--json")

    shown = json.loads(out)
    assert code == 0
    assert shown["segments"][0]["provenance"] == "oldest known rates"
    assert {rate["meter"] for rate in shown["rates"]} >= {"input_tokens", "output_tokens"}


def test_show_prints_every_price_with_its_unit(prices):
    prices(*CONTRACT, "--reason", "order form 4711")

    _, out, _ = prices("show", "gpt-4o", "--provider", "openai")

    assert "order form 4711" in out
    assert "in 2 per 1M tokens" in out
    assert [line.split()[-3:] for line in out.splitlines() if "input_tokens" in line] == [
        ["2", "1M", "tokens"]
    ]


def test_show_tells_seconds_where_rates_are_kept_by_the_millisecond(prices):
    terms = ("--second", "0.006", "--from", "2026-10-01", "--reason", "order form")
    prices("set", "whisper-1", *terms)

    _, out, _ = prices("show", "whisper-1", "--json")

    (rate,) = [rate for rate in json.loads(out)["rates"] if rate["tier"] == "standard"]
    assert (rate["meter"], rate["usd"], rate["per"]) == ("audio_in_ms", "0.006", "second")
    assert Decimal(rate["unit_price_usd"]) == Decimal("0.000006")


@pytest.mark.parametrize(
    ("meter", "usd", "told"),
    [
        ("cache_read_tokens", "0.00000125", "1.25 per 1M tokens"),
        ("training_tokens", "0.000025", "25 per 1M tokens"),
        ("cache_storage_token_seconds", "0.0000000000125", "0.045 per 1M token-hours"),
        ("images", "0.040", "0.04 per image"),
        ("video_ms", "0.0001", "0.1 per second"),
        ("searches_medium", "0.01", "0.01 per search"),
        ("map_queries", "0.014", "0.014 per map query"),
        ("provider_reported", "0.5", "0.5 per call"),
    ],
)
def test_price_is_told_in_the_unit_that_people_know(meter, usd, told):
    assert str(told_price(meter, Decimal(usd))) == told


def test_file_that_is_not_there_is_named_once(prices, tmp_path):
    path = str(tmp_path / "none.json")

    code, _, err = prices("sync", "--file", path)

    assert (code, err.count(path)) == (2, 1)
    assert "No such file" in err


def test_show_suggests_close_names(prices):
    prices("sync")

    code, _, err = prices("show", "gpt-4oo")

    assert code == 2
    assert "gpt-4o" in err


def test_show_without_a_list_says_how_to_get_one(prices):
    code, _, err = prices("show", "gpt-4o")

    assert (code, "anchor prices sync" in err) == (2, True)


def test_overlapping_contract_is_one_line_on_stderr(prices):
    prices(*CONTRACT, "--reason", "first")

    code, out, err = prices(*CONTRACT, "--output", "9/1M", "--reason", "second")

    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_day_that_does_not_exist_is_refused(prices, capsys):
    with pytest.raises(SystemExit) as error:
        prices(*CONTRACT[:-1], "2026-13-01", "--reason", "x")

    assert error.value.code == 2
    assert "2026-13-01" in capsys.readouterr().err


def test_start_dates_a_change_of_the_list(prices, tmp_path):
    for name, rate, day in (("old", 2e-6, "2026-09-01"), ("new", 1e-6, "2026-10-21")):
        path = tmp_path / f"{name}.json"
        entry = {"litellm_provider": "openai", "input_cost_per_token": rate}
        path.write_text(json.dumps({"gpt-4o": entry}))
        prices("sync", "--file", str(path), "--seen", day)

    code, out, _ = prices("start", "gpt-4o", "--from", "2026-10-01", "--reason", "announced")

    _, shown, _ = prices("show", "gpt-4o", "--json")
    segment = json.loads(shown)["segments"][1]
    assert (code, "since 2026-10-01" in out) == (0, True)
    assert (segment["valid_from"][:10], segment["provenance"]) == ("2026-10-01", "known start")
