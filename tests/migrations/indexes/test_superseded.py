"""An older version of the application that starts does not replace the index of a newer one."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart import Field, HashModel, JsonModel, Migrator
from redstart.mapping.index_schema import index_of
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import none_converted
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.record_writer import MAX_SUPERSEDED, definition_digest
from redstart.migrations.indexes.state import read_records
from redstart.migrations.startup import bring_up_to_date, pending_indexes
from redstart.search.index_info import read_info
from redstart.search.schema import Index, create_arguments, same_definition
from redstart.sync import index_migrations
from tests.migrations.indexes.conftest import (
    drop_all,
    migration,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.support.migration import UTC_DATES
from tests.support.models import registry_of_its_own
from tests.support.snapshot import every_byte

NAME = "versions:index"
FIELDS: dict[str, tuple[type, Any]] = {
    "plain": (str, {}),
    "sortable": (str, {"sortable": True}),
    "case-sensitive": (str, {"case_sensitive": True}),
    "full text": (str, {"full_text_search": True}),
    "separator": (str, {"separator": ","}),
    "number": (int, {}),
}
"""How versions of a model declare one field: its type and the options of its index."""


def model_of(base: Any, name: str, declared: tuple[type, Any], *more: str) -> Any:
    """Declare a version of a model: one common field, one of its own, and optionally more."""
    kind, options = declared
    with registry_of_its_own():

        class Meta:
            global_key_prefix = "versions"
            model_key_prefix = "document"
            index_name = NAME

        namespace = {
            "__annotations__": {"place": str, name: kind, **dict.fromkeys(more, str)},
            "__module__": __name__,
            "place": Field(index=True),
            name: Field(index=True, **options),
            **{one: Field(index=True) for one in more},
            "Meta": Meta,
        }
        return type("Document", (base,), namespace, index=True)


def versions(base: Any) -> dict[str, Any]:
    found = {name: model_of(base, "code", declared) for name, declared in FIELDS.items()}
    return found | {"renamed": model_of(base, "renamed", FIELDS["plain"])}


VERSIONS = {base: versions(base) for base in (HashModel, JsonModel)}


@pytest.fixture
def documents(client: redis.Redis) -> Iterator[redis.Redis]:
    empty(client)
    yield client
    drop_all(client)


def empty(client: redis.Redis) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    drop_all(client)
    for number in range(3):
        values = {"pk": str(number), "place": "Pier", "code": "7", "renamed": "7"}
        client.hset(f"versions:document:{number}", mapping=values)


def start(url: str, model: Any) -> list[str]:
    """Return the active indexes after `Migrator().run()` in an application."""
    return [
        one.planned.name for one in perform(url, bring_up_to_date([declare(model)], UTC_DATES, migration))
    ]


def migrate_run(url: str, model: Any) -> None:
    perform(url, migration().run(planned_indexes([declare(model)]), none_converted, ExpansionOptions()))


def active(client: redis.Redis) -> Index:
    return read_info(client.execute_command("FT.INFO", NAME)).index


def is_active(client: redis.Redis, model: Any) -> bool:
    return same_definition(active(client), planned_indexes([declare(model)])[0].index)


@pytest.mark.sample(8)
@pytest.mark.parametrize("base", VERSIONS)
@pytest.mark.parametrize("made_by", ["an application that starts", "another tool"])
@pytest.mark.parametrize(
    ("old", "new"), list(itertools.permutations(["plain", "sortable", "number", "renamed"], 2))
)
def test_an_older_version_keeps_it_until_om_migrate_run(
    documents: redis.Redis, url: str, base: Any, made_by: str, old: str, new: str
) -> None:
    older, newer = VERSIONS[base][old], VERSIONS[base][new]
    if made_by == "another tool":
        documents.execute_command("FT.CREATE", *create_arguments(index_of(older)))
        wait_until_built(documents, [NAME])
    assert start(url, older) == []
    assert start(url, newer) == []
    assert is_active(documents, newer)
    before, led = every_byte(documents), serving(documents, NAME)
    assert start(url, older) == [NAME]
    assert perform(url, pending_indexes([declare(older)], documents)) == []
    assert (every_byte(documents), serving(documents, NAME)) == (before, led)
    migrate_run(url, older)
    assert is_active(documents, older)
    assert start(url, older) == []
    # The newer version is deployed again.
    assert start(url, newer) == []
    assert is_active(documents, newer)
    assert start(url, older) == [NAME]
    assert total(documents, NAME) == (3 if base is HashModel else 0)


@pytest.mark.sample(1)
@pytest.mark.parametrize("base", VERSIONS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # An index with full text has an additional field, and fits both.
    order=st.permutations([name for name in VERSIONS[HashModel] if name != "full text"]),
    starts=st.lists(st.integers(0, 3), min_size=3, max_size=8),
)
def test_the_latest_version_that_has_started_keeps_its_index(
    documents: redis.Redis, url: str, base: Any, order: list[str], starts: list[int]
) -> None:
    """In any order of starts and restarts during deployments."""
    empty(documents)
    released = [VERSIONS[base][name] for name in order]
    latest = 0
    start(url, released[latest])
    for number in starts:
        version = min(number, latest + 1)
        latest = max(latest, version)
        start(url, released[version])
        assert is_active(documents, released[latest])


def test_a_version_without_a_field_does_not_block_the_one_that_has_it(
    documents: redis.Redis, url: str
) -> None:
    """An index with more fields fits both versions, so neither is an older one."""
    fewer, more = VERSIONS[HashModel]["plain"], model_of(HashModel, "renamed", FIELDS["plain"], "code")
    for first, second in ((fewer, more), (more, fewer)):
        empty(documents)
        start(url, first)
        migrate_run(url, second)
        for model in (fewer, more, fewer):
            start(url, model)
        assert is_active(documents, more)


def test_versions_have_digests_of_their_own_however_they_are_written(documents: redis.Redis) -> None:
    for models in VERSIONS.values():
        indexes = [planned_indexes([declare(model)])[0].index for model in models.values()]
        assert len({definition_digest(index) for index in indexes}) == len(indexes)
        for index in indexes:
            drop_all(documents)
            documents.execute_command("FT.CREATE", *create_arguments(index))
            assert definition_digest(active(documents)) == definition_digest(index)


def test_the_number_of_recorded_definitions_is_bounded(documents: redis.Redis, url: str) -> None:
    for number in range(MAX_SUPERSEDED + 3):
        start(url, model_of(HashModel, f"field{number}", FIELDS["plain"]))
    record = perform(url, read_records())[NAME]
    assert len(record.superseded) == MAX_SUPERSEDED
    assert start(url, model_of(HashModel, f"field{MAX_SUPERSEDED}", FIELDS["plain"])) == [NAME]


def test_the_application_is_warned(
    documents: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    older, newer = VERSIONS[HashModel]["plain"], VERSIONS[HashModel]["sortable"]
    start(url, older)
    start(url, newer)
    monkeypatch.setattr(index_migrations, "registered_models", lambda: [older])
    with caplog.at_level(logging.WARNING):
        Migrator(conn=documents).run()
    assert f"The index {NAME} was not changed: its definition is newer" in caplog.text
    assert "om migrate run" in caplog.text
