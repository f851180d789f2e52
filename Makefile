# `make demo` and `make test` work in a fresh clone with python3 (3.11+) and venv; they install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLD := .venv-redis-om-0.3.5
ONE := .venv-redis-om-1.2.0
# Each worker of the tests starts its own server; a given server can be used by one worker only.
WORKERS := $(if $(REDSTART_TEST_URL),,-n 4 --dist worksteal)

# Without compiled modules, each process that a test starts compiles the package, and each worker the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test compiled test-matrix test-minimum test-redis-py test-pydantic test-python test-servers coverage lint style types calls imports spelling format docs dist soak bench bench-conversion bench-file-migration bench-index-swap bench-mapper bench-neighbour clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' # the first with --group
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server]' --group dev
	@touch $@

# redis-om 0.3.5, which stores dates as text: tests check that it reads documents after a rollback.
$(OLD)/.installed:
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/pip install --quiet --disable-pip-version-check 'redis-om==0.3.5' 'pydantic==2.10.6' 'redis==5.2.1' 'setuptools<81'
	@touch $@

# The current redis-om: index definitions and their hashes must be the same.
$(ONE)/.installed:
	$(PYTHON) -m venv $(ONE)
	$(ONE)/bin/pip install --quiet --disable-pip-version-check 'redis-om==1.2.0'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/om demo

lint: style types calls imports spelling

style: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

calls: $(VENV)/.installed-dev
	$(BIN)/basedpyright --pythonpath $(BIN)/python

imports: $(VENV)/.installed-dev
	PYTHONPATH=src $(BIN)/lint-imports

spelling: $(VENV)/.installed-dev
	$(BIN)/codespell src docs/*.md docs/*/*.md examples tools .github *.md

# pytest rewrites the assertions of each module, and keeps the result. Once: otherwise each worker does it.
compiled: $(VENV)/.installed-dev
	-@$(BIN)/python -m pytest --collect-only >/dev/null 2>&1

# Each checker uses one core: run two at a time.
test: $(VENV)/.installed-dev $(OLD)/.installed $(ONE)/.installed
	$(MAKE) -j 2 calls compiled lint
	$(BIN)/python -m pytest $(WORKERS)

# Environments with other versions, and the tests that depend on them most. `make test-redis-py-7` runs one of them.
REDIS_PY := 5.3 6 7 8
PYDANTIC := 2.10 2.11 2.12 2.13 2.14
PYTHONS := 3.12 3.13 3.14
SERVERS := redis-8
TESTS_OF_CLIENT := tests/commands tests/server tests/migrations/data/test_both_drivers.py \
	$(addprefix tests/sync/test_,checks.py find.py models.py programs.py) \
	$(addprefix tests/aio/test_,checks.py event_loops.py find.py models.py tasks.py) \
	$(addprefix tests/documents/test_,bulk.py delete.py expiry.py fetch.py find.py full_text.py knn.py missing_commands.py \
	partial_replies.py reply_sizes.py save.py search_reply.py update.py)
TESTS_OF_MODELS := tests/mapping tests/migrations/operations \
	$(addprefix tests/documents/test_,assigned_values.py decoders.py embedded_models.py encoders.py errors.py formats.py \
	numbers.py output_settings.py overrides.py own_serializers.py projection.py taken_as_bytes.py types.py value_decoder.py)
TESTS_OF_ALL := tests/mapping tests/values tests/search tests/documents tests/server tests/testing \
	tests/cli/test_start.py tests/cli/test_upgrade.py
TESTS_OF_SERVERS := tests/commands tests/corpus tests/documents tests/migrations tests/search tests/server

# $(1): the interpreter; $(2): what pip installs besides the tests
define environment
	$(1) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(@D)/bin/pip install --quiet --disable-pip-version-check -e '.[server]' $(2)
	@touch $@
endef

.venv-minimum/.installed: pyproject.toml
	$(call environment,$(PYTHON),--group minimum)

.venv-redis-py-%/.installed: pyproject.toml
	$(call environment,$(PYTHON),--group test 'redis[hiredis]==$*.*')

.venv-pydantic-%/.installed: pyproject.toml
	$(call environment,$(PYTHON),--group test 'pydantic==$*.*')

.venv-python-%/.installed: pyproject.toml
	$(call environment,python$*,--group test)

test-matrix: test-minimum test-redis-py test-pydantic test-python

test-minimum: .venv-minimum/.installed
	$(<D)/bin/python -m pytest $(WORKERS) $(TESTS_OF_ALL)

test-redis-py: $(REDIS_PY:%=test-redis-py-%)

test-redis-py-%: .venv-redis-py-%/.installed
	$(<D)/bin/python -m pytest $(WORKERS) $(TESTS_OF_CLIENT)

test-pydantic: $(PYDANTIC:%=test-pydantic-%)

test-pydantic-%: .venv-pydantic-%/.installed
	$(<D)/bin/python -m pytest $(WORKERS) $(TESTS_OF_MODELS)

test-python: $(PYTHONS:%=test-python-%)

test-python-%: .venv-python-%/.installed
	$(<D)/bin/python -m pytest $(WORKERS) $(TESTS_OF_ALL)

# Other servers than the embedded one, with its modules for JSON and search.
test-servers: $(SERVERS:%=test-server-%)

test-server-%: .venv-server-%/.installed
	REDSTART_TEST_SERVER=$* $(<D)/bin/python -m pytest $(WORKERS) $(TESTS_OF_SERVERS)

.venv-server-%/.installed: pyproject.toml
	$(call environment,$(PYTHON),--group server-$*)

.PRECIOUS: .venv-redis-py-%/.installed .venv-pydantic-%/.installed .venv-python-%/.installed .venv-server-%/.installed

# The branches that no test takes: a table, and build/coverage/html with each line. TESTS=tests/search measures a part.
coverage: $(VENV)/.installed-dev $(OLD)/.installed $(ONE)/.installed
	rm -rf build/coverage
	mkdir -p build/coverage
	$(BIN)/coverage run -m pytest $(WORKERS) $(TESTS) || touch build/coverage/failed
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report
	test ! -e build/coverage/failed # some tests failed

# Every page, with the API reference; a link without a target or an undocumented public name is an error.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "built: build/site; read it with: python3 -m http.server --directory build/site (from files, its search finds nothing)"

dist: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --quiet

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(VENV)/.installed-dev $(OLD)/.installed $(ONE)/.installed
	REDSTART_SOAK=1 $(BIN)/python -m pytest --timeout 3600 -m soak

# Run both, also if the first misses a goal.
bench:
	$(MAKE) --keep-going bench-conversion bench-file-migration bench-mapper

bench-conversion: $(VENV)/.installed-dev
	$(BIN)/python -m bench.conversion

bench-file-migration: $(VENV)/.installed-dev
	$(BIN)/python -m bench.file_migration

bench-index-swap: $(VENV)/.installed-dev
	$(BIN)/python -m bench.index_swap

bench-mapper: $(VENV)/.installed-dev $(ONE)/.installed
	$(BIN)/python -m bench.mapper

bench-neighbour: $(VENV)/.installed-dev
	$(BIN)/python -m bench.neighbour

clean:
	rm -rf $(VENV) $(OLD) $(ONE) .venv-minimum .venv-redis-py-* .venv-pydantic-* .venv-python-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
