"""A rollback whose index would lose documents: nothing is undone, and both ways on lead on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, serving, total, wait_until_built
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

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


def test_the_documents_are_named_and_a_correction_lets_the_rollback_complete(parcels: redis.Redis) -> None:
    refused = run_om("migrate-data", "rollback", ID)
    assert (refused.code, refused.stdout.startswith("Rollback refused: ")) == (3, True)
    assert f"{INDEX}: not rolled back: 1 of 20 documents would drop out" in refused.stdout
    assert '    t:parcel:7 grade: the index accepts only numbers: "good"\n' in refused.stdout
    assert f"om migrate-data rollback {ID}" in refused.stdout
    assert total(parcels, INDEX) == 20
    assert "2023" not in str(parcels.execute_command("JSON.GET", "t:parcel:1"))
    parcels.execute_command("JSON.SET", "t:parcel:7", "$.grade", "3")
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert "2023" in str(parcels.execute_command("JSON.GET", "t:parcel:1"))
    assert total(parcels, INDEX) == 20


def test_a_refusal_leaves_everything_as_it_was(parcels: redis.Redis) -> None:
    def state() -> tuple[object, ...]:
        indexes = sorted(parcels.execute_command("FT._LIST"))
        return every_byte(parcels), indexes, serving(parcels, INDEX), total(parcels, INDEX, "@at:[-inf +inf]")

    before = state()
    for _ in range(2):
        assert run_om("migrate-data", "rollback", ID).code == 3
        assert state() == before
    assert run_om("migrate-data", "status", "--json").json["phase"] == "cut over"
    assert run_om("migrate-data", "verify").code == 0


def test_or_queries_miss_the_document(parcels: redis.Redis) -> None:
    refused = run_om("migrate-data", "rollback", ID)
    assert "om migrate rollback --accept-unindexed" in refused.stdout
    assert run_om("migrate", "rollback", "--accept-unindexed").code == 0
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert "2023" in str(parcels.execute_command("JSON.GET", "t:parcel:1"))
    assert total(parcels, INDEX) == 19


NUMBER = "1672531200.5"
OPTION = "--reformat-preexisting"


@pytest.fixture
def make_ready(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Makes a module of models, 20 documents of before, and an index with dates as text; then expands it."""

    def make(module: str) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("REDIS_OM_URL", url)
        monkeypatch.setenv("REDSTART_MODELS", module)
        (tmp_path / f"{module}.py").write_text(MODELS)
        fields = (word.replace("NUMERIC", "TAG") for word in OLD_FIELDS)
        client.execute_command("FT.CREATE", INDEX, "ON", "JSON", "PREFIX", 1, "t:parcel:", "SCHEMA", *fields)
        for number in range(20):
            client.execute_command("JSON.SET", f"t:parcel:{number}", "$", DOCUMENT % number)
        assert run_om("migrate", "run").code == 0

    return make


def test_preexisting_numbers_are_listed(client: redis.Redis, make_ready: Callable[[str], None]) -> None:
    """It may start when the indexes are ready; its numbers are not the run's, and an old index does not take them."""
    make_ready("parcels_with_numbers")
    for number in (3, 4):
        client.execute_command("JSON.SET", f"t:parcel:{number}", "$.at", NUMBER)
    assert run_om("migrate-data", "run").code == 0
    client.execute_command("JSON.SET", "t:parcel:5", "$.at", "1672531201.5")

    for words, way_on in (
        (("--dry-run", "--verbose"), OPTION),
        ((), "write these values as text, then run"),
    ):
        found = run_om("migrate-data", "rollback", ID, *words)
        assert re.search(r"pre-existing numbers left unchanged +2\n", found.stdout), found.stdout
        assert re.search(r"newer values rewritten as text +1\n", found.stdout), found.stdout
        for number in (3, 4):
            shown = (
                f"left unchanged: t:parcel:{number} at: pre-existing number: {NUMBER}"
                if words
                else f"    t:parcel:{number} at: the index accepts only text: {NUMBER}"
            )
            assert shown in found.stdout
        assert ("did not contain these documents before, either:" in found.stdout) is (not words)
        assert way_on in found.stdout
    example = 'for example "2023-01-01T00:00:00.500000" instead of 1672531200.5.'
    assert f"  Write these values as text, {example}\n" in found.stdout
    assert (found.code, "use the dual-format index" in found.stdout) == (3, True)
    assert NUMBER in str(client.execute_command("JSON.GET", "t:parcel:3"))
    index_rollback_checks_coverage_first(client)
    for number in (3, 4):
        client.execute_command("JSON.SET", f"t:parcel:{number}", "$.at", '"2023-01-01T00:00:00.500000"')
    assert run_om("migrate", "rollback").code == 0
    assert total(client, INDEX) == 20
    drop_all(client)


def index_rollback_checks_coverage_first(client: redis.Redis) -> None:
    refused = run_om("migrate", "rollback")
    assert refused.code == 3
    assert refused.stdout.startswith("Rollback refused for 1 index: queries would lose documents.")
    assert "refused: 2 of 20 documents would drop out of query results" in refused.stdout
    assert "  t:parcel:3" in refused.stdout
    assert "om migrate rollback --accept-unindexed" in refused.stdout
    again = run_om("migrate", "rollback", "--json")
    told = again.json
    (one,) = told.pop("indexes")
    assert sorted(one.pop("examples")) == ["t:parcel:3", "t:parcel:4"]
    assert one == {"index": INDEX, "done": False, "documents": 20, "missing": 2}
    assert (again.code, told) == (3, {"swapped": [], "refused": [INDEX]})
    assert total(client, INDEX) == 20


def test_accepted_documents_are_named(client: redis.Redis, make_ready: Callable[[str], None]) -> None:
    make_ready("parcels_to_lose")
    client.execute_command("JSON.SET", "t:parcel:3", "$.at", NUMBER)
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "rollback", ID).code == 3
    accepted = run_om("migrate", "rollback", "--accept-unindexed")
    assert accepted.code == 0
    assert f"{INDEX}: as before the migration" in accepted.stdout
    assert "missing from the new index: 1 document;" in accepted.stdout
    assert "  t:parcel:3" in accepted.stdout
    assert total(client, INDEX) == 19
    drop_all(client)


def test_preexisting_numbers_are_counted_once_however_many_passes(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    client.hset("station:visit:a", mapping={"arrived_at": NUMBER, "left_at": "2023-01-01"})
    client.execute_command(
        "JSON.SET", "station:sighting:b", "$", '{"resighted_at":[1672531200.0,"2023-01-01"]}'
    )
    assert run_om("migrate-data", "run").code == 0
    client.hset("station:visit:c", "arrived_at", NUMBER)
    found = run_om("migrate-data", "rollback", ID, "--json")
    assert (found.code, found.json["preexisting_numbers"], found.json["rewritten_as_text"]) == (0, 2, 1)
    places = [(one["key"], one["path"]) for one in found.json["preexisting_values"]]
    assert sorted(places) == [("station:sighting:b", "resighted_at[0]"), ("station:visit:a", "arrived_at")]
    assert run_om("migrate-data", "rollback", ID, "--json").json["preexisting_numbers"] == 0


LINES = """\
from datetime import datetime
from redstart import EmbeddedJsonModel, Field, JsonModel

class Line(EmbeddedJsonModel):
    grade: str = Field(index=True)

class Cart(JsonModel, index=True):
    at: datetime = Field(index=True)
    lines: list[Line] = Field(index=True)
    tags: list[str] = Field(index=True)

    class Meta:
        model_key_prefix = "cart"
        global_key_prefix = "t"
        index_name = "t:cart:index"
"""
CART = "t:cart:index"
CART_FIELDS = (
    *("$.at", "AS", "at", "TAG"),
    *("$.lines[*].grade", "AS", "lines_grade", "NUMERIC"),
    *("$.tags", "AS", "tags", "NUMERIC"),
)


def test_values_inside_lists_are_named_by_path(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "carts_with_lines")
    (tmp_path / "carts_with_lines.py").write_text(LINES)
    for number in range(5):
        document = f'{{"pk":"{number}","at":"2023-01-01T12:00:00","lines":[],"tags":[]}}'
        client.execute_command("JSON.SET", f"t:cart:{number}", "$", document)
    of_carts = ("ON", "JSON", "PREFIX", 1, "t:cart:")
    client.execute_command("FT.CREATE", CART, *of_carts, "SCHEMA", *CART_FIELDS)
    wait_until_built(client, [CART])
    assert run_om("migrate-data", "run").code == 0
    lines = '[{"grade":null,"x":[2]},{"grade":"good","x":"y"},{},{"grade":"bad"}]'
    client.execute_command("JSON.SET", "t:cart:3", "$.lines", lines)
    client.execute_command("JSON.SET", "t:cart:4", "$.tags", '["a",null]')
    found = run_om("migrate-data", "rollback", ID, "--verbose")
    assert (found.code, "2 of 5 documents would drop out" in found.stdout) == (3, True)
    named = [line for line in found.stdout.splitlines() if "the index accepts only numbers" in line]
    assert sorted(line.strip().partition(": the")[0] for line in named) == [
        "t:cart:3 lines[1].grade",
        "t:cart:3 lines[3].grade",
        "t:cart:4 tags[0]",
    ]
    drop_all(client)
