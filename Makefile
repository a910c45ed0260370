# `make help` lists what there is. Needs cargo, a C compiler and CPython >= 3.11; all else is fetched into .venv*.
#
# PYTHONS="/path/to/python3.15 …" adds interpreters to those that are found; PY=3.12 chooses one of them.

MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SECONDEXPANSION:

export PYTHONS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python

PY = $(eval PY := $(firstword $(shell scripts/interpreters.sh default)))$(PY)
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates python -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi')
DEVELOP := VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/maturin develop

##@ Use
.PHONY: help setup pythons python-debug build release demo bench bench-io bench-rust
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { print "\n" substr($$0, 5) } \
		/^[a-z-]+:.*## / { split($$1, target, " "); printf "  %-20s %s\n", target[1], $$2 }' Makefile

setup: .venv/.ready ## Make .venv with the tools of a developer

pythons: ## Fetch Debian's builds of the CPythons that are not found, for tests
	for version in 3.14 3.15; do \
		scripts/interpreters.sh $$version >/dev/null 2>&1 || scripts/debian-python.sh $$version; \
	done

python-debug: ## Fetch Debian's debug build of CPython, for test-debug
	scripts/debian-python.sh 3.14d

build: .venv/.ready ## Build the extension into .venv, quickly
	$(DEVELOP) --profile fast

release: .venv/.ready ## Build the extension into .venv as users get it
	$(DEVELOP) --release

demo: release ## Run the example programs in Python and in Rust, on the virtual clock
	@for program in queue pace iteration; do \
		echo "== python -m roundel --virtual-time examples/$$program.py"; \
		.venv/bin/python -m roundel --virtual-time examples/$$program.py; \
		echo "== cargo run --example $$program -- --virtual-time"; \
		cargo run --release --quiet --example $$program -- --virtual-time; \
	done

bench: release ## Measure against asyncio and uvloop
	.venv/bin/pip install --quiet --group bench
	.venv/bin/python -m benchmarks
	.venv/bin/python -m benchmarks.io

bench-io: release ## Measure networking alone, against a server in C, too
	.venv/bin/pip install --quiet --group bench
	.venv/bin/python -m benchmarks.io

bench-rust: ## Measure the Rust runtime against others
	cargo run --release --quiet --manifest-path benchmarks/rust/Cargo.toml -- $(ROWS)

##@ Test
.PHONY: test test-rust test-doc test-each test-python test-parity test-cpython test-debug test-services services soak fuzz fuzz-rust fuzz-python loom memcheck miri asan
test: test-rust test-doc loom memcheck test-each test-services ## Run every test, on every interpreter that is found

test-rust: ## Run the core's tests
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --all-features; else cargo test --all-features; fi

test-doc: ## Run the examples in the core's documentation
	cargo test --doc --all-features

test-each: ## Run the Python tests on every interpreter that is found
	@scripts/test-each.sh

test-python: .venvs/$$(PY)/.built ## Run the package's tests on one interpreter
	.venvs/$(PY)/bin/python -m pytest tests/python

test-parity: .venvs/$$(PY)/.built ## Compare event logs of asyncio and roundel on one interpreter
	.venvs/$(PY)/bin/python -m pytest tests/parity

test-cpython: .venvs/$$(PY)/.built ## Run CPython's own asyncio tests on one interpreter
	.venvs/$(PY)/bin/python tests/cpython/run.py

test-services: .venvs/$$(PY)/.built ## Run other people's clients and servers on one interpreter
	.venvs/$(PY)/bin/pip install --quiet --group services
	.venvs/$(PY)/bin/python -m pytest tests/services

services: ## Install the databases that other people's clients are tested against (Debian, as root)
	apt-get install --yes redis-server postgresql

test-debug: ## Run the Python tests on a debug build of CPython, where one is found
	@if found=$$(scripts/interpreters.sh debug); then \
		PYTEST_ADDOPTS="-m 'not slow' --timeout 300" $(MAKE) PY="$${found%% *}" test-python test-parity test-cpython; \
	else \
		echo "no debug build of CPython (python3.14d, say) is found, so nothing is tested on one; make python-debug fetches it"; \
	fi

soak: .venvs/$$(PY)/.built ## Let many rude clients talk, and disturb many connections, for ten minutes in all
	.venvs/$(PY)/bin/python -m tests.python.soak
	.venvs/$(PY)/bin/python -m tests.python.descriptors.watched --disturbed 100000

FUZZ_SECONDS ?= 600
FUZZ_FLAGS := --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)

fuzz: fuzz-rust fuzz-python ## Fuzz streams' readers and TLS for FUZZ_SECONDS each

fuzz-rust: ## Fuzz what the core makes of bytes, guided by coverage (needs nightly Rust)
	target=$$(rustc -vV | sed -n 's/^host: //p'); \
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo +nightly build --quiet --release --target $$target --manifest-path crates/roundel/fuzz/Cargo.toml; \
	for name in lines stream_buffer; do \
		mkdir -p build/fuzz/$$name; \
		crates/roundel/fuzz/target/$$target/release/$$name -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix=build/fuzz/ build/fuzz/$$name; \
	done

fuzz-python: .venvs/$$(PY)/.built ## Fuzz the extension's readers and TLS beside asyncio's
	.venvs/$(PY)/bin/python -m tests.python.fuzz reader --seconds $(FUZZ_SECONDS)
	.venvs/$(PY)/bin/python -m tests.python.fuzz tls --seconds $(FUZZ_SECONDS)

loom: ## Run what the core shares between threads in every interleaving
	RUSTFLAGS="--cfg loom" cargo test --profile fast --test loom

HOST := $(shell rustc -vV | sed -n 's/^host: //p')

memcheck: ## Run the core's tests under AddressSanitizer, leaks and all, where there is a nightly Rust
	@if rustc +nightly --version >/dev/null 2>&1; then \
		export RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan; \
		set -- --quiet --target $(HOST) --package roundel --all-features; set -x; \
		cargo +nightly build "$$@" --examples; \
		cargo +nightly test "$$@" --tests; \
	else \
		echo "there is no nightly Rust (rustup toolchain install nightly), so nothing is tested under AddressSanitizer"; \
	fi

# What needs no sockets, files, processes or real time: Miri knows few of the system's calls.
MIRI_TESTS ?= cancel deadlock first_completed handles interrupted lines locks meetings primitives queue stream_buffer sync \
	task_group tasks threads time timers turn wakers

miri: ## Run the core's tests under Miri, for an hour (needs nightly Rust with Miri)
	MIRIFLAGS=-Zmiri-disable-isolation RUSTFLAGS="--cfg rustix_use_libc" CARGO_TARGET_DIR=target/miri \
		cargo +nightly miri test --quiet --package roundel $(addprefix --test ,$(MIRI_TESTS))

asan: .venv/.ready .venvs/asan/.ready ## Run the Python tests under AddressSanitizer (needs nightly Rust)
	rm -rf build/wheels/asan
	RUSTUP_TOOLCHAIN=nightly RUSTFLAGS=-Zsanitizer=address .venv/bin/maturin build --quiet --profile fast --compatibility linux \
		--target $$(rustc -vV | sed -n 's/^host: //p') --interpreter .venvs/asan/bin/python --out build/wheels/asan
	.venvs/asan/bin/pip install --quiet --force-reinstall --no-deps build/wheels/asan/*.whl
	export ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc LD_PRELOAD=$$(gcc -print-file-name=libasan.so); \
		.venvs/asan/bin/python -m pytest tests/python; \
		.venvs/asan/bin/python tests/cpython/run.py

##@ Check
.PHONY: ci lint types docs shape fmt check-free-threaded check-elsewhere
ci: lint types docs shape check-free-threaded check-elsewhere test ## Run all that a change must pass

lint: .venv/.ready ## Check format and lint of Rust and Python
	cargo fmt --all --check
	cargo fmt --manifest-path benchmarks/rust/Cargo.toml --check
	cargo fmt --manifest-path crates/roundel/fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package roundel --all-targets --all-features -- -D warnings
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: build ## Check the package's types and that its stubs tell the truth
	.venv/bin/mypy
	.venv/bin/python -m mypy.stubtest roundel._roundel

docs: ## Build the core's documentation
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features

shape: ## Print the sizes and shares that the style guide bounds
	.venv/bin/python scripts/shape.py

fmt: .venv/.ready ## Format Rust and Python
	cargo fmt --all
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

check-free-threaded: ## Compile for free-threaded CPython 3.14
	PYO3_CONFIG_FILE=$(CURDIR)/scripts/free-threaded.cfg cargo check --package roundel-python

check-elsewhere: ## Compile the core for macOS and by the oldest Rust, where these can be had
	@scripts/check-elsewhere.sh

# .venv is for developing: tools, and the package as it stands in the tree.
.venv/.ready: pyproject.toml
	scripts/venv.sh default .venv tools
	touch $@

# .venvs/3.12 is for testing on 3.12: the package is installed there from its wheel.
.venvs/%/.ready: pyproject.toml
	scripts/venv.sh $* $(@D) test
	touch $@

.venvs/asan/.ready: pyproject.toml
	scripts/venv.sh $(PY) $(@D) test
	touch $@

.venvs/%/.built: .venv/.ready .venvs/%/.ready $(SOURCES)
	rm -rf build/wheels/$*
	.venv/bin/maturin build --quiet --profile fast --compatibility linux --interpreter .venvs/$*/bin/python --out build/wheels/$*
	.venvs/$*/bin/pip install --quiet --force-reinstall --no-deps build/wheels/$*/*.whl
	touch $@

.PRECIOUS: .venvs/%/.ready .venvs/%/.built
