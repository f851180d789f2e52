"""Reading documents through their models: what a migration cannot have caused is not held against it."""

import json
import time
import uuid
from datetime import UTC, datetime

import redis
from pydantic import NaiveDatetime

from redstart import JsonModel
from redstart.demo.models import Sighting
from redstart.mapping.declaration import declare
from redstart.mapping.models import RedisModel
from redstart.migrations.data.planned.plan import make_plan
from redstart.migrations.data.running.context import DATETIME_MIGRATION, Context
from redstart.migrations.data.state.keys import StateKeys
from redstart.migrations.data.verifying.verify import Verification, verify
from redstart.migrations.data.verifying.verify_models import ModelCheck
from redstart.migrations.holder import this_process
from redstart.server.connections import open_like
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
    context = Context(StateKeys(DATETIME_MIGRATION), zone, this_process(), uuid.uuid4().hex, time.monotonic)
    declarations = [declare(model)]
    check = ModelCheck(declarations, zone)
    with open_like(client) as driver:
        found = driver.run(verify(context, make_plan(declarations, zone.name), checks=[check]))
    return found, check


def test_a_document_its_model_accepts(client: redis.Redis) -> None:
    found, check = verified(client, SIGHTING)
    assert (found.ok, check.read) == (True, 1)


def test_a_null_where_none_is_allowed_was_there_before_the_run(client: redis.Redis) -> None:
    found, check = verified(client, SIGHTING | {"ringed_at": None})
    assert (found.ok, check.read, check.known) == (True, 0, 1)


def test_a_document_its_model_refuses_for_another_reason_is_a_problem(client: redis.Redis) -> None:
    found, check = verified(client, {name: value for name, value in SIGHTING.items() if name != "species"})
    assert (found.problems.count, check.read, check.known) == (1, 0, 0)
    assert found.problems.first[0].path == "species"


def test_a_value_that_was_moved_aside_is_known_also_after_other_runs(client: redis.Redis) -> None:
    aside = {"ringed_at": None, "ringed_at__invalid": "N/A"}
    found, check = verified(client, SIGHTING | aside)
    assert (found.ok, check.read, check.known) == (True, 0, 1)
    missing = {name: value for name, value in SIGHTING.items() if name != "ringed_at"}
    found, check = verified(client, missing | {"ringed_at__invalid": "N/A"})
    assert (found.ok, check.known) == (True, 1)
    found, check = verified(client, missing)
    assert (found.problems.count, check.known) == (1, 0)


def test_a_model_reads_in_the_zone_of_its_application(client: redis.Redis) -> None:
    """An instant that its clocks showed twice has no stored form without an offset, so the model cannot read it."""
    twice = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
    client.execute_command("JSON.SET", Ring.make_primary_key("1"), "$", f'{{"put_on":{twice.timestamp()}}}')
    found, check = looked_at(client, Ring, NaiveTimezone.parse("UTC"))
    assert (found.ok, check.read) == (True, 1)
    found, check = looked_at(client, Ring, NaiveTimezone.parse("Europe/Berlin"))
    assert (found.problems.count, check.read) == (1, 0)
    assert "showed that time twice" in found.problems.first[0].reason
