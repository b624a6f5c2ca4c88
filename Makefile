# The front door of batchmill: `make` lists the targets. Everything is set up on the way; nothing has to be done by hand.

PYTHON ?= python3
CARGO ?= cargo
VENV := .venv
WHEEL_VENV := .venv-wheel
BENCH_VENV := .venv-bench
BROWSER_VENV := .venv-browser
POLLOCK_VENV := .venv-pollock
EDITOR := .editor
# Programs that check the project, built here once.
TOOLS := .tools
DENY_VERSION := 0.20.2
PREFIX ?= $(HOME)/.local
# Cargo builds into this directory. `dev` is the profile that `make demo` and `make test` share, `dist` the one for users.
TARGET := $(or $(CARGO_TARGET_DIR),target)
RUN := $(TARGET)/debug/batchmill
DIST := $(TARGET)/dist

# `batchmill-python` embeds CPython and needs its shared library; where there is none, the wheel hosts the workers.
SHARED := $(shell $(PYTHON) -c 'import os, sysconfig as s; \
	g = lambda n: s.get_config_var(n) or ""; \
	d = [g("LIBDIR"), os.path.join(g("LIBDIR"), g("MULTIARCH"))]; \
	print("yes" if g("LDLIBRARY").endswith(".so") and any(os.path.exists(os.path.join(x, g("LDLIBRARY"))) for x in d) else "")')
FEATURES := $(if $(SHARED),--features python)
BINS := --bin batchmill $(if $(SHARED),--bin batchmill-python)

# Twice the cores, of which there are two at least.
TEST_THREADS := $(shell echo $$((2 * $$(nproc))))

TEST_ENV := BATCHMILL_TEST_PYTHON=$(CURDIR)/$(VENV)/bin/python

# The wheel has features of its own, so its builds share the target directory with the programs without disturbing them.
BUILD_WHEEL = PATH="$(CURDIR)/$(WHEEL_VENV)/bin:$$PATH" MATURIN_PEP517_ARGS='--interpreter $(PYO3_PYTHON)' \
	$(WHEEL_VENV)/bin/python python/build
# What a wheel is made of.
WHEEL_PARTS := build.rs Cargo.toml Cargo.lock pyproject.toml $(shell find src python/batchmill python/build -type f ! -name '*.pyc')
# Installs a wheel whose version has not changed: $(call install-wheel,VENV,FILES). The second call adds what it depends on.
install-wheel = $(1)/bin/python -m pip install --quiet --force-reinstall --no-deps $(2) && $(1)/bin/python -m pip install --quiet $(2)

# pyo3 builds against this interpreter; were it another one each time, everything would be built anew each time.
export PYO3_PYTHON := $(shell $(PYTHON) -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)')
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-programs test-full browser pictures chaos fuzz deny check bench bench-auto bench-check bench-clusters bench-disturbed bench-engines bench-width bench-map bench-paint bench-parts bench-peers bench-pollock bench-profile bench-scale install fmt lint wheel clean setup quick build dist

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: $(if $(SHARED),quick,build $(VENV)/wheel) ## run the main example: process a directory of CSV files with pandas, on every core
	@echo "--- $(RUN) run fixtures/workflows/flights.yaml --python $(VENV)/bin/python"
	@$(RUN) run fixtures/workflows/flights.yaml --python $(VENV)/bin/python
	@echo
	@echo "made: $$(ls out/flights/*.json | wc -l) files out/flights/*.json, and out/flights/by-carrier.csv, which begins"
	@head -4 out/flights/by-carrier.csv | sed 's/^/    /'
	@echo "type next:"
	@echo "    $(RUN) results --step process_files    # what each file gave"
	@echo "    $(RUN) report    # one page: where the time went"
	@echo "    $(RUN) plan fixtures/workflows/flights.yaml --python $(VENV)/bin/python"
	@echo "    $(RUN) init && $(RUN) run workflow.yaml    # a workflow of your own"

# Tests and Python packages are made ready side by side: one mostly compiles, the other mostly downloads. Several tests wait most of their time.
test: ## run the quick tests: all but those of `test-full`
	@$(MAKE) --no-print-directory -j 2 setup test-programs
	$(TEST_ENV) RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test $(FEATURES)

test-programs:
	$(CARGO) test --no-run $(FEATURES)

# Rust tests that are slow or need the wheel are marked `#[ignore = "heavy: .."]`. Then the worker's tests again, with the wheel as the
# worker, and the tests of the Python package.
test-full: build setup $(WHEEL_VENV)/ready $(WHEEL_VENV)/tests $(EDITOR)/ready ## run the heavy tests; build and install the wheel, and have it host the workers
	$(TEST_ENV) BATCHMILL_TEST_WHEEL_PYTHON=$(CURDIR)/$(WHEEL_VENV)/bin/python $(CARGO) test $(FEATURES) -- --ignored
	$(if $(SHARED),BATCHMILL_TEST_WORKER_PYTHON=$(CURDIR)/$(WHEEL_VENV)/bin/python $(CARGO) test $(FEATURES) --test worker)
	BATCHMILL_TEST_WHEEL=$$(echo $(CURDIR)/dist/test/*.whl) CARGO_TARGET_DIR=$(abspath $(TARGET)) \
		$(WHEEL_VENV)/bin/python -m pytest -q -rs python/tests
	$(WHEEL_VENV)/bin/mypy --strict python/batchmill
	$(WHEEL_VENV)/bin/basedpyright --project python/tests/pyrightconfig.json --pythonpath $(WHEEL_VENV)/bin/python
	$(MAKE) --no-print-directory browser

# Needs Debian's chromium and chromium-driver; without them the tests are skipped, and say so.
browser: build setup $(BROWSER_VENV)/ready ## test the report and the live page in a browser; leaves screenshots in target/pictures
	BATCHMILL=$(abspath $(RUN)) BATCHMILL_PYTHON=$(CURDIR)/$(VENV)/bin/python PICTURES=$(abspath $(TARGET))/pictures \
		$(BROWSER_VENV)/bin/python -m pytest -q -rs -p no:cacheprovider tests/browser $(ARGS)

pictures: ## make the pictures of the docs anew, in a browser
	$(MAKE) --no-print-directory browser ARGS='-k picture'
	mkdir -p docs/pictures
	cp $(TARGET)/pictures/report-of-a-run.png $(TARGET)/pictures/time-line.png $(TARGET)/pictures/live-page.png \
		$(TARGET)/pictures/profile-page.png docs/pictures/

chaos: build setup ## kill engines, workers and guards at random and check that nothing is lost; ARGS='--kills 1000'
	@$(PYTHON) tests/chaos/chaos.py --batchmill $(RUN) --python $(VENV)/bin/python $(ARGS)

# Each fuzzer runs so long, one after the other.
SECONDS = 60
fuzz: build setup ## feed hostile input of every kind for minutes; SECONDS=600 for each kind, ARGS=yaml for one of them
	BATCHMILL_FUZZ_SECONDS=$(SECONDS) $(TEST_ENV) $(CARGO) test $(FEATURES) --test fuzz -- --test-threads 1 --nocapture $(ARGS)

deny: $(TOOLS)/bin/cargo-deny-$(DENY_VERSION) ## check the licences and the origins of all crates against deny.toml; ARGS=advisories needs the network
	$< --locked check licenses bans sources $(ARGS)

check: ## run everything that must pass before a change lands: formatting, lints, licences, all tests, bench-check
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings
	$(MAKE) deny
	$(MAKE) test
	$(MAKE) test-full
	$(MAKE) bench-check

bench: bench-peers ## the same as bench-peers

bench-peers: dist $(BENCH_VENV)/ready $(if $(SHARED),,$(BENCH_VENV)/wheel) ## set up, compare with other tools and print tables; ARGS='--only py-noop', ARGS=--check
	@$(BENCH_VENV)/bin/python benches/peers/run.py --batchmill $(DIST)/batchmill $(ARGS)

bench-map: $(BENCH_VENV)/wheel ## compare batchmill.map with joblib, multiprocessing and mpire; ARGS='--only py-noop --runs 10'
	@$(BENCH_VENV)/bin/python benches/peers/map.py $(ARGS)

bench-clusters: $(BENCH_VENV)/wheel ## compare `--executor` with what Dask, Ray and a pool offer themselves; ARGS='--only py-noop --runs 10', ARGS=--check
	@$(BENCH_VENV)/bin/python benches/peers/clusters.py $(ARGS)

bench-engines: $(BENCH_VENV)/wheel ## measure what Dask and Ray do with a task: crashes, cancels, costs; ARGS='--only facts --engines ray'
	@$(BENCH_VENV)/bin/python benches/peers/engines.py $(ARGS)

bench-width: $(BENCH_VENV)/wheel ## at how many hosts of a cluster batchmill itself becomes the limit; ARGS='--hosts 1000 --seconds 0.5'
	@$(BENCH_VENV)/bin/python benches/peers/width.py $(ARGS)

bench-paint: build setup $(BROWSER_VENV)/ready ## measure how soon a browser shows the report of a million items
	@BATCHMILL=$(abspath $(RUN)) BATCHMILL_PYTHON=$(CURDIR)/$(VENV)/bin/python $(BROWSER_VENV)/bin/python benches/first_paint.py

bench-disturbed: build ## run with a hundred clients that stall and vanish, and without; fail if that takes over 1 % longer; ARGS='--pairs 4'
	@$(PYTHON) benches/disturbed.py $(BENCHED) $(ARGS)

bench-parts: ## measure the parts that every item passes, each by itself: templates, JSON, CSV, frames, commits; ARGS=template
	$(CARGO) bench --manifest-path benches/parts/Cargo.toml --target-dir $(abspath $(TARGET))/parts -- $(ARGS)

bench-pollock: build $(POLLOCK_VENV)/ready ## score how well messy CSV files are read; POLLOCK=PATH is a copy of the benchmark; ARGS='--only batchmill --kinds'
	@test -n "$(POLLOCK)" || { echo "name a copy of the benchmark: make bench-pollock POLLOCK=PATH" >&2; exit 2; }
	@$(POLLOCK_VENV)/bin/python benches/pollock/run.py "$(POLLOCK)" --batchmill $(RUN) $(ARGS)

bench-auto: build setup ## compare `max_parallel: auto` with fixed widths; ARGS='--only waits --rounds 5'
	@BATCHMILL=$(abspath $(RUN)) BATCHMILL_PYTHON=$(CURDIR)/$(VENV)/bin/python $(PYTHON) benches/auto.py $(ARGS)

bench-profile: build setup ## profile loads whose limit is known, and tell whether the causes are right; ARGS='--only sleep lock'
	@BATCHMILL=$(abspath $(RUN)) BATCHMILL_PYTHON=$(CURDIR)/$(VENV)/bin/python $(VENV)/bin/python benches/profile.py $(ARGS)

# Exponents and ratios don't depend on how the program was optimised; BENCHED=.. measures another one.
BENCHED = $(abspath $(RUN))
bench-scale: build setup ## measure how the cost of each operation grows with its work; ARGS='--only bad-rows', ARGS=--quick
	@$(PYTHON) benches/scale.py --batchmill $(BENCHED) --python $(VENV)/bin/python $(ARGS)

# The figures depend on the machine; if it is another one, the commit that last changed them is measured first.
bench-check: ## count the instructions of four workloads and fail if one takes over 5 % more; ARGS=--update renews the figures
	@CARGO=$(CARGO) $(PYTHON) benches/instructions/check.py $(ARGS)

fmt: ## format the code
	$(CARGO) fmt

lint: ## run clippy
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings

# Takes some minutes: two programs with fat LTO.
wheel: $(WHEEL_VENV)/maturin ## build the Python wheel into dist/: for glibc 2.28 if zig can be installed, otherwise for that of this machine
	$(WHEEL_VENV)/bin/python -m pip install --quiet ziglang cargo-zigbuild || echo "note: zig cannot be installed"
	rm -f dist/*.whl
	$(BUILD_WHEEL)/make_wheel.py

install: dist ## install the programs into PREFIX/bin (~/.local/bin by default)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(DIST)/batchmill $(if $(SHARED),$(DIST)/batchmill-python) $(DESTDIR)$(PREFIX)/bin

clean: ## remove build output and virtual environments
	$(CARGO) clean
	rm -rf $(VENV) $(WHEEL_VENV) $(BENCH_VENV) $(BROWSER_VENV) $(POLLOCK_VENV) $(EDITOR) $(TOOLS) target-wheel target/wheel dist out

build:
	$(CARGO) build $(FEATURES) $(BINS)

dist:
	$(CARGO) build --profile dist $(FEATURES) $(BINS)

# Builds, and installs what the demo imports meanwhile.
quick:
	@$(MAKE) --no-print-directory $(VENV)/pandas & pip=$$!; \
		$(CARGO) build $(FEATURES) $(BINS); built=$$?; \
		wait $$pip && exit $$built

# The environment of the user's tasks. Without a shared libpython it gets the wheel, which then hosts the workers.
setup: $(VENV)/ready $(if $(SHARED),,$(VENV)/wheel)

# Compiles these modules and what they import, a sixth of pandas; the others are never imported here. pip would compile all
# of it, beside a build that needs the cores (21 s of CPU instead of 8 s).
COMPILED = env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -c

# What the demo imports.
$(VENV)/pandas: tests/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint tests/requirements.txt pandas
	@$(COMPILED) 'import pandas'
	@touch $@

$(VENV)/ready: $(VENV)/pandas
	$(VENV)/bin/python -m pip install --quiet --no-compile -r tests/requirements.txt
	@$(COMPILED) 'import pandas, polars, psycopg2, pyarrow.parquet'
	@touch $@

$(VENV)/wheel: $(VENV)/ready $(WHEEL_VENV)/ready
	$(call install-wheel,$(VENV),dist/test/*.whl)
	@touch $@

# Takes some minutes, once.
$(TOOLS)/bin/cargo-deny-$(DENY_VERSION):
	CARGO_TARGET_DIR=$(TOOLS)/target $(CARGO) install --quiet --locked --root $(TOOLS) --version $(DENY_VERSION) cargo-deny
	rm -rf $(TOOLS)/target
	mv $(TOOLS)/bin/cargo-deny $@

# The YAML server of VS Code, for the test that drives it. Without npm that test is skipped, and says so.
$(EDITOR)/ready: tests/editor/package.json
	mkdir -p $(EDITOR)
	cp $< $(EDITOR)/
	if command -v npm > /dev/null; then npm install --prefix $(EDITOR) --silent --no-audit --no-fund; fi
	@touch $@

# The environment of the browser tests.
$(BROWSER_VENV)/ready: tests/browser/requirements.txt
	$(PYTHON) -m venv $(BROWSER_VENV)
	$(BROWSER_VENV)/bin/python -m pip install --quiet -r tests/browser/requirements.txt
	@touch $@

# The environment of the peers that `make bench-peers` compares with, and of batchmill's tasks there.
$(BENCH_VENV)/ready: benches/peers/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet -r benches/peers/requirements.txt
	@touch $@

# The environment of the readers that `make bench-pollock` compares with.
$(POLLOCK_VENV)/ready: benches/pollock/requirements.txt
	$(PYTHON) -m venv $(POLLOCK_VENV)
	$(POLLOCK_VENV)/bin/python -m pip install --quiet -r benches/pollock/requirements.txt
	@touch $@

# Unlike the wheel for the tests this one is optimised: it is measured.
$(BENCH_VENV)/wheel: $(BENCH_VENV)/ready $(WHEEL_VENV)/maturin $(WHEEL_PARTS)
	rm -rf dist/bench && mkdir -p dist/bench
	$(BUILD_WHEEL)/batchmill_build.py dist/bench
	$(call install-wheel,$(BENCH_VENV),dist/bench/*.whl)
	@touch $@

# An environment that has the wheel, to test the wheel itself and that it hosts workers. Rebuilt when what goes into it changes.
$(WHEEL_VENV)/maturin: python/build/requirements.txt
	$(PYTHON) -m venv $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/python -m pip install --quiet -r $<
	@touch $@

# What the tests of the package import, and what checks its types.
$(WHEEL_VENV)/tests: $(WHEEL_VENV)/maturin python/tests/requirements.txt
	$(WHEEL_VENV)/bin/python -m pip install --quiet -r python/tests/requirements.txt
	@touch $@

# The engine in it is the one that `build` makes, without its symbols: they are a third of it.
$(WHEEL_VENV)/ready: $(WHEEL_VENV)/maturin $(WHEEL_PARTS) | build
	rm -rf dist/test && mkdir -p dist/test
	strip -o $(TARGET)/wheel-engine $(RUN)
	BATCHMILL_BUILD_PROFILE=dev BATCHMILL_BUILD_ENGINE=$(abspath $(TARGET))/wheel-engine $(BUILD_WHEEL)/batchmill_build.py dist/test
	$(call install-wheel,$(WHEEL_VENV),dist/test/*.whl)
	@touch $@
