# Everything sets itself up: `make demo` and `make test` work in a fresh clone with python3 (3.11+) and venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLD := .venv-redis-om-0.3.5
ONE := .venv-redis-om-1.2.0
# Each worker of the tests has a server of its own; a given one can serve just one.
WORKERS := $(if $(REDSTART_TEST_URL),,-n 2 --dist worksteal)

.PHONY: demo test lint style types calls imports format soak bench bench-conversion bench-index-swap bench-mapper clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server,dev]'
	@touch $@

# The reference as it was when it wrote ISO strings: tests check that it can read what a rollback leaves.
$(OLD)/.installed:
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/pip install --quiet --disable-pip-version-check 'redis-om==0.3.5' 'pydantic==2.10.6' 'redis==5.2.1' 'setuptools<81'
	@touch $@

# The reference as it is: index definitions and their hashes have to be the same.
$(ONE)/.installed:
	$(PYTHON) -m venv $(ONE)
	$(ONE)/bin/pip install --quiet --disable-pip-version-check 'redis-om==1.2.0'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/om demo

lint: style types calls imports

style: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

calls: $(VENV)/.installed-dev
	$(BIN)/basedpyright --pythonpath $(BIN)/python

imports: $(VENV)/.installed-dev
	PYTHONPATH=src $(BIN)/lint-imports

# The checkers use one core each: two at a time.
test: $(VENV)/.installed-dev $(OLD)/.installed $(ONE)/.installed
	$(MAKE) -j 2 lint
	$(BIN)/python -m pytest $(WORKERS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(VENV)/.installed-dev $(OLD)/.installed $(ONE)/.installed
	REDSTART_SOAK=1 $(BIN)/python -m pytest --timeout 3600 -m soak

# Both, also where the first misses a goal.
bench:
	$(MAKE) --keep-going bench-conversion bench-mapper

bench-conversion: $(VENV)/.installed-dev
	$(BIN)/python -m bench.conversion

bench-index-swap: $(VENV)/.installed-dev
	$(BIN)/python -m bench.index_swap

bench-mapper: $(VENV)/.installed-dev $(ONE)/.installed
	$(BIN)/python -m bench.mapper

clean:
	rm -rf $(VENV) $(OLD) $(ONE) .mypy_cache .pytest_cache .ruff_cache .hypothesis
