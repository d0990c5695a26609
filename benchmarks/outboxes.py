"""How many receipts eight processes commit together, and how long each waits for its own.

`python -m benchmarks.outboxes`: each process appends to its own outbox, as every call does at its
end, and goes on in a new file at 16 MB. Returns 1 when a bar is missed.
"""

from __future__ import annotations

import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable

from anchor_autopatch.core.outbox_format import INSERT_RECEIPT
from anchor_autopatch.core.records import Receipt
from anchor_autopatch.host.storage import outbox
from benchmarks.clock import stopwatch

_PROCESSES = 8
_ROWS = 15_000
"""Of each process: it goes on in a new file twice."""
_LEAST_A_SECOND = 30_000
_MOST_P99_US = 2_000.0
_MOST_STALL_US = 50_000.0
"""No single call may wait longer for its outbox, whatever is sealed and closed meanwhile."""
_USAGE = (
    '{"prompt_tokens":1234,"completion_tokens":567,"total_tokens":1801,"prompt_tokens_details":'
    '{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":320,'
    '"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)


def main() -> int:
    """Prints the figures and says which bar is missed."""
    rate, cpu_us = _throughput()
    taken = sorted(_latencies())
    p50, p99, p999 = (taken[int(len(taken) * share)] for share in (0.5, 0.99, 0.999))
    rows = [
        ("receipts a second, together", rate, rate >= _LEAST_A_SECOND, f">= {_LEAST_A_SECOND:,}"),
        ("CPU us a receipt", cpu_us, None, ""),
        ("p50 us", p50, None, ""),
        ("p99 us", p99, p99 <= _MOST_P99_US, f"<= {_MOST_P99_US:,.0f}"),
        ("p99.9 us", p999, None, ""),
        ("worst us", taken[-1], taken[-1] <= _MOST_STALL_US, f"<= {_MOST_STALL_US:,.0f}"),
    ]
    print(f"{_PROCESSES} processes, {_ROWS:,} receipts each, load {os.getloadavg()[0]:.1f}")
    for name, value, held, bar in rows:
        verdict = "" if held is None else "held" if held else "MISSED"
        print(f"{name:32}{value:>12,.1f}{bar:>12} {verdict}")
    return int(any(held is False for _, _, held, _ in rows))


def _throughput() -> tuple[float, float]:
    """Receipts a second of all processes together, and microseconds of CPU for each."""
    told = _in_processes(_append_all)
    began, ended = min(told[::3]), max(told[1::3])
    return _PROCESSES * _ROWS / (ended - began), sum(told[2::3]) / _PROCESSES / _ROWS * 1e6


def _append_all() -> list[float]:
    writer, rows = outbox.own_writer(), _receipts()
    began = time.monotonic()
    for row in rows:
        writer.append(INSERT_RECEIPT, row)
    return [began, time.monotonic(), time.process_time()]


def _latencies() -> list[float]:
    """Microseconds of each append, without the time in which others had the processor."""
    return _in_processes(_append_timed)


def _append_timed() -> list[float]:
    writer, took = outbox.own_writer(), stopwatch()
    return [took(lambda row=row: writer.append(INSERT_RECEIPT, row)) for row in _receipts()]  # type: ignore[misc]


def _receipts() -> list[Receipt]:
    ids, plain = outbox.own_writer().ids, dict.fromkeys(Receipt._fields)
    known = plain | {
        "occurred_at_us": time.time_ns() // 1000,
        "duration_us": 481_000,
        "team": "search",
        "service": "chatbot",
        "environment": "production",
        "attribution_source": '{"team":"environment","service":"environment"}',
        "provider": "openai",
        "provider_host": "api.openai.com",
        "api_key_id": "a3f1c2d4e5b60718",
        "sdk": "openai",
        "operation": "chat",
        "request_model": "gpt-5",
        "response_model": "gpt-5-2025-08-07",
        "response_id": "chatcmpl-CANYqG2Tnq8Nf0mJc8w4Kx1bP5rVd",
        "outcome": "ok",
        "http_status": 200,
        "stream": 0,
        "attempts": 1,
        "usage_source": "provider",
        "usage_shape": "openai.chat",
        "raw_usage": _USAGE,
        "billable": 1,
    }
    return [Receipt(**known | {"receipt_id": ids.new()}) for _ in range(_ROWS)]  # type: ignore[arg-type]


def _in_processes(work: Callable[[], list[float]]) -> list[float]:
    """What the work returned in each of the processes, one after the other."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ANCHOR_HOME"] = os.environ["XDG_STATE_HOME"] = home
        pipes = [_start(work) for _ in range(_PROCESSES)]
        told = [_read(pipe) for pipe in pipes]
        for _ in pipes:
            os.wait()
    return [value for values in told for value in values]


def _start(work: Callable[[], list[float]]) -> int:
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return reading
    with os.fdopen(writing, "wb") as pipe:
        values = work()
        pipe.write(struct.pack(f"{len(values)}d", *values))
    os._exit(0)


def _read(pipe: int) -> list[float]:
    with os.fdopen(pipe, "rb") as reading:
        return [value for (value,) in struct.iter_unpack("d", reading.read())]


if __name__ == "__main__":
    sys.exit(main())
