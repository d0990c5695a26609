#!/usr/bin/env bash
# The tests on one Python: `tools/test.sh [pytest arguments]`. Needs .venv and .venvs/{a,b,frameworks}.
set -u
. tools/parts.sh

# Some tests take a minute each: a worker that is done takes over what another has left.
part "Job, core, simulator (.venv)" .venv/bin/python -m pytest tests -q \
    --ignore tests/sdk --ignore tests/frameworks --ignore tests/packaging --ignore tests/peers \
    -n 2 --dist worksteal -m "not chaos" "$@"
# tests/host asks for no SDK: it has run above, and `make test-pairs` runs it on other Pythons.
for world in a b; do
    part "SDK world $world (.venvs/$world)" ".venvs/$world/bin/python" -m pytest -q \
        tests/sdk tests/conformance -n 2 -m "not chaos and not conformance" "$@"
done
# One at a time: each test is a server, its load and the simulator already. `make frameworks` runs them all.
part "Frameworks (.venvs/frameworks)" .venvs/frameworks/bin/python -m pytest -q tests/frameworks \
    -m "not slow" "$@"
# What of tests/host is skipped above: only this environment has Flask, gunicorn and gevent.
part "Servers and greenlets (.venvs/frameworks)" .venvs/frameworks/bin/python -m pytest -q \
    tests/host/test_kinds_of_process.py tests/host/test_notifier.py tests/host/test_application_errors.py \
    -m "not chaos" -k "gevent or gunicorn or test_application_errors" "$@"
verdict "make test"
