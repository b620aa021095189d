# Everything that people and CI run. The first call makes .venv and installs what constraints.txt pins, hashes checked;
# later calls find it done and need no network.

VENV := .venv
PY := $(VENV)/bin/python
PACKAGES := $(VENV)/.packages
PEERS := tests/peers
PEER_PACKAGES := $(PEERS)/node_modules/.package-lock.json

# What a person may set: make PYTHON=/opt/python/bin/python3 setup
PYTHON ?=
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PUPPETEER_SKIP_DOWNLOAD := 1

# A newer Python behind .venv has none of its packages: then they are installed anew.
$(shell [ ! -f $(PACKAGES) ] || $(PY) -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("playwright"))' || rm -f $(PACKAGES))

.DEFAULT_GOAL := help
.PHONY: help setup browser peers run test check format diagram settings screenshots bench bench-peers bench-cluster cluster-test chaos audit mutants image soak lock upgrade clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "make %-12s%s\n", $$1, $$2 }'

run: setup  ## Start the bot; without TELEGRAM_BOT_TOKEN, the sandbox
	@part=$$($(PY) -c 'from switchboard.settings import has_token; print("switchboard" if has_token() else "sandbox")') \
	    && exec $(PY) -m "$$part"

test: setup peers  ## Run every test
	PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder

check: $(PACKAGES)  ## Check format, lint, types and that what the docs show of the code is current
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m tools.diagram --check
	$(PY) -m tools.settings_page --check

format: $(PACKAGES)  ## Format the code and mend what the linter can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

diagram: $(PACKAGES)  ## Write the lifecycle and the commands into the docs and the README
	$(PY) -m tools.diagram

settings: $(PACKAGES)  ## Write docs/settings.md from .env.example
	$(PY) -m tools.settings_page

screenshots: setup  ## Take the README's pictures anew, from the sandbox
	$(PY) -m tools.screenshots

bench: setup  ## Measure speed and size, each figure beside its floor, and write them into docs/benchmarks.md
	$(PY) -m bench --markdown docs/benchmarks.md

bench-peers: setup peers  ## Measure this product beside unmodified whatsapp-web.js, in one run (quiet machine, 30 minutes; FORM=--quick: 15)
	$(PY) -m bench.peers $(FORM) --markdown docs/benchmarks.md

cluster-test: setup  ## Test many machines on a real Ray cluster of three nodes (once: 250 MB of Ray in .venv-cluster; needs root)
	@test -x .venv-cluster/bin/ray || { $(PY) -m venv .venv-cluster \
	    && .venv-cluster/bin/pip install --quiet --only-binary :all: --require-hashes --requirement constraints.txt \
	    && .venv-cluster/bin/pip install --quiet --only-binary :all: --require-hashes --requirement constraints-cluster.txt \
	    && .venv-cluster/bin/pip install --quiet --no-index --no-deps --no-build-isolation --editable .; }
	@for tests in $(if $(TESTS),$(TESTS),test_faults test_network_cut test_controller test_chromium test_archives test_s3 test_two_machines); do \
	    PYTHONPATH=$(CURDIR) unshare --net --mount sh -c "ip link set lo up && mount -t tmpfs none /srv && exec .venv-cluster/bin/python -m pytest -p no:cacheprovider tests/cluster/$$tests.py" || exit 1; \
	done

bench-cluster: setup  ## Measure many machines: a simulated month, and 300 idle accounts on a real Ray cluster (after cluster-test; needs root)
	$(PY) -m bench.cluster
	PYTHONPATH=$(CURDIR) unshare --net sh -c "ip link set lo up && exec .venv-cluster/bin/python -m bench.cluster.real"

chaos: setup  ## Break the whole program, fault by fault, and write what came of it into docs/chaos.md
	$(PY) -m tests.chaos --parts 5 --markdown docs/chaos.md
	EVERY=1 $(PY) -m pytest -q tests/switchboard/test_every_kill.py

image:  ## Build the container image, with docker, podman or buildah
	@for tool in docker podman buildah; do \
	    $$tool info >/dev/null 2>&1 && exec $$tool build $(IMAGE_ARGS) --file deploy/Dockerfile --tag switchboard .; \
	done; \
	echo "Neither docker, podman nor buildah works here" >&2; exit 1

soak: setup peers  ## Let twelve accounts run for two hours among faults and restarts (SECONDS=120 for less)
	$(PY) -m tests.soak $(if $(SECONDS),--seconds $(SECONDS))

audit: setup  ## Look for known vulnerabilities in what is pinned (needs the network)
	$(PY) -m pytest -q tests/test_dependencies.py
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
	    && $(PY) -m venv "$$tools" && "$$tools/bin/pip" install --quiet --only-binary :all: pip-audit \
	    && "$$tools/bin/pip-audit" --disable-pip --require-hashes --strict --requirement constraints.txt
	npm audit --prefix $(PEERS)

mutants: $(PACKAGES)  ## Break each row of the lifecycle in turn; name those that no test misses
	$(PY) -m bench.mutants

setup: $(PACKAGES) browser  ## Install what is needed: Python packages and a Chromium

browser: $(PACKAGES)
	@$(PY) -m tools.install_browser

$(PY):
	@for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	    found="$$python"; \
	    "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || continue; \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); exit 1; \
	done; \
	if [ -n "$$found" ]; then \
	    echo "$$found has no venv module: install it (on Debian and Ubuntu: apt-get install python3-venv)" >&2; \
	else \
	    echo "Python 3.11 or newer is needed, and none was found: install one, or say make PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1

# The project itself is installed as a link to this folder: it gives $(VENV)/bin/switchboard and copies nothing.
$(PACKAGES): constraints.txt pyproject.toml | $(PY)
	@echo "Installing Python packages (once; a minute or two)"
	@$(PY) -m ensurepip >/dev/null 2>&1; \
	$(PY) -m pip install --quiet --only-binary :all: --require-hashes --requirement constraints.txt \
	    && $(PY) -m pip install --quiet --no-index --no-deps --no-build-isolation --editable . \
	    || { echo "The Python packages could not be installed: the lines above say why. Only this first time needs the network." >&2; exit 1; }
	@touch $@

peers:
	@if [ ! -f $(PEERS)/package-lock.json ]; then :; \
	elif command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory $(PEER_PACKAGES); \
	else echo "npm is not installed: the tests with other people's WhatsApp clients are skipped"; fi

$(PEER_PACKAGES): $(PEERS)/package-lock.json
	@echo "Installing npm packages for $(PEERS) (once)"
	@npm ci --prefix $(PEERS) --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error \
	    || { echo "The npm packages could not be installed: the lines above say why. Only this first time needs the network." >&2; exit 1; }
	@touch $@

lock: $(PY)  ## Bring constraints.txt (and, for many machines, constraints-cluster.txt) in line with pyproject.toml; pins that still fit stay
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
	    && $(PY) -m venv "$$tools" && "$$tools/bin/pip" install --quiet pip-tools \
	    && "$$tools/bin/pip-compile" --quiet --extra monitoring --extra sandbox --extra dev --generate-hashes --strip-extras --no-header --no-annotate \
	        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK) \
	        --output-file constraints.txt pyproject.toml \
	    && "$$tools/bin/pip-compile" --quiet --extra cluster --extra s3 --constraint constraints.txt --generate-hashes --strip-extras \
	        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK) \
	        --output-file constraints-cluster.txt pyproject.toml

upgrade:  ## Pin the newest versions of everything
	@$(MAKE) --no-print-directory lock LOCK=--upgrade

clean:  ## Remove what can be made again; never data/
	rm -rf $(VENV) .venv-cluster $(PEERS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
