# Two commands do everything: `make run` serves the demo clusterset, `make test` tests all there is.
# The environment is made in .venv on first use, and again when pyproject.toml changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What the native plane is built from: a change of it builds it again.
RUST := rust/Cargo.toml rust/Cargo.lock $(shell find rust/src -name '*.rs')
# How many tests run at once: one more than two cores have, as many wait for a server or a clock. A file stays on one worker: its tests share
# the servers that they start. Files run in their order, real servers first; many short ones at the end keep every worker busy.
WORKERS ?= 3
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help run test lint unit clean

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml $(RUST)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mcsdns needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 2; }
	@echo "making the environment in $(VENV), once: this takes a minute or three"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/mcsdns --version | grep native || echo "Rust (cargo) is not here, or could not build: the Python plane answers"
	@touch $@

run: $(READY) ## serve the demo clusterset on 127.0.0.1:5300
	$(BIN)/mcsdns serve --config config/demo.yaml

test: $(READY) servers ## check and test everything
	@$(MAKE) --jobs=2 --output-sync=target --no-print-directory lint rust
	$(PYTEST)

unit: $(READY) ## the tests that need no real servers
	$(PYTEST) -m 'not servers'

lint: lint-python lint-rust ## format, lint, types and layers

.PHONY: lint-python
lint-python: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: lint-rust
lint-rust:
	@if command -v cargo >/dev/null; then cd rust && cargo fmt --check && \
	  cargo clippy --locked --all-targets --quiet -- -D warnings && \
	  cargo clippy --locked --quiet --features python -- -D warnings; \
	else echo "Rust (cargo) is not here: the native plane is not checked"; fi

.PHONY: rust
rust: ## the native plane's own tests
	@if command -v cargo >/dev/null; then cd rust && cargo test --locked --quiet; \
	else echo "Rust (cargo) is not here: the native plane is not tested"; fi

# Seconds for each of the fuzz targets, which run beside each other.
FUZZ_S ?= 60

.PHONY: fuzz
fuzz: ## fuzz the native plane with libFuzzer, and run its tests under AddressSanitizer
	@if command -v cargo >/dev/null && command -v c++ >/dev/null; then rust/fuzz/run $(FUZZ_S) && cd rust && \
	  RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --locked --quiet --tests --target-dir "$${CARGO_TARGET_DIR:-target}/sanitized" \
	    --target "$$(rustc -vV | sed -n 's/^host: //p')"; \
	else echo "Rust (cargo) or a C++ compiler is not here: the native plane is not fuzzed"; fi

.PHONY: servers
servers: $(READY) ## build the real peers that tests and benchmarks use (Go)
	@if command -v go >/dev/null; then $(BIN)/python -m tests.servers.build; \
	else echo "Go is not here: tests against real API servers and CoreDNS are skipped"; fi

.PHONY: manifests
manifests: $(READY) ## write deploy/mcsdns.yaml and the chart's table of values again
	$(BIN)/python -m tests.chart

clean: ## remove what was made here
	rm -rf $(VENV) rust/target rust/fuzz/target rust/fuzz/work mcsdns/_plane*.so build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
