"""What the job's commands share: a change that is made is said to be made, whatever comes after."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from anchor_autopatch.cli import main, ship
from anchor_autopatch.cli.jobs import homes_of, in_warehouse, only_job
from anchor_autopatch.core.errors import ConfigError, StoreError


def _arguments(*homes: Path, store: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(home=list(homes), store=store)


def test_done_is_told_where_the_report_cannot_be_published(tmp_path: Path) -> None:
    # A folder in the place of the report: it is not replaced.
    (tmp_path / "report.duckdb" / "kept").mkdir(parents=True)
    done = []

    with pytest.raises(StoreError, match="what was asked for is done, anchor reconcile publishes"):
        in_warehouse(_arguments(tmp_path), done.append, for_change=True, publish=True)

    assert len(done) == 1


def test_change_waits_for_no_other_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        only_job(tmp_path) as mine,
        pytest.raises(StoreError, match=r"Another job is at work on .*; wait for it"),
    ):
        in_warehouse(_arguments(tmp_path), str, for_change=True)

    assert mine
    assert "left to it" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "home"])
def test_file_in_the_place_of_a_home_is_called_one(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()

    with (
        pytest.raises(StoreError, match="a file is no home, name a folder"),
        only_job(file / below),
    ):
        pass


def test_homes_are_absolute_and_each_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANCHOR_STORE", raising=False)

    found = homes_of(_arguments(Path("a"), tmp_path / "b", tmp_path / "a"))

    assert found == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize("store", ["postgresql://host/db", "parquet:/lake"])
def test_store_that_is_not_there_yet_is_refused(store: str) -> None:
    with pytest.raises(ConfigError, match=f"Unknown store '{store}'; known: duckdb"):
        homes_of(_arguments(store=store))


@pytest.mark.parametrize("asked", ["0", "-5"])
def test_side_car_without_an_interval_does_not_spin(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(ship.time, "sleep", sleep)

    assert main(["ship", "--follow", "--interval", asked, "--home", str(tmp_path)]) == 130
    assert waits == [0.05]
