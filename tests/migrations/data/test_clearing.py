"""Empty values of Optional hash fields: no number, so an index of numbers would not take their documents."""

from typing import Any

import pytest
import redis

from redstart.demo.sample import VISIT_PREFIX
from redstart.effects import Op
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.verify import Problems, verify_journal
from redstart.server.clients import open_like
from tests.support.migration import EXPIRY, TEXT, documents_of, new_context, options, station_plan
from tests.support.snapshot import difference, snapshot

FIELD = (VISIT_PREFIX, "left_at")
PLAIN, SECOND = VISIT_PREFIX + "plain", VISIT_PREFIX + "second"


def perform(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def convert(client: redis.Redis, mode: FailureMode, *, clearing: bool = True) -> Any:
    chosen = options(mode, clearing=frozenset({FIELD} if clearing else ()))
    return perform(client, run(new_context(), station_plan(), chosen))


@pytest.fixture
def visits(client: redis.Redis) -> redis.Redis:
    client.flushall()
    client.hset(PLAIN, mapping={"arrived_at": TEXT, "left_at": "", "weather": ""})
    client.hset(SECOND, mapping={"left_at": "", "site": "Neusiedl"})
    return client


@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_they_are_removed_where_an_index_needs_it_and_restored(
    visits: redis.Redis, mode: FailureMode
) -> None:
    before = snapshot(visits)
    assert convert(visits, mode).stopped is None
    assert visits.hkeys(PLAIN) == [b"arrived_at", b"weather"]
    assert visits.hgetall(SECOND) == {b"site": b"Neusiedl"}
    again = documents_of(visits)
    assert convert(visits, mode).converted == 0
    assert documents_of(visits) == again
    preview = perform(visits, preview_rollback(new_context()))
    done = perform(visits, rollback(new_context()))
    assert (preview.documents, preview.restored_exactly) == (done.documents, done.restored_exactly) == (2, 3)
    assert difference(before, snapshot(visits)) == []


@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, FailureMode.SKIP, FailureMode.FAIL])
def test_the_modes_that_leave_values_leave_these_too(visits: redis.Redis, mode: FailureMode) -> None:
    convert(visits, mode)
    assert visits.hget(PLAIN, "left_at") == b""


def test_where_no_index_needs_it_they_stay(visits: redis.Redis) -> None:
    convert(visits, FailureMode.DEFAULT, clearing=False)
    assert visits.hget(PLAIN, "left_at") == b""


def test_a_document_deleted_since_is_not_made_again(visits: redis.Redis) -> None:
    convert(visits, FailureMode.DEFAULT)
    visits.delete(SECOND)
    assert perform(visits, preview_rollback(new_context())).documents == 1
    problems = Problems()
    checked = perform(visits, verify_journal(new_context(), station_plan(), problems))
    assert (checked.as_written, checked.changed_since, problems.count) == (2, 1, 0)
    assert perform(visits, rollback(new_context())).restored_exactly == 2
    assert not visits.exists(SECOND)


def test_a_field_that_got_a_value_since_keeps_it(visits: redis.Redis) -> None:
    convert(visits, FailureMode.DEFAULT)
    visits.hset(SECOND, "left_at", "1600000000.0")
    perform(visits, rollback(new_context()))
    assert visits.hget(SECOND, "left_at") == b"2020-09-13T12:26:40"


def test_the_last_field_of_a_hash_stays_and_is_recorded(client: redis.Redis) -> None:
    """It would take the hash along. A field that expires is restored with its expiry."""
    client.flushall()
    client.hset(PLAIN, "left_at", "")
    client.hset(SECOND, mapping={"left_at": "", "site": "Neusiedl"})
    client.execute_command("HPEXPIREAT", SECOND, EXPIRY, "FIELDS", 1, "left_at")
    before = snapshot(client)
    assert convert(client, FailureMode.DEFAULT).errors == 1
    assert client.hgetall(PLAIN) == {b"left_at": b""}
    assert client.hgetall(SECOND) == {b"site": b"Neusiedl"}
    perform(client, rollback(new_context()))
    assert difference(before, snapshot(client)) == []
