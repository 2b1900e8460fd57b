# `make up` and `make test` are all that is needed; `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

# The newest Python that ansible 12 to 14 run on; `make PYTHON=/path/to/python` decides otherwise.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
export PYTHON

BIN := $(CURDIR)/.venv/bin
# Absolute, because Ansible ignores an ansible.cfg that it would find in a world-writable directory.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(BIN):$(PATH)

# A stamp's name holds what it stands for: other requirements, another Python, or a moved checkout (a virtual environment
# cannot be moved) make another stamp, and nothing else does.
key = $(shell { cat $(1); echo '$(PYTHON) $(CURDIR)'; } | sha256sum | cut -c1-16)
RUN_STAMP := .venv/.run-$(call key,requirements.txt)
DEV_STAMP := .venv/.dev-$(call key,requirements.txt requirements-dev.txt)

# Options for ansible-playbook, for example: make up ARGS='--limit lab -v'
ARGS ?=

.PHONY: help
help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# ---------------------------------------------------------------------------------------------------------------------
# The lab

.PHONY: up
up: setup ## from nothing to a running mesh on this machine, ends with the smoke table
	@ansible-playbook -i inventories/lab playbooks/lab_up.yml $(ARGS)
	ansible-playbook -i inventories/lab playbooks/site.yml $(ARGS)

.PHONY: down
down: setup ## end exactly what `make up` started
	@ansible-playbook -i inventories/lab playbooks/lab_down.yml $(ARGS)

.PHONY: status
status: setup ## what runs, where, and how healthy it is
	@ansible-playbook -i inventories/lab playbooks/lab_status.yml $(ARGS)

.PHONY: smoke
smoke: setup ## the smoke table alone
	@ansible-playbook -i inventories/lab playbooks/smoke.yml $(ARGS)

# ---------------------------------------------------------------------------------------------------------------------
# Set-up

.PHONY: setup
setup: prerequisites $(RUN_STAMP) ## .venv, missing system packages, the collection's link

.PHONY: prerequisites
prerequisites:
	@if [ -z "$(PYTHON)" ]; then
	  echo "make: Python 3.11 or newer is needed and none was found ($$(python3 --version 2>&1)). Install one, then: make PYTHON=/path/to/python" >&2
	  exit 1
	fi
	tools/prerequisites.sh

$(RUN_STAMP): | prerequisites
	@tools/setup.sh requirements.txt
	rm -f .venv/.run-*
	touch $@

$(DEV_STAMP): | prerequisites
	@tools/setup.sh requirements-dev.txt
	rm -f .venv/.dev-* .venv/.run-*
	touch $@ $(RUN_STAMP)

.PHONY: development
development: $(DEV_STAMP) ## setup, and what the tests need

# ---------------------------------------------------------------------------------------------------------------------
# Tests

.PHONY: test
test: ## everything that CI runs
	@tools/timed.sh "-j2 -Oline lint sanity unit" integration

.PHONY: lint
lint: $(DEV_STAMP) ## ansible-lint, yamllint, ruff, mypy, import contracts, changelog, documentation, helm lint, workflows, execution environment
	@tools/lint.sh

.PHONY: sanity
sanity: $(DEV_STAMP) ## ansible-test sanity, on a copy in a collection tree
	@tools/sanity.sh

.PHONY: unit
unit: $(DEV_STAMP) ## pytest tests/unit
	@PYTHONDONTWRITEBYTECODE= pytest -n auto tests/unit $(ARGS)

.PHONY: dashboards
dashboards: $(DEV_STAMP) ## Grafana's dashboards, from tools/dashboards to roles/grafana/files/dashboards
	@PYTHONPATH=tools python -m dashboards

.PHONY: molecule
molecule: $(DEV_STAMP) ## the default scenario on a lab of its own, destroyed at the end
	@molecule test --scenario-name default $(ARGS)

.PHONY: integration
integration: $(DEV_STAMP) ## pytest tests/integration, on two labs of its own
	@tools/integration.sh $(ARGS)

.PHONY: docs
docs: $(DEV_STAMP) ## docs/pictures/house.svg, and the documentation as a site, .ansible/docs/site/index.html; a broken link is an error (lint checks both)
	@python tools/house.py
	tools/docs.sh

.PHONY: codes
codes: $(DEV_STAMP) ## docs/validation-codes.md and the examples of --explain, from the checks of mesh_validate and their cases
	@python tools/validation_codes.py
	python tools/validation_examples.py

.PHONY: soak
soak: $(DEV_STAMP) ## canaries under everything that can happen to them, on a lab of its own (not part of test)
	@tests/soak/run.sh $(ARGS)

.PHONY: kind
kind: $(DEV_STAMP) ## molecule's scenario kind, on this machine's container engine or on one of its own (part of soak)
	@PYTHONPATH=$(CURDIR)/tools python -m kind $(ARGS)

.PHONY: core
core: prerequisites ## the unit tests of modules and pure core with another ansible-core: make core CORE=2.19
	@tools/core.sh "$(CORE)" $(ARGS)

# ---------------------------------------------------------------------------------------------------------------------
# Releases

.PHONY: ee
ee: $(DEV_STAMP) ## .ansible/ee/context, of which podman or docker build the execution environment
	@tools/ee.sh .ansible/ee

.PHONY: artifact
artifact: $(DEV_STAMP) ## the collection's artifact, in .ansible/dist; VERSION=0.2.0 refuses any other
	@tools/artifact.sh "$(VERSION)"

.PHONY: publish
publish: $(DEV_STAMP) ## the artifact of VERSION to Galaxy, with the token of ANSIBLE_GALAXY_SERVER_GALAXY_TOKEN
	@ansible-galaxy collection publish ".ansible/dist/corpv3-service_mesh-$(VERSION).tar.gz"
