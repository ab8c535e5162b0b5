# Needs python3.11 and make; everything else is installed into .venv from the lock files.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
DEBIAN := $(VENV)/debian
# Where apt-get has no package lists, or may not renew them, it keeps its own here.
OWN_APT := apt-get -qq -o Dir::State::Lists=$$PWD/apt/lists -o Dir::Cache=$$PWD/apt -o Debug::NoLocking=1
export ORCHESTRATION_DATA_DIR ?= $(CURDIR)/.data

MONITORS := prometheus prometheus-alertmanager

.PHONY: help setup setup-dev system-packages javascript demo run test lint bench chaos score score-clips clean lock

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 17

setup: $(VENV)/.installed            ## make .venv with what the service needs
setup-dev: $(VENV)/.installed-dev    ## and with what its tests need

# Debian's alertmanager has a path of its templates in it: below the folder that it is started in, here.
system-packages: | $(BIN)/python  ## fetch Debian's prometheus and alertmanager into .venv, for tests; installs nothing
	@if command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v amtool >/dev/null; then exit 0; fi; \
	test -x $(DEBIAN)/usr/bin/promtool -a -x $(DEBIAN)/usr/bin/amtool || { \
	  command -v apt-get >/dev/null || { echo "Tests need prometheus, promtool, alertmanager and amtool: install them."; exit 1; }; \
	  echo "Fetching Debian's prometheus and alertmanager into $(DEBIAN), for tests (apt-get download, 30 MB)"; \
	  rm -rf $(DEBIAN) && mkdir -p $(DEBIAN)/apt/lists/partial && cd $(DEBIAN) && { \
	    apt-get -qq download $(MONITORS) 2>/dev/null || { $(OWN_APT) update && $(OWN_APT) download $(MONITORS); }; \
	  } && for deb in prometheus*.deb; do dpkg-deb -x $$deb . || exit 1; done && \
	  LC_ALL=C sed -i 's#/usr/share/prometheus/alertmanager#usr//share/prometheus/alertmanager#g' usr/bin/prometheus-alertmanager && \
	  rm -rf apt prometheus*.deb; }

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "This needs $(PYTHON): install it, or name another with make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements/main.lock requirements/diarizer.lock pyproject.toml | $(BIN)/python
	@echo "Installing the service into $(VENV): a minute or two the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/main.lock
	@# Of its package only the weights are used, so none of the 2 GB that it would bring along.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/diarizer.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.lock $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.installed-bench: requirements/bench.lock $(VENV)/.installed-dev
	@echo "Installing what the benchmarks compare with into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

# node and npm of this machine, or else those of a wheel.
javascript: $(VENV)/.installed-javascript  ## fetch socket.io-client into .venv, for tests
$(VENV)/.installed-javascript: tests/javascript/package-lock.json requirements/node.lock | $(VENV)/.installed-dev
	@{ command -v node && command -v npm; } >/dev/null || { \
	  echo "Installing node into $(VENV), for tests (60 MB)"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.lock; }
	@mkdir -p $(VENV)/javascript && cp tests/javascript/package.json tests/javascript/package-lock.json $(VENV)/javascript/
	@PATH="$$PATH:$(abspath $(BIN))" npm ci --prefix $(VENV)/javascript --ignore-scripts --no-audit --no-fund --silent
	@touch $@

demo: setup      ## play a four-person meeting and watch its transcript grow
	@$(BIN)/orchestration demo $(ARGS)

run: setup       ## start the service; Ctrl-C stops it
	@$(BIN)/orchestration up $(ARGS)

# Two at a time, as much of what they do is waiting for real services; ARGS=-n0 is one at a time.
test: setup-dev system-packages javascript lint  ## lint, then all tests, the fast ones first
	$(BIN)/python -m pytest -x -n 2 $(ARGS)

lint: setup-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-bench  ## print the figures of tests/benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: setup-dev ## kill, cut and starve the service for hours, and count what it loses
	$(BIN)/python -m tests.chaos $(ARGS)

CLIPS := .data/clips
score: setup-dev ## how well transcripts say who spoke, and clocks are known, with simulated platforms
	$(BIN)/python -m tests.score $(if $(wildcard $(CLIPS)),--clips $(CLIPS)) $(ARGS)

score-clips: setup-dev  ## fetch clips of real meetings for it: 14 MB, the sources of pyannote-audio
	@mkdir -p $(CLIPS)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
	  --dest $(CLIPS) pyannote-audio==4.0.7
	tar -xzf $(CLIPS)/pyannote_audio-4.0.7.tar.gz -C $(CLIPS) --strip-components 3 --wildcards '*/tests/data/*.wav' '*/tests/data/*.rttm'

lock: setup-dev  ## renew the lock files from pyproject.toml
	$(BIN)/python -m piptools --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-strip-extras \
	  --output-file requirements/main.lock pyproject.toml requirements/build.in
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-strip-extras --extra dev \
	  --constraint requirements/main.lock --output-file requirements/dev.lock pyproject.toml requirements/build.in
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-strip-extras --extra bench \
	  --constraint requirements/dev.lock --output-file requirements/bench.lock pyproject.toml requirements/build.in
	$(BIN)/python -m piptools compile --quiet --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-strip-extras \
	  --output-file requirements/node.lock requirements/node.in

clean:           ## remove .venv, caches and the data of this clone
	rm -rf $(VENV) .data .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
