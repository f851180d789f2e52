"""A rollback whose index would lose documents: nothing is undone, and both ways on lead on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.context import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, total, wait_until_built
from tests.support.cli import run_om

MODELS = """\
from datetime import datetime
from redstart import Field, JsonModel

class Parcel(JsonModel, index=True):
    at: datetime = Field(index=True)
    grade: str | None = Field(index=True)

    class Meta:
        model_key_prefix = "parcel"
        global_key_prefix = "t"
        index_name = "t:parcel:index"
"""
INDEX = "t:parcel:index"
OLD_FIELDS = ("$.pk", "AS", "pk", "TAG", "$.at", "AS", "at", "TAG", "$.grade", "AS", "grade", "NUMERIC")
DOCUMENT = '{"pk":"%d","at":"2023-01-01T12:00:00","grade":null}'


@pytest.fixture
def parcels(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[redis.Redis]:
    """Converted and cut over; then one document gets what the old index cannot take."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "parcels_of_json")
    (tmp_path / "parcels_of_json.py").write_text(MODELS)
    for number in range(20):
        client.execute_command("JSON.SET", f"t:parcel:{number}", "$", DOCUMENT % number)
    client.execute_command("FT.CREATE", INDEX, "ON", "JSON", "PREFIX", 1, "t:parcel:", "SCHEMA", *OLD_FIELDS)
    wait_until_built(client, [INDEX])
    assert run_om("migrate-data", "run").code == 0
    client.execute_command("JSON.SET", "t:parcel:7", "$.grade", '"good"')
    yield client
    drop_all(client)


def test_it_says_what_is_in_the_way_and_goes_on_when_that_is_mended(parcels: redis.Redis) -> None:
    refused = run_om("migrate-data", "rollback", ID)
    assert (refused.code, "Nothing was undone" in refused.stdout) == (6, True)
    assert "for example t:parcel:7" in refused.stdout
    assert f"om migrate-data rollback {ID}" in refused.stdout
    assert total(parcels, INDEX) == 20
    assert "2023" not in str(parcels.execute_command("JSON.GET", "t:parcel:1"))
    parcels.execute_command("JSON.SET", "t:parcel:7", "$.grade", "3")
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert "2023" in str(parcels.execute_command("JSON.GET", "t:parcel:1"))
    assert total(parcels, INDEX) == 20


def test_or_it_stays_with_what_is_converted(parcels: redis.Redis) -> None:
    refused = run_om("migrate-data", "rollback", ID)
    assert "om migrate-data clear-progress, then om migrate-data run" in refused.stdout
    assert run_om("migrate-data", "clear-progress", "--yes").code == 0
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "status", "--json").json["phase"] == "cut over"
    assert total(parcels, INDEX) == 20
