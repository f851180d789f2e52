"""Models of which one's key prefix begins the other's find each other's documents: told, and not refused."""

from collections.abc import Callable, Iterator

import pytest
import redis

from tests.migrations.indexes.conftest import drop_all, total, wait_until_built
from tests.support.cli import run_om

SOURCE = """
from datetime import datetime
from redstart import Field, HashModel, JsonModel

class Outer({outer}, index=True):
    {field}
    class Meta:
        global_key_prefix = "near"
        model_key_prefix = "p"
        index_name = "near:outer"

class Inner(HashModel, index=True):
    {field}
    class Meta:
        global_key_prefix = "near"
        model_key_prefix = "{prefix}"
        index_name = "near:inner"
"""
NAME = "name: str = Field(index=True)"
DATE = "at: datetime = Field(index=True)"
COMMANDS = ("migrate status", "migrate run --dry-run", "migrate run --yes")


@pytest.fixture
def declared(
    url: str, client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Declares the two models, and names them to `om`; the module's name."""
    monkeypatch.setenv("REDIS_OM_URL", url)

    def declare(prefix: str = "p:q", field: str = NAME, outer: str = "HashModel") -> str:
        name = write_module(SOURCE.format(prefix=prefix, field=field, outer=outer))
        monkeypatch.setenv("REDSTART_MODELS", name)
        return name

    yield declare
    drop_all(client)


@pytest.mark.parametrize("field", [NAME, DATE])
@pytest.mark.parametrize("prefix", ["p:q", "p"])
def test_it_is_told_with_both_models_and_the_way_on(
    declared: Callable[..., str], prefix: str, field: str
) -> None:
    module = declared(prefix, field)
    for words in COMMANDS:
        found = run_om(*words.split(), "--json")
        assert found.code == 0, found.text
        assert found.json["overlapping_prefixes"] == [
            {
                "model": f"{module}.Outer",
                "key_prefix": "near:p:",
                "holds_model": f"{module}.Inner",
                "holds_key_prefix": f"near:{prefix}:",
            }
        ]
        (told,) = (line for line in found.stderr.splitlines() if line.startswith("Warning: "))
        assert f"{module}.Outer" in told
        assert f"{module}.Inner" in told
        assert "Meta.model_key_prefix" in told


def test_what_is_told_is_true(declared: Callable[..., str], client: redis.Redis) -> None:
    declared()
    assert run_om("migrate", "run").code == 0
    client.hset("near:p:q:1", mapping={"pk": "1", "name": "of the inner"})
    wait_until_built(client, ["near:outer", "near:inner"])
    assert (total(client, "near:outer"), total(client, "near:inner")) == (1, 1)


@pytest.mark.parametrize("other", [{"prefix": "pq"}, {"outer": "JsonModel"}])
def test_other_prefixes_and_documents_of_another_type_are_no_occasion(
    declared: Callable[..., str], other: dict[str, str]
) -> None:
    declared(**other)
    for words in COMMANDS:
        found = run_om(*words.split(), "--json")
        assert (found.code, found.json["overlapping_prefixes"]) == (0, [])
        assert "Warning" not in found.text


def test_data_with_dates_is_refused_and_without_it_is_not(declared: Callable[..., str]) -> None:
    """A key of the inner one would be converted as the outer one says."""
    declared(field=DATE)
    refused = run_om("migrate-data", "run")
    assert (refused.code, "a key could belong to either" in refused.stderr) == (2, True)
    declared(field=NAME)
    assert run_om("migrate-data", "status").code == 0
