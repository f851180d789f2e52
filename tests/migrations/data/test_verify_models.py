"""Reading documents through their models: each that no application can read is named."""

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from pydantic import NaiveDatetime, field_validator, model_validator

from redstart import HashModel, JsonModel
from redstart.demo.models import Sighting
from redstart.mapping.model_info import declare
from redstart.mapping.models import RedisModel
from redstart.migrations.context import Context
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import make_plan
from redstart.migrations.data.verify import Verification, verify
from redstart.migrations.lease_state import this_process
from redstart.migrations.model_check import ModelCheck
from redstart.server.clients import open_like
from redstart.values.timezones import NaiveTimezone

SIGHTING = {"species": "tit", "wing_millimetres": 63.5, "ringed_at": 1672531200.0, "capture": {"net": "3"}}


class Ring(JsonModel):
    """Read by an application whose clock is not UTC's."""

    put_on: NaiveDatetime


def verified(client: redis.Redis, *documents: dict[str, object]) -> tuple[Verification, ModelCheck]:
    for number, document in enumerate(documents):
        client.execute_command("JSON.SET", f"station:sighting:{number}", "$", json.dumps(document))
    return looked_at(client, Sighting, NaiveTimezone.parse("UTC"))


def looked_at(
    client: redis.Redis, model: type[RedisModel], zone: NaiveTimezone
) -> tuple[Verification, ModelCheck]:
    context = Context(DatetimeConversion(zone), this_process(), uuid.uuid4().hex, time.monotonic)
    declarations = [declare(model)]
    check = ModelCheck(declarations, zone, context.transformation)
    with open_like(client) as driver:
        found = driver.run(verify(context, make_plan(declarations, context.transformation), checks=[check]))
    return found, check


def test_a_document_its_model_accepts(client: redis.Redis) -> None:
    found, check = verified(client, SIGHTING)
    assert (found.ok, check.read) == (True, 1)


UNREADABLE: list[tuple[dict[str, object], str]] = [
    ({"ringed_at": None}, "ringed_at"),
    ({"ringed_at": "N/A"}, "ringed_at"),
    ({"ringed_at": None, "ringed_at__invalid": "N/A"}, "ringed_at"),
    ({"ringed_at": True}, "ringed_at"),
    ({"species": None}, "species"),
    ({"capture": {}}, "capture.net"),
    ({"capture": []}, "capture"),
    ({"resighted_at": [1.5, "N/A"]}, "resighted_at[1]"),
]


@pytest.mark.parametrize(("change", "field"), UNREADABLE)
def test_a_document_that_no_model_reads_is_named_whatever_is_known_of_it(
    client: redis.Redis, change: dict[str, object], field: str
) -> None:
    found, check = verified(client, SIGHTING, SIGHTING | change)
    assert (found.ok, check.read, check.unreadable) == (False, 1, 1)
    # A value that is a problem in itself is named once.
    assert {(one.key, one.path) for one in found.problems.first} == {("station:sighting:1", field)}


def test_a_missing_field_is_named_too(client: redis.Redis) -> None:
    found, check = verified(client, {name: value for name, value in SIGHTING.items() if name != "species"})
    assert (found.problems.count, check.read, check.unreadable) == (1, 0, 1)
    assert found.problems.first[0].path == "species"


ERRORS = [
    ValueError("no"),
    TypeError("naive and aware"),
    ZeroDivisionError(),
    KeyError("x"),
    RecursionError(),
    Exception(),
]


@pytest.mark.parametrize("storage", [HashModel, JsonModel])
@pytest.mark.parametrize("kind", ["field", "model"])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_whatever_a_validator_raises_is_a_problem_of_its_document(
    client: redis.Redis, storage: type[RedisModel], kind: str, error: Exception
) -> None:
    def refuse(value: Any) -> Any:
        raise error

    check = field_validator("at")(refuse) if kind == "field" else model_validator(mode="after")(refuse)
    model: type[RedisModel] = type(
        "Strict", (storage,), {"__module__": __name__, "__annotations__": {"at": datetime}, "refuse": check}
    )
    key = model.make_primary_key("1")
    if storage is HashModel:
        client.hset(key, "at", "1672531200.0")
    else:
        client.execute_command("JSON.SET", key, "$", '{"at":1672531200.0}')
    found, models = looked_at(client, model, NaiveTimezone.parse("UTC"))
    assert (models.read, models.unreadable, found.ok) == (0, 1, False)
    assert found.problems.first[0].key == key


def test_a_model_reads_in_the_zone_of_its_application(client: redis.Redis) -> None:
    """An instant that its clocks showed twice has no stored form without an offset, so the model cannot read it."""
    twice = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
    client.execute_command("JSON.SET", Ring.make_primary_key("1"), "$", f'{{"put_on":{twice.timestamp()}}}')
    found, check = looked_at(client, Ring, NaiveTimezone.parse("UTC"))
    assert (found.ok, check.read) == (True, 1)
    found, check = looked_at(client, Ring, NaiveTimezone.parse("Europe/Berlin"))
    assert (found.problems.count, check.read) == (1, 0)
    assert "ambiguous local time" in found.problems.first[0].reason
