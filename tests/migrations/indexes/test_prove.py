"""The proof of membership on servers that answer as little as they may."""

from collections.abc import Iterator

import pytest
import redis

from redstart.migrations.indexes.expand import IndexState
from redstart.migrations.indexes.prove import absent_from
from tests.migrations.indexes.conftest import MODELS, expand, legacy, perform, step_back, total

__all__ = ["legacy"]  # a fixture

VISITS = "station:visit:index"


@pytest.fixture(params=["RETURN", "FAIL"])
def hurried(legacy: redis.Redis, url: str, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A server that answers 7 results at most, and for a millisecond."""
    settings = {"TIMEOUT": 1, "ON_TIMEOUT": request.param, "MAXSEARCHRESULTS": 7}
    with redis.Redis.from_url(url, protocol=2) as asking:
        found = {name: asking.execute_command("FT.CONFIG", "GET", name)[0][1] for name in settings}
    for name, value in settings.items():
        legacy.execute_command("FT.CONFIG", "SET", name, value)
    yield legacy
    for name, value in found.items():
        legacy.execute_command("FT.CONFIG", "SET", name, value)


def test_every_key_is_asked_for(hurried: redis.Redis, url: str) -> None:
    keys = list(hurried.scan_iter("station:visit:*", 1_000, _type="hash"))
    assert len(keys) > 7
    assert perform(url, absent_from(VISITS, [*keys, b"station:visit:nobody"])) == [b"station:visit:nobody"]


def test_indexes_are_brought_up_to_date(hurried: redis.Redis, url: str) -> None:
    before = {model._meta.index_name: total(hurried, model._meta.index_name) for model in MODELS}
    assert {one.state for one in expand(url).values()} == {IndexState.EXPANDED}
    assert {name: total(hurried, name) for name in before} == before


def test_an_index_of_a_name_that_is_no_text_is_nothing_to_us(legacy: redis.Redis, url: str) -> None:
    legacy.execute_command("FT.CREATE", b"\xff\xfe", "PREFIX", "1", "other:", "SCHEMA", "a", "TAG")
    expand(url)
    step_back(url)
    assert b"\xff\xfe" in legacy.execute_command("FT._LIST")
