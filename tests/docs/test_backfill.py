"""The recipe of docs/models.md for the default of a new field, beside other clients, for each state of a document."""

import json
import re

import pytest
import redis

from tests.support.migration import EXPIRY, REPOSITORY

PAGE = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
KEY = "shop:note:x"
HASHES: dict[str, dict[str, str] | None] = {
    "absent": {"pk": "x"},
    "present": {"pk": "x", "topic": "music"},
    "empty": {"pk": "x", "topic": ""},
    "the default already": {"pk": "x", "topic": "none"},
    "deleted": None,
}
OBJECTS: dict[str, str | None] = {
    "absent": '{"pk":"x"}',
    "present": '{"pk":"x","topic":"music"}',
    "null": '{"pk":"x","topic":null}',
    "empty": '{"pk":"x","topic":""}',
    "a list": '{"pk":"x","topic":["a"]}',
    "deleted": None,
}


def fill_hash(client: redis.Redis) -> int:
    (source,) = re.findall(r'register_script\("""\n(.*?)"""\)', PAGE, re.DOTALL)
    filled = client.register_script(source)(keys=[KEY], args=["topic", "none"])
    assert isinstance(filled, int)
    return filled


def fill_json(client: redis.Redis) -> object:
    """The page passes `nx=True` to redis-py, which sends this."""
    assert re.search(r'\.json\(\)\.set\(Letter\.make_primary_key\(pk\), "\$\.topic", "none", nx=True\)', PAGE)
    try:
        return client.json().set(KEY, "$.topic", "none", nx=True)
    except redis.ResponseError as error:
        assert "new objects must be created at the root" in str(error)
        return None


@pytest.mark.parametrize("state", HASHES)
@pytest.mark.parametrize("times", [1, 2])
def test_a_hash_gets_the_default_only_if_it_exists_without_the_field(
    client: redis.Redis, state: str, times: int
) -> None:
    before = HASHES[state]
    if before is not None:
        client.hset(KEY, mapping=before)
        client.pexpireat(KEY, EXPIRY)
    for _ in range(times):
        fill_hash(client)
    expected = None if before is None else {"topic": "none", **before}
    found = {name.decode(): value.decode() for name, value in client.hgetall(KEY).items()} or None
    assert found == expected
    assert before is None or client.pexpiretime(KEY) == EXPIRY


@pytest.mark.parametrize("state", OBJECTS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_json_document_gets_the_default_only_if_it_exists_without_the_field(
    client: redis.Redis, state: str, times: int
) -> None:
    before = OBJECTS[state]
    if before is not None:
        client.execute_command("JSON.SET", KEY, "$", before)
        client.pexpireat(KEY, EXPIRY)
    for _ in range(times):
        fill_json(client)
    expected = None if before is None else {"topic": "none", **json.loads(before)}
    assert client.json().get(KEY) == expected
    assert before is None or client.pexpiretime(KEY) == EXPIRY


def test_the_page_does_not_recommend_to_set_the_field_of_all_documents() -> None:
    """It names the operation that does, and what is wrong with it."""
    (named,) = [line for line in PAGE.splitlines() if "find().update(topic=" in line]
    assert "would overwrite" in named
    assert "operations/add-field.md" in PAGE
