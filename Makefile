# Every target sets up what it needs by itself: a machine with Python >= 3.11, make and a package index is enough.

VENV ?= .venv
BENCH_VENV ?= .bench-venv
LOWEST_VENV ?= .lowest-venv
# The first interpreter that really runs (a shim on the path may not), is new enough and can make an environment.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$python" && break; \
	done)
NO_PYTHON = No Python >= 3.11 with the venv module was found: install one, or name it with make PYTHON=...
ARGS ?=
WORKERS ?= auto
SECONDS ?= 900

# The tests of all that depends on other packages: types, connections, threads, streams, and each extra.
CORE_TESTS = $(addprefix tests/, test_messages.py test_files.py telemetry/test_instrumentation.py prices/test_prices.py cli/test_cli.py \
	$(addprefix schema/test_schema_, answers.py arguments.py callables.py functions.py results.py) \
	$(addprefix models/test_, kept_content.py usage_places.py openai_chat_request.py openai_chat_response.py \
	bedrock_signing.py google_vertex.py) \
	$(addprefix transport/test_transport_, http.py retry.py encodings.py tunnels.py) \
	bridge/test_bridge_calls.py bridge/test_bridge_streams.py engine/test_agent_one_run.py engine/test_agent_tools.py \
	stream/test_direct.py stream/test_stream_run_data.py)

PIP_INSTALL = -m pip --disable-pip-version-check --quiet install
RUN = $(VENV)/bin/python
# The bytecode of the tests is kept, even if the environment forbids it: without it, each process compiles for ten seconds.
PYTEST = PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest --numprocesses $(WORKERS) --dist loadgroup
SERVERS = $(VENV)/servers
# The cheapest way to measure coverage; Python has it since 3.12.
COVERAGE_CORE = $(shell $(RUN) -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-all test-fast test-lowest coverage places soak reliability audit lint types format package release-check bench web clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## Watch a synchronous script stream an answer over real HTTP; no key needed
	@$(RUN) -m syncai.demo

test: $(VENV)/.dev ## Run the tests, with a sample of similar ones; ARGS='-k name' passes options to pytest
	$(PYTEST) --sample $(ARGS)

test-fast: $(VENV)/.dev ## Run the fast tests that need no clock, for use between two edits
	$(PYTEST) --sample -m 'not slow and not timing' --ignore=tests/laws $(ARGS)

test-all: $(VENV)/.dev ## Run all tests
	$(PYTEST) $(ARGS)

test-lowest: $(LOWEST_VENV)/.lowest ## Run the core of the tests with the lowest allowed versions of all dependencies
	$(LOWEST_VENV)/bin/python -m pytest $(CORE_TESTS) $(ARGS)

coverage: $(VENV)/.dev ## Run all tests and measure their coverage; fails below the floor of pyproject.toml
	COVERAGE_CORE=$(COVERAGE_CORE) $(PYTEST) --cov --cov-report=term:skip-covered $(ARGS)

places: $(VENV)/.places $(SERVERS)/.litellm $(SERVERS)/.clients $(SERVERS)/.aimock $(SERVERS)/.readers ## Run the tests with gunicorn, Celery and other servers, and with real model servers
	SYNCAI_PLACES=1 SYNCAI_LITELLM=$(abspath $(SERVERS)/litellm/bin/litellm) \
		SYNCAI_CLIENTS=$(abspath $(SERVERS)/clients/bin/python) \
		SYNCAI_AIMOCK=$(abspath $(SERVERS)/aimock/node_modules/.bin/llmock) \
		SYNCAI_WEB_READERS=$(abspath $(SERVERS)/readers) \
		$(RUN) -m pytest tests/places $(ARGS)

web: $(VENV)/.dev ## Chat in the browser with a model within the program; ARGS='shop:agent' takes an agent of yours
	@$(RUN) -m syncai.cli web --open $(if $(ARGS),$(ARGS),--demo)

soak: $(VENV)/.dev ## Run under load and faults for a long time; SECONDS=60 for a short run
	$(RUN) tests/reliability/soak.py --seconds $(SECONDS)

reliability: $(VENV)/.dev ## Run the scripts of interrupts, calls, early exits and kills in full, and print their figures (minutes)
	$(RUN) tests/reliability/interrupts.py
	$(RUN) tests/reliability/every_step.py
	$(RUN) tests/reliability/ctrl_c.py
	$(RUN) tests/reliability/calls.py
	$(RUN) tests/reliability/early_exits.py
	$(RUN) tests/reliability/step_kills.py
	$(RUN) tests/reliability/journal.py
	$(RUN) tests/reliability/conversation_kills.py 300

audit: $(VENV)/.package ## With SYNCAI_AUDIT=1, ask the package index for known weaknesses of the dependencies
	@$(RUN) -m pip --disable-pip-version-check freeze --exclude-editable > $(VENV)/frozen.txt
	@$(RUN) tests/support/audit.py $(VENV)/frozen.txt

lint: $(VENV)/.dev ## Check style and formatting
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.dev ## Check types, strictly, by two checkers, and what editors complete
	$(RUN) -m mypy
	$(RUN) -m pyright --pythonpath $(RUN)
	$(RUN) -m pytest -q tests/laws/test_editors.py tests/laws/test_typing.py tests/laws/test_typing_runs.py tests/laws/test_typing_docs.py

format: $(VENV)/.dev ## Format the code and fix what can be fixed
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

package: $(VENV)/.package ## Build wheel and sdist, and try the wheel without extras in a fresh environment
	@$(RUN) $(PIP_INSTALL) --group package
	$(RUN) tests/support/package.py

release-check: lint types package ## All that a release needs: style, types, package, changelog, metadata, age of model names
	$(RUN) -m pytest -q --runxfail tests/models/test_catalog_age.py
	$(RUN) tests/support/release.py

docs: $(VENV)/.docs ## Build the documentation as a site in build/site; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build
	@echo "open build/site/index.html"

bench: $(BENCH_VENV)/.package ## Measure against other libraries; writes benchmarks/RESULTS.md
	$(BENCH_VENV)/bin/python benchmarks/run.py $(ARGS)

clean: ## Remove environments, caches and builds
	rm -rf .venv .bench-venv .lowest-venv .ci-venv-* .ci-logs .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Runs $(2), which prints nothing by itself, and prints every 3 seconds that $(1) continues. The watch ends with its shell,
# also after Ctrl-C, and its sleep holds no pipe open.
define while_saying
	echo "$(1)"; \
	( seconds=0; while sleep 3 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do \
		seconds=$$((seconds + 3)); echo "  ... still $(1) ($$seconds s)"; done ) & watch=$$!; \
	$(2); status=$$?; kill $$watch 2>/dev/null; ( exit $$status )
endef

# An unfinished environment has no working pip: it is made again.
define make_venv
	@if ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
		python="$(PYTHON)"; \
		test -n "$$python" || { echo "$(NO_PYTHON)" >&2; exit 1; }; \
		$(call while_saying,making $(1) with $$python,"$$python" -m venv --clear $(1)); \
	fi
	@$(call while_saying,installing pip into $(1),$(1)/bin/python $(PIP_INSTALL) --upgrade 'pip>=25.1')
endef

# Only the dependencies of the demo: without pip if that of the system's Python works, and without a build of the package,
# since `python -m` imports from its folder.
$(VENV)/.demo: pyproject.toml
	@echo "making $(VENV)"
	@if ! $(RUN) -c '' 2>/dev/null; then \
		python="$(PYTHON)"; \
		test -n "$$python" || { echo "$(NO_PYTHON)" >&2; exit 1; }; \
		"$$python" -m venv --without-pip --clear $(VENV); \
	fi
	@$(RUN) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
		> $(VENV)/needed.txt
	@pip="$(RUN) -m pip"; \
	$$pip --version >/dev/null 2>&1 || pip="$$($(RUN) -c 'import sys; print(sys._base_executable)') -m pip --python $(RUN)"; \
	$$pip --version >/dev/null 2>&1 || { pip="$(RUN) -m pip"; $(RUN) -m ensurepip >/dev/null; }; \
	$(call while_saying,installing what the demo needs into $(VENV),$$pip --disable-pip-version-check --quiet install \
		--no-compile --requirement $(VENV)/needed.txt)
	@touch $@
	@echo "starting the demo"

$(VENV)/.package: pyproject.toml
	$(call make_venv,$(VENV))
	@$(call while_saying,installing syncai and what it needs,$(RUN) $(PIP_INSTALL) --editable .)
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	@$(call while_saying,installing the tools of the tests,$(RUN) $(PIP_INSTALL) --group dev)
	@touch $@

$(VENV)/.docs: $(VENV)/.package
	@$(RUN) $(PIP_INSTALL) --group docs
	@touch $@

$(LOWEST_VENV)/.lowest: pyproject.toml tests/support/lowest.py
	$(call make_venv,$(LOWEST_VENV))
	@$(LOWEST_VENV)/bin/python tests/support/lowest.py > $(LOWEST_VENV)/lowest.txt
	@$(LOWEST_VENV)/bin/python $(PIP_INSTALL) --editable . --requirement $(LOWEST_VENV)/lowest.txt
	@touch $@

$(VENV)/.places: $(VENV)/.dev
	@$(RUN) $(PIP_INSTALL) --group places
	@touch $@

$(SERVERS)/.litellm: pyproject.toml $(VENV)/.places # in a separate environment, since it pins many packages
	$(call make_venv,$(SERVERS)/litellm)
	@$(SERVERS)/litellm/bin/python $(PIP_INSTALL) --group litellm
	@touch $@

$(SERVERS)/.clients: pyproject.toml $(VENV)/.places # likewise
	$(call make_venv,$(SERVERS)/clients)
	@$(SERVERS)/clients/bin/python $(PIP_INSTALL) --group clients
	@touch $@

$(SERVERS)/.aimock: $(VENV)/.places
	@mkdir -p $(SERVERS)/aimock
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(SERVERS)/aimock @copilotkit/aimock@^1.43 && touch $@; \
	else \
		echo "npm was not found: the tests of aimock are skipped"; \
	fi

$(SERVERS)/.readers: tests/places/web_readers/package.json $(VENV)/.places
	@mkdir -p $(SERVERS)/readers && cp tests/places/web_readers/package.json $(SERVERS)/readers/
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(SERVERS)/readers && touch $@; \
	else \
		echo "npm was not found: the tests of the readers of pages are skipped"; \
	fi

$(BENCH_VENV)/.package: pyproject.toml benchmarks/requirements.txt
	$(call make_venv,$(BENCH_VENV))
	@$(BENCH_VENV)/bin/python $(PIP_INSTALL) --editable . --requirement benchmarks/requirements.txt
	@touch $@
