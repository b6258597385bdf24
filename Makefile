# Every target sets up what it needs: a virtual environment in .venv with pinned requirements, made once and reused.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/pip --disable-pip-version-check
JOBS ?= 2

.PHONY: help install demo web test test-all lint format docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with everything in it

$(INSTALLED): requirements/torch.txt requirements/runtime.txt requirements/dev.txt requirements/mmpose.txt requirements/deploy.txt setup.cfg pyproject.toml
	@test -x $(BIN)/python || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing PyTorch into $(VENV) ..."
	@$(PIP) install -qq -r requirements/torch.txt
	@echo "Installing the other requirements ..."
	@$(PIP) install -qq -r requirements/runtime.txt -r requirements/dev.txt -r requirements/deploy.txt
	@$(PIP) install -qq --no-deps -r requirements/mmpose.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED) ## Skeletons on photographs; then train a small dynamic network and score it (several minutes on two cores)
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tools/demo.sh

web: $(INSTALLED) ## Make the page that runs in a browser, in outputs/web, and serve it (PORT=8001, RUNTIME=FILE.tgz without npm)
	@$(BIN)/python tools/make_demo_page.py outputs/web --serve $(PORT) $(if $(RUNTIME),--runtime $(RUNTIME))

test: $(INSTALLED) ## Run the quick tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-all: $(INSTALLED) ## Run all tests, the slow ones too
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(INSTALLED) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(INSTALLED) ## Mend style and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(INSTALLED) ## Fill the tables in the documentation
	@$(BIN)/python tools/analysis_tools/make_docs.py

clean: ## Remove what the commands made, but not .venv and not work_dirs, where trained networks are
	rm -rf outputs data/synthetic .pytest_cache .ruff_cache .hypothesis
