"""Models in a database other than 0, which cannot have indexes: what needs none works, and the rest says why not."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.devserver.process import EmbeddedServer
from redstart.errors import SearchDatabaseError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import MODELS
from tests.support.cli import refused, run_om
from tests.support.models import registry_of_its_own
from tests.support.sample import load_sample
from tests.support.servers import free_port
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

REFUSED = ("migrate status", "migrate run", "migrate run --dry-run", "migrate rollback", "migrate cleanup")
CONVERTING = (
    "migrate-data stats",
    "migrate-data run --dry-run",
    "migrate-data run --failure-mode quarantine",
    "migrate-data status",
    "migrate-data progress",
    "migrate-data errors",
    "migrate-data verify --check-data",
    f"migrate-data rollback {ID}",
)


@pytest.mark.parametrize("database", [1, 5])
def test_data_is_migrated_and_indexes_are_refused(
    own_server: Any, monkeypatch: pytest.MonkeyPatch, database: int
) -> None:
    server: EmbeddedServer = own_server(port=free_port())
    monkeypatch.setenv("REDIS_OM_URL", f"{server.url}/{database}")
    monkeypatch.setenv("REDSTART_MODELS", MODELS)
    with (
        redis.Redis.from_url(server.url) as first,
        redis.Redis.from_url(f"{server.url}/{database}") as client,
    ):
        load_sample(first, 10)
        load_sample(client, 10)
        others = snapshot(first)
        before = snapshot(client)
        for command in (*REFUSED, "migrate-data check-schema"):
            refused(run_om(*command.split()), 1, f"Database {database} cannot have indexes", "/0")
        assert difference(before, snapshot(client)) == []
        for command in CONVERTING:
            ended = run_om(*command.split())
            assert ended.code == 0, ended.text
            assert "no such index" not in ended.text
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
        assert difference(others, snapshot(first)) == []


@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_documents_need_no_index(own_server: Any, base: Any) -> None:
    server: EmbeddedServer = own_server(port=free_port())
    client = redis.Redis.from_url(f"{server.url}/1")
    with registry_of_its_own():

        class Entry(base, index=True):  # type: ignore[misc]
            name: str = Field(index=True)
            at: datetime

            class Meta:
                database = client

        entry = Entry(name="a", at=datetime(2024, 1, 1, tzinfo=UTC))
        entry.save()
        assert Entry.get(entry.pk) == entry
        entry.update(name="b")
        assert [one.name for one in Entry.get_many([entry.pk])] == ["b"]
        assert list(Entry.all_pks()) == [entry.pk]
        for search in (
            lambda: Entry.find(Entry.name == "b").all(),
            lambda: Entry.find().count(),
            lambda: Entry.find(Entry.name == "b").delete(),
            lambda: Entry.find(Entry.name == "b").update(name="c"),
        ):
            with pytest.raises(SearchDatabaseError, match="Database 1 cannot have indexes"):
                search()
        assert Entry.delete(entry.pk) == 1
    client.close()
