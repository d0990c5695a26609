"""What the job's own environment gets from the wheel."""

from __future__ import annotations

import pytest

COUNT = """
import duckdb, sys
report = duckdb.connect(sys.argv[1], read_only=True)
print(*report.execute("SELECT count(*) FROM receipts WHERE estimated_cost_usd > 0").fetchone())
"""


@pytest.mark.parametrize("command", [(), ("reconcile",), ("invoices", "import")])
def test_every_level_has_help(job, command):
    assert job.run("anchor", *command, "--help").stdout.startswith("usage: anchor")


def test_reconcile_prices_the_call_of_another_environment(one_call, job, tmp_path):
    one_call(tmp_path)

    done = job.run("anchor", "reconcile", fails=True, ANCHOR_HOME=str(tmp_path))

    assert done.returncode in (0, 1), done.stderr
    assert job.run("python", "-c", COUNT, tmp_path / "report.duckdb").stdout == "1\n"


def test_doctor_finds_nothing_wrong_with_it(job, tmp_path):
    done = job.run("anchor", "doctor", ANCHOR_HOME=str(tmp_path), HOME=str(tmp_path))

    assert "this environment holds the job alone" in " ".join(done.stdout.split())
