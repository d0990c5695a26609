# `make help` lists the targets. Each one makes the environments that it needs:
#   .venv               the job, the tests, the linters          requirements/dev.txt
#   .venvs/a .venvs/b   the two SDK generations, host half only  requirements/world-{a,b}.txt
#   .venvs/*            the same with other SDKs and Pythons     requirements/world-*.txt
#   .venvs/frameworks   web and task frameworks, one SDK         requirements/frameworks.txt
#   .venvs/peers-*      other observers beside the SDKs          requirements/peers-{a,b}.txt
# They are made anew only when their lock file changes. PYTEST_ARGS goes to every pytest: PYTEST_ARGS='-n 2 -x'.

.DEFAULT_GOAL := check
.PHONY: check help setup worlds demo test test-fast test-oldest test-pairs test-pythons test-all matrix parity conformance chaos focus \
        faults peers correctness memory frameworks coverage bench bench-pricing bench-shipping bench-allocation docs lint types format measure smoke lock clean

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
PYTEST_ARGS ?=
# Tests for other environments than .venv.
ELSEWHERE := --ignore tests/sdk --ignore tests/frameworks --ignore tests/packaging --ignore tests/peers

check: lint types test-fast  ## What every commit passes: lint, types, fast tests

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- environments --

.venv/.stamp: requirements/dev.txt pyproject.toml
	@tools/venv.sh .venv $<
	@touch $@

.venvs/%/.stamp: requirements/world-%.txt pyproject.toml
	@tools/venv.sh .venvs/$* $<
	@touch $@

# For the lock files whose names are no world's.
.venvs/peers-%/.stamp: requirements/peers-%.txt pyproject.toml
	@tools/venv.sh .venvs/peers-$* $<
	@touch $@

.venvs/frameworks/.stamp: requirements/frameworks.txt pyproject.toml
	@tools/venv.sh .venvs/frameworks $<
	@touch $@

.venvs/focus/.stamp: requirements/focus.txt pyproject.toml
	@tools/venv.sh .venvs/focus $<
	@touch $@

setup: .venv/.stamp  ## Make .venv: job, tests, linters
worlds: .venvs/a/.stamp .venvs/b/.stamp  ## Make .venvs/a and .venvs/b: the two SDK generations

# -- what a new user types --

demo: .venv/.stamp .venvs/a/.stamp  ## Applications, invoices, the split to the cent; leaves .demo/ to look at
	@$(PYTHON) examples/demo.py

test: setup worlds .venvs/frameworks/.stamp  ## All tests on one Python: job, host half in both SDK worlds, frameworks
	@tools/test.sh $(PYTEST_ARGS)

# -- tests --

test-fast: .venv/.stamp  ## Tests that take no seconds
	@$(PYTEST) -q $(ELSEWHERE) -m 'not slow and not chaos and not conformance' $(PYTEST_ARGS)

test-pythons: .venv/.stamp  ## The host half in both worlds on Python 3.12 and 3.13, where they are installed
	@$(PYTHON) -m tools.matrix --worlds a b --pythons 3.12 3.13 -- $(PYTEST_ARGS)

test-pairs: .venv/.stamp  ## The host half on Python 3.12 and 3.13, in one SDK world each
	@$(PYTHON) -m tools.matrix --worlds a --pythons 3.12 -- $(PYTEST_ARGS)
	@$(PYTHON) -m tools.matrix --worlds b --pythons 3.13 -- $(PYTEST_ARGS)

test-oldest: .venv/.stamp  ## What depends on SDK versions most, with the oldest SDKs
	@$(PYTHON) -m tools.matrix --worlds oldest --pythons 3.11 --focus -- $(PYTEST_ARGS)

test-all: test test-oldest test-pythons smoke  ## test, test-oldest, test-pythons, smoke

matrix: .venv/.stamp  ## The host half over all SDK versions and Pythons: docs/versions.md
	@$(PYTHON) -m tools.matrix -- $(PYTEST_ARGS)

parity: .venv/.stamp  ## Price over 100,000 receipts of every model by our SQL and by LiteLLM's own functions
	@ANCHOR_PARITY_CASES=15000 $(PYTEST) -q tests/parity --timeout 3600 $(PYTEST_ARGS)

conformance: worlds .venvs/oldest/.stamp  ## Replay recorded provider exchanges in both worlds and with the oldest SDKs
	@for world in a b oldest; do echo "SDK world $$world"; \
	    .venvs/$$world/bin/python -m pytest -q -s -m conformance tests/conformance $(PYTEST_ARGS) || exit; done

chaos: .venv/.stamp  ## Kill processes and damage files for minutes; nothing lost, nothing doubled
	@$(PYTEST) -q $(ELSEWHERE) -m chaos --timeout 3600 $(PYTEST_ARGS)
	@ANCHOR_SIMULATION_SEEDS=1000 $(PYTEST) -q tests/simulation/test_simulation.py -n 2 $(PYTEST_ARGS)

faults: worlds  ## Every kind of fault in each function of ours, in every use of every SDK: the application sees none
	@for world in a b; do .venvs/$$world/bin/python -m pytest -q -m chaos --timeout 3600 \
	    tests/sdk/transparency $(PYTEST_ARGS) || exit; done

peers: .venv/.stamp .venvs/peers-a/.stamp .venvs/peers-b/.stamp  ## Beside Datadog, Sentry and OpenTelemetry, patched before and after us
	@$(PYTEST) -q tests/peers $(PYTEST_ARGS)

correctness: worlds  ## The calls that other observers count wrongly: what each bills, and what our receipt tells
	@for world in a b; do echo "SDK world $$world"; \
	    .venvs/$$world/bin/python -m pytest -q -s tests/sdk/correctness $(PYTEST_ARGS) || exit; done

memory: worlds  ## A million calls in one process, which stays as small as it was; takes half an hour
	@for world in a b; do echo "SDK world $$world"; .venvs/$$world/bin/python -m benchmarks.memory || exit; done

frameworks: .venvs/frameworks/.stamp  ## Real servers and workers, 500 interleaved requests each; test runs half of them
	@.venvs/frameworks/bin/python -m pytest tests/frameworks $(PYTEST_ARGS)

focus: .venv/.stamp .venvs/focus/.stamp  ## The official FOCUS validator on an export of ours, in its own environment
	@$(PYTHON) -m tools.focus_validator .venvs/focus/bin/python

coverage: .venv/.stamp  ## Branch coverage of the tests that run in .venv, subprocesses included
	@$(PYTEST) -q $(ELSEWHERE) --cov --cov-report term $(PYTEST_ARGS)

bench: .venv/.stamp .venvs/a/.stamp .venvs/b/.stamp  ## Cost of start-up and of a call, bare and hooked, interleaved
	@$(PYTHON) -m benchmarks; calls=$$?; $(PYTHON) -m benchmarks.outboxes && exit $$calls

bench-pricing: .venv/.stamp  ## CPU and memory of pricing; BENCH_RECEIPTS=10000000 for the size that the bars are about
	@$(PYTHON) -m benchmarks.pricing --receipts $(or $(BENCH_RECEIPTS),1000000)

bench-shipping: .venv/.stamp  ## CPU and memory of shipping, also over a long history; BENCH_RECEIPTS as above
	@$(PYTHON) -m benchmarks.shipping --receipts $(or $(BENCH_RECEIPTS),500000)

bench-allocation: .venv/.stamp  ## CPU and memory of dividing a bill, and of a day more; BENCH_RECEIPTS as above
	@$(PYTHON) -m benchmarks.allocation --receipts $(or $(BENCH_RECEIPTS),1000000)

smoke: .venv/.stamp  ## Build the wheel, install it alone and with the job extra, make one call
	@$(PYTEST) -q tests/packaging $(PYTEST_ARGS)

# -- docs --

docs: setup worlds .venvs/oldest/.stamp .venvs/litellm/.stamp  ## Write the pages that are made from code: docs/report.md, docs/coverage.md
	@for world in oldest a b litellm; do .venvs/$$world/bin/python -m tools.coverage_page --record || exit; done
	@$(PYTHON) -m tools.coverage_page
	@$(PYTHON) -m tools.report_page

# -- style --

lint: .venv/.stamp  ## ruff, import borders, spelling
	@.venv/bin/ruff check -q
	@.venv/bin/ruff format -q --check
	@.venv/bin/lint-imports --no-logo >.venv/borders.txt 2>&1 || { cat .venv/borders.txt; exit 1; }
	@.venv/bin/codespell

types: .venv/.stamp  ## mypy --strict and pyright
	@.venv/bin/mypy
	@.venv/bin/pyright

format: .venv/.stamp  ## Rewrite to the house format
	@.venv/bin/ruff check -q --fix-only
	@.venv/bin/ruff format -q

measure:  ## Style figures beside those of admired projects, where the measuring tool is at hand
	@if [ -f ../shared/tools/measure.py ]; then \
	    python3 ../shared/tools/measure.py anchor_autopatch exporters/anchor_exporters \
	        --tests tests --root . --against coverage,structlog,beancount.core,target; \
	else echo "No ../shared/tools/measure.py here: nothing measured"; fi

# -- housekeeping --

lock:  ## Resolve the environments anew into requirements/
	@tools/lock.sh

clean:  ## Remove environments, caches, build artefacts and the demo's state
	@rm -rf .venv .venvs .demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
