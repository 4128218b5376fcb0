# make demo: both flows on the default world, then promote, roll back and verify.   make test: all tests.
# Both set up .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
QUEUE := tests/pipelines/test_slots.py
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-runs test-queue test-parts test-stack mutants check deps install deploy up down

demo: .venv/run
	stemma run rlhf
	stemma run dpo
	stemma show
	stemma promote policy/2 --reason "the first to beat SFT"
	stemma promote policy/1 --reason "beats the champion on the same prompts"
	stemma rollback --reason "a drill: put the one before back"
	stemma promote policy/1 --reason "the drill is over: the better model again"
	stemma verify policy@champion
	@echo
	@echo "Open the UIs:  $(BIN)/stemma up      then look at http://127.0.0.1:4200 (Prefect) and http://127.0.0.1:5000 (MLflow)"

# Side by side, because the stack mostly waits.
test: .venv/dev
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target test-runs test-stack test-parts test-queue

test-runs:
	pytest tests/pipelines --ignore=$(QUEUE)

test-queue:
	pytest $(QUEUE)

test-parts:
	pytest tests/architecture tests/unit tests/labelling_web tests/lineage tests/promotion tests/export tests/serving tests/stages

# The real stack on loopback: PostgreSQL, S3, a bare Git remote, two workers in clones of their own, a browser.
test-stack:
	pytest tests/stack

# Whether the fast tests notice one wrong line: every mutant of tests/mutant_list.py, in a copy of the project.
mutants: .venv/dev
	python -m tests.mutants

check: .venv/dev
	ruff format --check .
	ruff check .
	mypy
	pytest tests/architecture

# Rewrite the code dependencies in dvc.yaml from the import closure of each stage.
deps: .venv/dev
	PYTHONPATH=. python tests/architecture/write_deps.py

install: .venv/run

.venv/run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $@

# The local stack: Prefect, MLflow, the label page, workers; `up` deploys too.
up: .venv/run
	stemma up

down: .venv/run
	stemma down

deploy: .venv/run
	stemma deploy
