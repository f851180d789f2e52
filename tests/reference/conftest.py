"""Interpreters that have redis-om, as `make test` installs them."""

import os
import subprocess
import sysconfig
from collections.abc import Callable
from typing import Any

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


BESIDE = """
import os, runpy, sys
sys.path.extend(sys.argv.pop(1).split(":"))
sys.argv.pop(0)
if sys.argv[0].endswith(".py"):
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Redstart and what it needs come last, so that what redis-om was installed with is what it gets."""


@pytest.fixture
def beside_1x(python_with_1x: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script, or a module such as `redstart.cli.main`, where redis-om 1.2.0 and Redstart are both importable."""
    own = [str(REPOSITORY / "src"), sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]

    def run(program: object, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        environment = (
            os.environ | {"PYTHONPATH": str(settings.pop("importable", ""))} | settings.pop("env", {})
        )
        return subprocess.run(
            [python_with_1x, "-c", BESIDE, ":".join(own), str(program), *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            **settings,
        )

    return run
