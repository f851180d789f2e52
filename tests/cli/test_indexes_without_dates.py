"""Indexes of models without dates: what changes their type is not data that a run converts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.migrations.indexes.conftest import drop_all, total
from tests.support.cli import run_om

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


def test_a_field_that_becomes_a_number_takes_over_at_once(crates: redis.Redis) -> None:
    done = run_om("migrate", "run")
    assert (done.code, "took over" in done.stdout) == (0, True)
    assert total(crates, INDEX, "@pieces:[0 9]") == 10


def test_a_document_that_does_not_fit_is_named_with_the_way_on(crates: redis.Redis) -> None:
    crates.hset("t:crate:7", "pieces", "many")
    refused = run_om("migrate", "run")
    assert (refused.code, "in the way: t:crate:7: not taken by the index" in refused.stdout) == (6, True)
    assert "Ways on: mend these documents" in refused.stdout
    assert "migrate-data" not in refused.stdout
    assert run_om("migrate", "run", "--accept-unindexed").code == 0
    assert total(crates, INDEX) == 19
