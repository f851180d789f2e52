"""Bytes and embedded keys as redis-om 0.3.5 writes them, dates as 1.0 did: migrated, read by 1.2.0, and rolled back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.cli.conftest import write_module
from tests.migrations.indexes.conftest import drop_all
from tests.support.cli import refused, run_om
from tests.support.migration import documents_of
from tests.support.snapshot import Snapshot, difference

__all__ = ["write_module"]  # a fixture

PROGRAM = Path(__file__).with_name("legacy_values.py")

MODELS = """
    from datetime import date
    from redstart import EmbeddedJsonModel, HashModel, JsonModel

    class Part(EmbeddedJsonModel):
        code: str

    class Line(EmbeddedJsonModel):
        sku: str
        part: Part

    class Blob(HashModel, index=True):
        payload: bytes

        class Meta:
            global_key_prefix = "old"
            model_key_prefix = "blob"

    class Order(JsonModel, index=True):
        payload: bytes
        main: Line
        lines: list[Line]

        class Meta:
            global_key_prefix = "old"
            model_key_prefix = "order"
"""
DATES = """
    from datetime import date
    from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel

    class Span(EmbeddedJsonModel):
        start: date

    class Day(HashModel, index=True):
        day: date = Field(index=True)
        end: date | None = None

        class Meta:
            global_key_prefix = "old"
            model_key_prefix = "day"

    class Plan(JsonModel, index=True):
        day: date = Field(index=True)
        days: list[date] = []
        spans: list[Span] = []

        class Meta:
            global_key_prefix = "old"
            model_key_prefix = "plan"
"""
BYTES = {"plain": b"hello", "looks_encoded": b"abcd", "accents": "café".encode(), "long": b"x" * 300}
Run = Callable[..., Any]


@pytest.fixture
def project(
    client: redis.Redis,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str], str],
) -> Iterator[Callable[[str], None]]:
    """Declares models, and records a first file with them."""
    drop_all(client)
    monkeypatch.setenv("REDIS_OM_URL", url)

    def declare(text: str) -> None:
        monkeypatch.setenv("REDSTART_MODELS", write_module(text))
        assert run_om("migrate", "run").code == 0
        created = run_om("migrate", "create", "initial", "--json").json
        assert run_om("migrate", "stamp", "--to", created["id"], "--yes").code == 0

    yield declare
    drop_all(client)


@pytest.fixture
def with_0x(python_with_0x: str, url: str) -> Run:
    return lambda word: _program(python_with_0x, url, "0x", word)


@pytest.fixture
def with_1x(python_with_1x: str, url: str) -> Run:
    return lambda word: _program(python_with_1x, url, "1x", word)


def _program(python: str, url: str, *words: str) -> Any:
    done = subprocess.run(
        [python, PROGRAM, *words], env={"REDIS_OM_URL": url}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout.startswith("{") else None


def stored(client: redis.Redis) -> Snapshot:
    return {key: entry for key, entry in documents_of(client).items() if b":index" not in key}


def models() -> Any:
    return sys.modules[os.environ["REDSTART_MODELS"]]


@pytest.mark.redis_om
def test_bytes_of_0x_are_those_of_1x_after_the_migration(
    client: redis.Redis, project: Callable[[str], None], with_0x: Run, with_1x: Run
) -> None:
    with_0x("write")
    assert client.hget("old:blob:looks_encoded", "payload") == b"abcd"
    before = stored(client)
    wrong = with_1x("read")
    assert wrong["looks_encoded"]["blob"] != b"abcd".hex(), "redis-om 1.2.0 decodes text that is not encoded"
    project(MODELS)
    made = run_om("migrate-data", "create", "encode_bytes", "--template", "bytes")
    assert made.code == 0, made.text
    assert "Encode the bytes payload of Blob from text to Base64." in made.stdout
    dry = run_om("upgrade", "--dry-run")
    assert dry.code == 0, dry.text
    assert difference(before, stored(client)) == []

    assert run_om("upgrade").code == 0
    read = with_1x("read")
    for name, data in BYTES.items():
        assert (read[name]["blob"], read[name]["order"]) == (data.hex(), data.hex())
        assert models().Blob.get(name).payload == models().Order.get(name).payload == data
    assert run_om("upgrade").stdout.startswith("No pending migration files."), "each document is changed once"
    assert client.hget("old:blob:looks_encoded", "payload") == b"YWJjZA=="

    # A document of the new version is changed back for the old one, if that can store it.
    models().Blob(pk="new", payload=b"later").save()
    assert run_om("migrate", "rollback", "--yes").code == 0
    assert client.hget("old:blob:new", "payload") == b"later"
    client.delete("old:blob:new")
    assert difference(before, stored(client)) == []
    assert with_0x("read")["accents"]["blob"] == BYTES["accents"].hex()


@pytest.mark.redis_om
def test_bytes_that_0x_cannot_store_are_reported_by_a_rollback(
    client: redis.Redis, project: Callable[[str], None], with_0x: Run
) -> None:
    with_0x("write")
    project(MODELS)
    assert run_om("migrate-data", "create", "encode_bytes", "--template", "bytes").code == 0
    assert run_om("upgrade").code == 0
    models().Blob(pk="new", payload=b"\xff\xfe").save()
    back = run_om("migrate", "rollback", "--yes")
    assert (back.code, "old:blob:new" in back.text) == (6, True), back.text
    assert client.hget("old:blob:new", "payload") == b"//4="


@pytest.mark.redis_om
def test_keep_leaves_what_a_later_version_wrote(
    client: redis.Redis, project: Callable[[str], None], with_0x: Run
) -> None:
    with_0x("write")
    project(MODELS)
    models().Blob(pk="new", payload=b"later").save()
    assert run_om("migrate-data", "create", "encode_bytes", "--template", "bytes").code == 0
    (path,) = Path("migrations").glob("*_encode_bytes.py")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"payload")', '"payload", if_base64="keep")'), encoding="utf-8")
    assert run_om("upgrade").code == 0
    assert client.hget("old:blob:new", "payload") == b"bGF0ZXI="
    assert client.hget("old:blob:accents", "payload") == b"Y2Fmw6k="
    assert client.hget("old:blob:looks_encoded", "payload") == b"abcd", "it cannot be told apart"


@pytest.mark.redis_om
def test_embedded_keys_of_0x_are_removed_at_the_cleanup(
    client: redis.Redis, project: Callable[[str], None], with_0x: Run, with_1x: Run
) -> None:
    with_0x("write")
    project(MODELS)
    before, read_before = stored(client), with_0x("read")

    def keys() -> int:
        return sum(
            1
            for name in BYTES
            for path in ("$.main.pk", "$.main.part.pk", "$.lines[*].pk", "$.lines[*].part.pk")
            for _ in client.json().get(f"old:order:{name}", path)
        )

    assert keys() == 6 * len(BYTES)
    made = run_om("migrate-data", "create", "remove_keys", "--template", "embedded-keys", "--json").json
    assert run_om("upgrade", "--dry-run").code == 0
    assert run_om("upgrade").code == 0
    assert difference(before, stored(client)) == [], "they stay while the old version runs"
    assert run_om("migrate", "cleanup", "--yes").code == 0
    assert keys() == 0
    assert with_1x("read")["plain"]["skus"] == ["plain", "p", "plain", "b"]
    assert {name: one["skus"] for name, one in with_0x("read").items()} == {
        name: one["skus"] for name, one in read_before.items()
    }, "redis-om 0.3.5 reads documents without them"
    assert run_om("migrate", "rollback", made["id"], "--yes").code == 0
    assert difference(before, stored(client)) == []


WRITE_1_0 = """
import json, sys
from datetime import date, datetime
# redis-om 1.0: `datetime.combine(value, datetime.min.time()).timestamp()`, in the zone of the process.
days = [date.fromisoformat(text) for text in json.loads(sys.argv[1])]
print(json.dumps([datetime.combine(day, datetime.min.time()).timestamp() for day in days]))
"""


def written_by_1_0(days: list[date], zone: str) -> list[float]:
    texts = json.dumps([day.isoformat() for day in days])
    done = subprocess.run(
        [sys.executable, "-c", WRITE_1_0, texts],
        env={"TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


ZONES = {
    "Asia/Kolkata": date(2023, 1, 1),
    "America/Sao_Paulo": date(2018, 11, 4),  # a day without midnight
    "Europe/London": date(2023, 3, 26),
    "Pacific/Auckland": date(2023, 9, 24),
    "America/New_York": date(1969, 12, 30),
}
"""With a day near which the offset changes, or there is nothing special about."""


@pytest.mark.sample(2)
@pytest.mark.parametrize("zone", ZONES)
def test_local_midnights_of_1_0(client: redis.Redis, project: Callable[[str], None], zone: str) -> None:
    days = [ZONES[zone] + timedelta(days=number) for number in range(-3, 4)]
    numbers = written_by_1_0(days, zone)
    for day, number in zip(days, numbers, strict=True):
        client.hset(f"old:day:{day}", mapping={"pk": str(day), "day": str(number)})
        plan = {"pk": str(day), "day": number, "days": [number, numbers[0]], "spans": [{"start": number}]}
        client.json().set(f"old:plan:{day}", "$", plan)
    utc = 1672531200.0  # a date that 1.1 wrote, and text that no version has converted
    client.hset("old:day:later", mapping={"pk": "later", "day": str(utc), "end": str(utc)})
    before = stored(client)
    project(DATES)
    refused(run_om("migrate-data", "create", "midnights", "--template", "local-midnights"), 2, "Add the zone")
    made = run_om("migrate-data", "create", "midnights", "--template", "local-midnights", "--timezone", zone)
    assert made.code == 0, made.text
    assert made.stdout.count("from midnight in") == 5, made.stdout
    assert run_om("upgrade", "--dry-run").code == 0
    assert difference(before, stored(client)) == []

    done = run_om("upgrade")
    assert done.code == 0, done.text
    for day in days:
        utc_midnight = datetime.combine(day, time.min, tzinfo=UTC).timestamp()
        assert float(client.hget(f"old:day:{day}", "day")) == utc_midnight
        assert models().Day.get(str(day)).day == day
        plan = models().Plan.get(str(day))
        assert (plan.day, plan.days, [span.start for span in plan.spans]) == (day, [day, days[0]], [day])
    assert models().Day.get("later").day == date(2023, 1, 1)
    assert models().Day.find(models().Day.day == days[2]).count() == 1

    models().Day(pk="new", day=days[3]).save()
    assert run_om("migrate", "rollback", "--yes").code == 0
    assert float(client.hget("old:day:new", "day")) == numbers[3], "as redis-om 1.0 would have stored it"
    client.delete("old:day:new")
    assert difference(before, stored(client)) == []


def test_a_number_that_is_no_midnight_is_a_failure(
    client: redis.Redis, project: Callable[[str], None]
) -> None:
    (number,) = written_by_1_0([date(2023, 1, 1)], "Asia/Kolkata")
    client.hset("old:day:good", mapping={"pk": "good", "day": str(number)})
    client.hset("old:day:bad", mapping={"pk": "bad", "day": str(number + 3600)})
    project(DATES)
    words = ("--template", "local-midnights", "--timezone", "Asia/Kolkata")
    made = run_om("migrate-data", "create", "midnights", *words, "--json").json
    assert run_om("upgrade").code == 0
    assert models().Day.get("good").day == date(2023, 1, 1)
    assert client.hget("old:day:bad", "day") == str(number + 3600).encode()
    shown = run_om("migrate", "show", made["id"], "--verbose")
    assert "neither midnight in UTC nor in Asia/Kolkata" in shown.stdout


def test_a_template_needs_models_with_such_fields(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(
        run_om("migrate-data", "create", "a", "--template", "bytes"),
        2,
        "contain no models yet",
        "om migrate create initial",
    )
