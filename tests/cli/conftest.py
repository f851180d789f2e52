"""A station with documents, and an environment that names it: so commands run as the guide writes them."""

import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from redstart.mapping import base_model
from tests.support.sample import load_sample

MODELS = "redstart.demo.models"
LOG = """
    import datetime
    from redstart import HashModel

    class Log(HashModel, index=True):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
"""
"""A module of the user's with one model."""


@pytest.fixture
def configured(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """REDIS_OM_URL and REDSTART_MODELS name an empty server and the station's models; the URL."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", MODELS)
    return url


@pytest.fixture
def station(configured: str, client: redis.Redis) -> redis.Redis:
    """A client of a server with 60 legacy documents, which the environment names."""
    load_sample(client, 60)
    return client


@pytest.fixture
def big_station(configured: str, client: redis.Redis) -> redis.Redis:
    """As `station`, with 1,500 documents: enough to be met in the middle of a run."""
    load_sample(client, 1_500)
    return client


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes a module of the user's into the current directory; its name, which no other test uses.

    The models it declares are forgotten afterwards, so that no later test meets them.
    """
    monkeypatch.chdir(tmp_path)
    known = dict(base_model.model_registry)
    written: list[str] = []

    def write(source: str) -> str:
        name = f"models_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)
    base_model.model_registry.clear()
    base_model.model_registry.update(known)


def of_kind(folder: str, text: str) -> str:
    """A migration file's text, for the directory it is for."""
    if folder == "data-migrations":
        return text
    return text.replace("migrations.data", "migrations.schema").replace("BaseM", "BaseSchemaM")


Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Lays files, by their ids, into a directory in the current one: `lay("data-migrations", a=text)`."""
    monkeypatch.chdir(tmp_path)

    def lay(folder: str, root: str = "migrations", **texts: str) -> Path:
        directory = tmp_path / root / folder
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / f"{name}.py").write_text(of_kind(folder, text), encoding="utf-8")
        return directory

    return lay
