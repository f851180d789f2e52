"""Paths of concrete locations read them, and the server writes through them as predicted."""

import json
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart.demo.sample import ODD_PLACES
from redstart.mapping.value_paths import (
    Location,
    can_be_merged,
    can_be_read,
    can_be_set,
    in_list,
    is_read_by,
    merge_patch,
    path_text,
    siblings_path,
    slice_path,
    sliced_list,
    whole_list_path,
)

KEY = "paths"
names = st.sampled_from(ODD_PLACES) | st.text("ab'\"\\.[]$* é", max_size=4)
locations = st.lists(names, min_size=1, max_size=3).map(tuple)
mixed = st.lists(names | st.integers(0, 3), min_size=1, max_size=4).map(tuple)


def nested(location: Location, leaf: Any) -> Any:
    """Return a document with a value at one location and others around it."""
    value = leaf
    for step in reversed(location):
        value = [0] * step + [value, 0] if isinstance(step, int) else {step: value, "beside": 0}
    return value


def read(client: redis.Redis, path: str) -> list[Any]:
    return list(json.loads(client.execute_command("JSON.GET", KEY, path)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mixed.filter(lambda location: "beside" not in location and isinstance(location[0], str)))
def test_a_path_reads_its_location_and_can_be_set_if_predicted(
    client: redis.Redis, location: Location
) -> None:
    before = nested(location, "old")
    client.execute_command("JSON.SET", KEY, "$", json.dumps(before))
    if not can_be_read(location):
        assert any(str(step).startswith(" ") for step in location)
        assert not can_be_set(location)
        return
    assert read(client, path_text(location)) == ["old"]
    assert "old" in read(client, siblings_path(location))
    if can_be_set(location):
        client.execute_command("JSON.SET", KEY, path_text(location), '"new"')
        assert read(client, "$") == [nested(location, "new")]


@pytest.mark.parametrize("name", [name for name in ODD_PLACES if not can_be_set((name,))])
def test_a_path_that_cannot_be_set_would_add_a_key(client: redis.Redis, name: str) -> None:
    """The reason for `can_be_set`; fails when a server learns to do it."""
    client.execute_command("JSON.SET", KEY, "$", json.dumps({name: "old"}))
    client.execute_command("JSON.SET", KEY, path_text((name,)), '"new"')
    (found,) = read(client, "$")
    assert found[name] == "old"


def test_a_path_drops_the_space_that_a_key_begins_with(client: redis.Redis) -> None:
    """The reason why such a location is never written; fails when a server learns to read it."""
    client.execute_command("JSON.SET", KEY, "$", json.dumps({" a": "spaced", "a": "plain"}))
    assert read(client, path_text((" a",))) == ["plain"]
    assert (can_be_read((" a",)), can_be_read(("a ",)), can_be_read((0, "a"))) == (False, True, True)


def test_some_names_cannot_be_set() -> None:
    assert 0 < sum(not can_be_set((name,)) for name in ODD_PLACES) < len(ODD_PLACES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=1, max_size=5, unique=True), st.text(max_size=3))
def test_a_merge_sets_all_its_places_and_nothing_else(
    client: redis.Redis, chosen: list[str], value: str
) -> None:
    before = {"in": dict.fromkeys(chosen, 1) | {"other": [1, {"a": None}]}, "beside": {"b": 2}}
    client.execute_command("JSON.SET", KEY, "$", json.dumps(before))
    changes: list[tuple[Location, bytes]] = [(("in", name), json.dumps(value).encode()) for name in chosen]
    client.execute_command("JSON.MERGE", KEY, "$", merge_patch([*changes, (("beside", "b"), b"3.5")]))
    after = {"in": before["in"] | dict.fromkeys(chosen, value), "beside": {"b": 3.5}}
    assert read(client, "$") == [after]


@given(locations, locations)
def test_different_places_have_different_paths(first: Location, second: Location) -> None:
    assert (path_text(first) == path_text(second)) is (first == second)


@given(mixed)
def test_siblings_are_in_every_item(location: Location) -> None:
    assert in_list(location) is (siblings_path(location) != path_text(location))
    assert siblings_path(location) == siblings_path(
        tuple(step + 1 if isinstance(step, int) else step for step in location)
    )


@pytest.mark.parametrize(
    ("text", "can"),
    [(b"1.5", True), (b'"null"', True), (b"[{}]", True), (b"null", False), (b'{"a":1}', False)],
)
def test_a_merge_takes_null_and_what_is_in_an_object_for_remove(text: bytes, can: bool) -> None:
    assert can_be_merged(text) is can


@given(mixed, st.integers(0, 5), st.integers(1, 5))
def test_a_slice_reads_some_items_of_the_outermost_list(location: Location, start: int, count: int) -> None:
    path = slice_path(location, start, start + count)
    assert whole_list_path(path) == siblings_path(location)
    positions = [step for step in location if isinstance(step, int)]
    if sliced_list(path) is None:
        assert path == siblings_path(location)
        assert is_read_by(path, location)
    else:
        assert path.startswith(f"{sliced_list(path)}[{start}:{start + count}]")
        assert is_read_by(path, location) == (start <= positions[0] < start + count)
