"""The environments of docs/from-redis-om.md: the packages to install fit the requirements of redis-om."""

import json
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.support.corpus import REPOSITORY

PIN = "redis>=5.3,<6"
REQUIRED = """
import importlib.metadata, json
print(json.dumps([importlib.metadata.requires("redis-om"), importlib.metadata.version("redis")]))
"""


def required_by_redis_om(python: str) -> tuple[SpecifierSet, str]:
    """Which versions of redis-py an installed redis-om asks for, and the one that is there."""
    done = subprocess.run([python, "-c", REQUIRED], capture_output=True, text=True, check=True)
    requirements, version = json.loads(done.stdout)
    (of_redis,) = (one.specifier for one in map(Requirement, requirements) if one.name == "redis")
    return of_redis, version


def required_by_redstart() -> SpecifierSet:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (of_redis,) = (one.specifier for one in map(Requirement, project["dependencies"]) if one.name == "redis")
    return of_redis


@pytest.mark.redis_om
def test_the_pin_with_redis_om_0(python_with_0x: str) -> None:
    theirs, installed = required_by_redis_om(python_with_0x)
    together = theirs & required_by_redstart() & Requirement(PIN).specifier
    assert list(together.filter(["5.2.1", "5.3.0", "5.3.1", "6.0.0", "8.1.0"])) == ["5.3.0", "5.3.1"]
    assert installed not in required_by_redstart(), "without the pin, pip takes the latest"
    for page in ("docs/from-redis-om.md", "docs/guide/prerequisites.md"):
        assert f"pip install redstart '{PIN}'" in (REPOSITORY / page).read_text(encoding="utf-8")


@pytest.mark.redis_om
def test_no_pin_with_redis_om_1(python_with_1x: str) -> None:
    theirs, installed = required_by_redis_om(python_with_1x)
    assert installed in theirs & required_by_redstart()
