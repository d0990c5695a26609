"""Price tables come from files and URLs, pinned where one likes, and compared in money first."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.pricing.preview import preview
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, cost, load_table, run, table

OLD = {"gpt-4o": {"input_cost_per_token": 5e-6, "output_cost_per_token": 1e-5}}
NEW = {"gpt-4o": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}
SINCE = NOON - timedelta(days=10)


def text_of(models):
    entries = {key: {"litellm_provider": "openai", **fields} for key, fields in models.items()}
    return json.dumps(entries).encode()


@pytest.fixture
def prices(tmp_path, capsys):
    """Runs `anchor prices ...` on a home of its own; returns (exit code, JSON or error)."""

    def run_command(*arguments):
        code = main(["prices", *arguments, "--home", str(tmp_path / "home"), "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else printed.err

    return run_command


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, OLD)
        add(con)
        run(con)
        yield con


class _Tables(BaseHTTPRequestHandler):
    """Serves `server.content` with an ETag, and notes what was asked."""

    def do_GET(self):
        content = self.server.content
        etag = hashlib.sha256(content).hexdigest()
        is_known = self.headers.get("If-None-Match") == etag
        self.server.asked.append(is_known)
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", etag)
        self.end_headers()
        if not is_known:
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tables)
    server.content, server.asked = text_of(OLD), []
    server.url = f"http://127.0.0.1:{server.server_port}/prices.json"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_file_is_taken_over_once(prices, tmp_path):
    path = tmp_path / "prices.json"
    path.write_bytes(text_of(OLD))

    _, first = prices("sync", "--file", str(path))
    _, again = prices("sync", "--file", str(path))

    assert (first["is_new"], first["source_version"]) == (True, "prices.json")
    assert again["is_new"] is False


def test_gzipped_file_holds_since_the_day_it_was_seen(prices, tmp_path):
    path = tmp_path / "prices.json.gz"
    path.write_bytes(gzip.compress(text_of(OLD)))
    later = tmp_path / "later.json"
    later.write_bytes(text_of(NEW))

    prices("sync", "--file", str(later), "--seen", "2026-10-21")
    prices("sync", "--file", str(path), "--seen", "2026-09-01")

    _, shown = prices("show", "gpt-4o")
    starts = [segment["valid_from"][:10] for segment in shown["segments"]]
    assert starts == ["1970-01-01", "2026-10-21"]


def test_unchanged_url_is_not_sent_again(prices, server):
    prices("sync", "--url", server.url)
    code, report = prices("sync", "--url", server.url)

    assert (code, report["is_new"]) == (0, False)
    assert server.asked == [False, True]


def test_changed_url_brings_a_new_card(prices, server):
    prices("sync", "--url", server.url)
    server.content = text_of(NEW)

    _, report = prices("sync", "--url", server.url)

    assert report["changed_models"] == 1


def test_url_with_another_table_than_the_pinned_one_is_refused(prices, server):
    pinned = hashlib.sha256(server.content).hexdigest()
    server.content = text_of(NEW)

    code, error = prices("sync", "--url", server.url, "--sha256", pinned)

    assert code == 2
    assert "than the one that was pinned" in error
    assert prices("show", "gpt-4o")[0] == 2


@pytest.mark.parametrize("url", ["http://example.test/prices.json", "file:///etc/passwd", "prices"])
def test_table_over_an_open_line_is_refused(prices, url):
    code, error = prices("sync", "--url", url)

    assert (code, "expected https" in error) == (2, True)


def test_url_that_does_not_answer_is_one_line(prices, server):
    server.content = b"<html>"

    code, error = prices("sync", "--url", server.url)

    assert (code, error.count("\n"), "expected JSON" in error) == (2, 1, True)


def test_table_is_compared_in_money_on_own_receipts(con):
    found = preview(con, table(NEW), since=SINCE, now=NOW)

    (change,) = found.changes
    assert (found.receipt_count, change.model, change.receipt_count) == (1, "gpt-4o", 1)
    assert (change.before_usd, change.after_usd) == (Decimal("0.007"), Decimal("0.0018"))


def test_comparing_changes_nothing(con):
    tables = ("rate_segment", "rate_sheet", "rate", "receipt_price", "model_resolution")
    before = [con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in tables]

    preview(con, table(NEW), since=SINCE, now=NOW)

    after = [con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in tables]
    assert after == before
    assert cost(con) == Decimal("0.007")


def test_comparing_finds_what_gets_its_first_price(con):
    add(con, "new", request_model="gpt-9")
    run(con)

    found = preview(con, table({"gpt-9": NEW["gpt-4o"]}), since=SINCE, now=NOW)

    assert [(change.model, change.newly_priced) for change in found.changes] == [("gpt-9", 1)]


def test_receipts_before_the_first_day_are_not_compared(con):
    found = preview(con, table(NEW), since=NOON + timedelta(days=1), now=NOW)

    assert (found.receipt_count, found.changes) == (0, [])


def test_same_table_has_nothing_to_compare(con):
    found = preview(con, table(OLD), since=SINCE, now=NOW)

    assert (found.receipt_count, found.changes) == (1, [])


def test_diff_says_with_its_exit_code_whether_money_changes(prices, tmp_path):
    path = tmp_path / "prices.json"
    path.write_bytes(text_of(OLD))
    prices("sync", "--file", str(path))

    code, report = prices("diff", "--file", str(path))

    assert (code, report["changes"], report["frozen"]) == (0, [], [])
