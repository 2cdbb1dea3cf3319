# Every target sets up what it needs: Python 3.11+ with venv and pip is enough.

PYTHON ?= python3
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup demo gateway conformance prove prove-gateway audit audit-dependencies fuzz test test-matrix lint types contracts self verify bench bench-stall bench-guard bench-streams bench-gateway-leaks bench-gateway bench-load lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/dev.stamp ## Install letgo and all that its checks need into .venv

PROVE := $(BIN)/letgo prove app.main:app --scenario examples/leaky/shoppers.py --beside "python -m app.partner"
# Nothing here depends on how fast the machine is.
HOLDS := --threshold "idle_in_transaction.age.max < 5s" --threshold "errors < 0.1%" --users 60 --hold 12s

prove: .venv/dev.stamp ## Put the leaky bookshop under load and watch its Postgres
	@$(PROVE) --app-dir examples/leaky || test $$? -eq 99

prove-gateway: .venv/dev.stamp ## Put the gateway under the load of 4,000 users, and watch its Postgres
	@cd gateway && ../$(BIN)/python -m load --users 4000 --ramp-up 30s --hold 60s --html ../letgo-prove-gateway.html

gateway: .venv/dev.stamp ## Serve the gateway on http://127.0.0.1:4444
	@$(BIN)/letgo-gateway serve

conformance: .venv/dev.stamp ## Run the official conformance suite of the Model Context Protocol against the gateway
	@cd gateway && ../$(BIN)/python -m conformance

demo: .venv/dev.stamp ## Check, prove, fix, check and prove a copy of the leaky bookshop
	@rm -rf .demo && mkdir .demo && cp -R examples/leaky/app .demo
	@$(BIN)/letgo audit .demo --output-format html --output-file letgo-audit.html
	@$(BIN)/letgo check .demo --statistics || test $$? -eq 1
	@$(PROVE) --app-dir .demo $(HOLDS) --no-html --json .demo/before.json || test $$? -eq 99
	@$(BIN)/letgo fix .demo --unsafe --allow-dirty
	@git --no-pager diff --no-index --unified=2 examples/leaky/app/routers/used_again.py .demo/app/routers/used_again.py || true
	@$(BIN)/letgo check .demo
	@$(PROVE) --app-dir .demo $(HOLDS) --compare .demo/before.json
	@echo "The audit before: file://$(CURDIR)/letgo-audit.html"

audit: .venv/base.stamp ## Check the leaky bookshop and write the HTML audit of it
	@$(BIN)/letgo check examples/leaky || test $$? -eq 1
	@$(BIN)/letgo audit examples/leaky --output-format html --output-file letgo-audit.html
	@echo "The audit is a page to look at: file://$(CURDIR)/letgo-audit.html"

audit-dependencies: .venv/dev.stamp ## Look the pinned dependencies up in the advisories of the Python Packaging Authority, or with SOURCE=osv in those of OSV
	@for pins in base gateway dev; do \
		echo "requirements/$$pins.txt"; \
		$(BIN)/uv tool run pip-audit -s $(or $(SOURCE),pypi) --require-hashes --disable-pip --strict -r requirements/$$pins.txt || exit; \
	done

fuzz: .venv/dev.stamp ## Ask the gateway what its OpenAPI describes, in every role, for some minutes
	@LETGO_FUZZ_EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/python -m pytest -n 2 gateway/tests/security/test_described.py

test: .venv/dev.stamp ## Run the tests
	@$(BIN)/python -m pytest $(TEST_OPTIONS)
	@$(BIN)/python -m tests.runtime.matrix 0.105.0 2.0.58

test-matrix: .venv/dev.stamp ## Keep the promises of letgo.runtime with every FastAPI and SQLAlchemy
	@$(BIN)/python -m tests.runtime.matrix

lint: .venv/dev.stamp ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/dev.stamp ## Check types
	@$(BIN)/mypy

contracts: .venv/dev.stamp ## Check that imports run downwards only
	@$(BIN)/lint-imports

self: .venv/dev.stamp ## Let letgo check itself and the gateway
	@$(BIN)/letgo check src gateway/src
	@$(BIN)/letgo check --strict gateway/src

verify: lint types contracts self test ## Everything CI runs; the tests come last

bench: .venv/dev.stamp ## Measure letgo beside other tools; on a tree of your own with TREE=path
	@$(BIN)/python -m benchmarks $(if $(TREE),--tree $(TREE)) --write docs

bench-stall: .venv/dev.stamp ## Measure examples/stall with more and more users, as it is and with install(app)
	@$(BIN)/python -m benchmarks.stall --write docs/stall.md

bench-guard: .venv/dev.stamp ## Measure what install and the guard cost a small real app, side by side with the app alone
	@$(BIN)/python -m benchmarks.guard_cost --write docs/cost.md

bench-streams: .venv/dev.stamp ## Measure how soon an app answers while 500 slow streams are open
	@$(BIN)/python -m benchmarks.streams --write docs/streams.md

bench-gateway-leaks: .venv/dev.stamp ## Measure the gateway beside upstreams, a Postgres and a worker with troubles
	@$(BIN)/python -m gateway.leaks --write docs/gateway-leaks.md

bench-gateway: .venv/dev.stamp ## Measure what a request costs the gateway, by endpoint
	@cd gateway && ../$(BIN)/python -m load.cpu --write ../docs/gateway-load.md

bench-load: .venv/dev.stamp ## Measure what it costs to make load, beside wrk, aiohttp and Locust where they are there
	@$(BIN)/python -m benchmarks.load --write docs/load.md

lock: .venv/dev.stamp ## Pin the newest versions of all dependencies
	$(LOCK) --upgrade --group build -o requirements/base.txt pyproject.toml
	$(LOCK) --upgrade --group dev --extra runtime --no-emit-package letgo -c requirements/base.txt \
		-o requirements/dev.txt pyproject.toml gateway/pyproject.toml
	$(LOCK) --upgrade --group build --no-emit-package letgo -c requirements/dev.txt \
		-o requirements/gateway.txt pyproject.toml gateway/pyproject.toml
	$(LOCK) --upgrade --group pyproject.toml:conformance -o requirements/conformance.txt
	$(LOCK) --upgrade --group pyproject.toml:mcp1 -o requirements/mcp1.txt
	@cd gateway && ../$(BIN)/python -m conformance.installing

clean: ## Remove everything that was made here
	rm -rf .venv .matrix .conformance .demo .letgo_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	rm -f letgo-audit.html letgo-prove.html letgo-prove-gateway.html examples/leaky/bookshop.db letgo-gateway.db* letgo-gateway.key
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "letgo needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/base.stamp: requirements/base.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/base.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/base.stamp requirements/dev.txt gateway/pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e gateway
	@touch $@
