# The developer's verbs. They use the active environment: pip install -c constraints.txt -e '.[dev]'
PYTHON ?= python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help test lint docs bench

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## run the tests; ARGS='-k pooling' picks some, ARGS='-m slow' the slow ones
	$(PYTHON) -m pytest $(ARGS)

lint: ## check style, format and types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

docs: ## redraw the pictures in README and docs/, then run both as tests
	for script in docs/*.py; do [ ! -f "$$script" ] || $(PYTHON) "$$script" || exit; done
	$(PYTHON) -m pytest -k 'readme or docs' $(ARGS)

bench: ## compare with the torch-based counters; needs '.[bench]'
	$(PYTHON) benchmarks/cold.py $(ARGS)
	$(PYTHON) benchmarks/inprocess.py $(ARGS)
	$(PYTHON) benchmarks/scaling.py $(ARGS)
	$(PYTHON) benchmarks/zoo.py $(ARGS)
