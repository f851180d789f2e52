"""Indexes of models without dates: what changes their type is not data that a run converts."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.migrations.indexes.conftest import drop_all, total
from tests.support.cli import run_om
from tests.support.snapshot import snapshot

BEFORE = """\
from redstart import Field, HashModel

class Crate(HashModel, index=True):
    pieces: str = Field(index=True)

    class Meta:
        model_key_prefix = "crate"
        global_key_prefix = "t"
        index_name = "t:crate:index"
"""
INDEX = "t:crate:index"


@pytest.fixture
def crates(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[redis.Redis]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "crates_of_text")
    (tmp_path / "crates_of_text.py").write_text(BEFORE)
    for number in range(20):
        client.hset(f"t:crate:{number}", mapping={"pk": number, "pieces": number})
    assert run_om("migrate", "run").code == 0
    monkeypatch.setenv("REDSTART_MODELS", "crates_of_numbers")
    (tmp_path / "crates_of_numbers.py").write_text(BEFORE.replace("pieces: str", "pieces: int"))
    yield client
    drop_all(client)


def test_a_field_that_becomes_a_number_is_cut_over_at_once(crates: redis.Redis) -> None:
    done = run_om("migrate", "run")
    assert done.code == 0
    assert done.stdout.startswith("1 index cut over.\n")
    assert "application" not in done.stdout, "advice about dates"
    assert run_om("migrate", "run").stdout == "No changes: every index matches its model.\n"
    assert total(crates, INDEX, "@pieces:[0 9]") == 10


def test_a_document_that_does_not_fit_is_named_with_the_way_on(crates: redis.Redis) -> None:
    crates.hset("t:crate:7", "pieces", "many")
    refused = run_om("migrate", "run")
    assert refused.code == 3, refused.text
    assert "blocking: t:crate:7 pieces: the index accepts only numbers: many" in refused.stdout, (
        refused.stdout
    )
    assert "once you have corrected the documents" in refused.stdout
    assert "migrate-data" not in refused.stdout
    assert run_om("migrate", "run", "--accept-unindexed").code == 0
    assert total(crates, INDEX) == 19


AGREED = """\
from redstart import Field, HashModel
from redstart.aio import HashModel as AsyncHashModel

class {name}({base}, index=True):
    pieces: {type} = Field(index=True)

    class Meta:
        model_key_prefix = "{prefix}"
        global_key_prefix = "t"
        index_name = "t:crate:index"
"""


@pytest.fixture
def write_two(crates: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another module beside `crates_of_text`, with a model that has the same index."""

    def write(**words: str) -> None:
        name = f"more_{uuid.uuid4().hex}"
        words = {"name": "Box", "base": "HashModel", "type": "str", "prefix": "crate"} | words
        (tmp_path / f"{name}.py").write_text(AGREED.format(**words))
        monkeypatch.setenv("REDSTART_MODELS", f"crates_of_text,{name}")

    return write


@pytest.mark.parametrize(
    "command", ["migrate run", "migrate run --dry-run", "migrate status", "migrate-data run"]
)
@pytest.mark.parametrize("base", ["HashModel", "AsyncHashModel"])
def test_two_models_with_different_definitions_of_one_index(
    crates: redis.Redis, write_two: Callable[..., None], base: str, command: str
) -> None:
    before = snapshot(crates), sorted(crates.execute_command("FT._LIST"))
    write_two(base=base, prefix="box")
    found = run_om(*command.split())
    assert found.code == 2, found.text
    assert "crates_of_text.Crate and more_" in found.stderr
    assert f".Box share the index {INDEX} but define it differently" in found.stderr
    assert "the key prefixes change from 't:crate:' to 't:box:'" in found.stderr
    assert found.stderr.splitlines()[-1].endswith(
        "another Meta.index_name, or load only one of them with --models."
    )
    assert before == (snapshot(crates), sorted(crates.execute_command("FT._LIST")))


@pytest.mark.parametrize("base", ["HashModel", "AsyncHashModel"])
def test_two_models_with_different_definitions_over_one_prefix(
    crates: redis.Redis, write_two: Callable[..., None], base: str
) -> None:
    write_two(base=base, type="int")
    found = run_om("migrate", "run")
    assert found.code == 2, found.text
    assert f".Box share the index {INDEX} but define it differently" in found.stderr
    assert "Warning: prefix t:crate: (crates_of_text.Crate) also matches the keys of more_" in found.stderr


def test_one_model_for_sync_and_async_has_one_index(
    crates: redis.Redis, write_two: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_MODELS", "crates_of_text")
    assert run_om("migrate", "run").code == 0
    write_two(base="AsyncHashModel", name="Crate")
    for _ in range(2):
        assert run_om("migrate", "run").code == 0
        assert run_om("migrate", "status", "--check").code == 0
    assert total(crates, INDEX) == 20
