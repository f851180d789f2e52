"""Interpreters that have redis-om, as `make test` installs them."""

import os

import pytest

from tests.support.corpus import REPOSITORY

# Read now: a fixture takes every setting of the person who runs the tests away.
PYTHON_1X = os.environ.get("REDSTART_REDIS_OM_1X_PYTHON", "")
PYTHON_0X = os.environ.get("REDSTART_OLD_PYTHON", "")


@pytest.fixture(scope="session")
def python_with_1x() -> str:
    """The interpreter that has redis-om 1.2.0; REDSTART_REDIS_OM_1X_PYTHON, else that of `make test`."""
    return _interpreter(PYTHON_1X, ".venv-redis-om-1.2.0")


@pytest.fixture(scope="session")
def python_with_0x() -> str:
    """The interpreter that has redis-om 0.3.5; REDSTART_OLD_PYTHON, else that of `make test`."""
    return _interpreter(PYTHON_0X, ".venv-redis-om-0.3.5")


def _interpreter(given: str, directory: str) -> str:
    python = given or str(REPOSITORY / directory / "bin" / "python")
    if not os.access(python, os.X_OK):
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI compares with redis-om: make test installs {directory}", pytrace=False)
        pytest.skip(f"no environment {directory}: make test installs it")
    return python
