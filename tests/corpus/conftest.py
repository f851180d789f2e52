"""The corpus on a server, and the command line."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support.cli import Ended, om_command, run_om
from tests.support.corpus import MODELS_DIRECTORY, REPOSITORY, corpus_path, load_corpus
from tests.support.soak import SOAK

OLD_PYTHON = REPOSITORY / ".venv-redis-om-0.3.5" / "bin" / "python"

Om = Callable[..., dict[str, Any]]


PART = 1 if SOAK else 4
"""Which share of the corpus is enough outside the soak: every fourth document."""


@pytest.fixture
def corpus(client: redis.Redis) -> redis.Redis:
    """A server that holds the corpus, with the indexes of 0.3.5."""
    return _loaded(client)


@pytest.fixture
def part_of_corpus(client: redis.Redis) -> redis.Redis:
    """As `corpus`, with every document in the soak, otherwise with some."""
    return _loaded(client, every=PART)


def _loaded(client: redis.Redis, **options: int) -> redis.Redis:
    if corpus_path() is None:
        pytest.skip("the corpus that redis-om 0.3.5 wrote is not here; the shipped sample is tested instead")
    load_corpus(client, indexes=True, **options)
    return client


@pytest.fixture
def om(url: str, monkeypatch: pytest.MonkeyPatch) -> Om:
    """Runs `om migrate-data WORDS --json`; the JSON it prints. Checks the exit code.

    In this process, for it starts faster than it works; where `timezone` is given, in one of its own in that zone.
    """
    monkeypatch.syspath_prepend(MODELS_DIRECTORY)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "shop_models")

    def run(*words: str, exit_code: int = 0, timezone: str | None = None) -> dict[str, Any]:
        words = ("migrate-data", *words, "--json")
        done = run_om(*words) if timezone is None else ended(om_command(*words), timezone)
        assert done.code == exit_code, done.text
        return done.json

    return run


def ended(command: list[str], timezone: str) -> Ended:
    """The result of a process in a time zone."""
    paths = os.pathsep.join([str(MODELS_DIRECTORY), str(REPOSITORY / "src")])
    environment = os.environ | {"PYTHONPATH": paths, "TZ": timezone}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def old_python() -> str:
    """The interpreter that has redis-om 0.3.5; REDSTART_OLD_PYTHON, else the one `make test` installs."""
    python = os.environ.get("REDSTART_OLD_PYTHON", str(OLD_PYTHON))
    if not os.access(python, os.X_OK):
        if os.environ.get("CI") == "true":
            pytest.fail("CI runs with redis-om 0.3.5: make test installs it", pytrace=False)
        pytest.skip("no environment with redis-om 0.3.5: make test installs it")
    return python


_FIRST_ANSWERS: dict[str, Any] = {}


def first_answer_of_0_3_5(python: str, url: str, code: str) -> Any:
    """Return the answer of a program on the corpus as it was loaded; asked once, since it is the same for each test."""
    if code not in _FIRST_ANSWERS:
        _FIRST_ANSWERS[code] = answer_of_0_3_5(python, url, code)
    return _FIRST_ANSWERS[code]


def answer_of_0_3_5(python: str, url: str, code: str) -> Any:
    """The JSON that a program prints in the environment of redis-om 0.3.5, with its models."""
    path = corpus_path()
    assert path is not None
    environment = {
        "REDIS_OM_URL": url,
        "PYTHONPATH": str(path / "models_0x"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
