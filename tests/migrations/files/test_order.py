"""Each migration after its dependencies, otherwise by id; migrations without a place are reported."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.migrations.files.declarations import Declared
from redstart.migrations.files.graph import in_order

IDS = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(IDS, st.lists(IDS, max_size=4), max_size=8)


def declared(graph: dict[str, list[str]]) -> dict[str, Declared]:
    return {name: Declared(name, "", tuple(others), f"{name}.py", object) for name, others in graph.items()}


def ordered(graph: dict[str, list[str]], done: set[str] | None = None) -> tuple[list[str], list[str]]:
    order, problems = in_order(declared(graph), done or set())
    return [one.migration_id for one in order], [problem.reason for problem in problems]


@given(GRAPHS, st.sets(IDS))
def test_all_are_there_once_and_each_after_its_dependencies(
    graph: dict[str, list[str]], done: set[str]
) -> None:
    order, problems = ordered(graph, done)
    assert sorted(order) == sorted(graph)
    if problems:
        return
    for place, name in enumerate(order):
        assert set(graph[name]) <= {*order[:place], *done}


@given(GRAPHS, st.sets(IDS))
def test_a_problem_is_reported_exactly_if_there_is_one(graph: dict[str, list[str]], done: set[str]) -> None:
    """By another algorithm: remove reachable migrations until none is left."""
    left = {name: set(others) - done for name, others in graph.items()}
    while free := {name for name, others in left.items() if not others}:
        left = {name: others - free for name, others in left.items() if name not in free}
    assert bool(ordered(graph, done)[1]) == bool(left)


@given(GRAPHS)
def test_without_dependencies_ids_decide(graph: dict[str, list[str]]) -> None:
    assert ordered({name: [] for name in graph}) == (sorted(graph), [])


def test_the_smallest_that_is_free_comes_first() -> None:
    assert ordered({"a": ["d"], "b": [], "c": ["b"], "d": []}) == (["b", "c", "d", "a"], [])


@pytest.mark.parametrize(
    ("graph", "reasons"),
    [
        ({"a": ["x", "y"]}, ["a depends on x, y, which is neither declared nor recorded as applied"]),
        ({"a": ["a"]}, ["migrations depend on each other in a cycle: a -> a"]),
        ({"a": ["b"], "b": ["a"]}, ["migrations depend on each other in a cycle: a -> b -> a"]),
        ({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}, ["... cycle: a -> b -> c -> a"]),
        ({"a": ["b"], "b": ["x"]}, ["b depends on x, which is neither declared nor recorded as applied"]),
        ({"a": ["a"], "b": ["b"], "c": ["x"]}, ["c depends on x, ...", "... a -> a", "... b -> b"]),
        (
            {"a\n": ["\x1b[2J"]},
            ["a depends on \\x1b[2J, which is neither declared nor recorded as applied"],
        ),
    ],
)
def test_causes_are_reported_and_migrations_that_only_wait_are_not(
    graph: dict[str, list[str]], reasons: list[str]
) -> None:
    found = ordered(graph)[1]
    assert len(found) == len(reasons)
    for said, expected in zip(found, reasons, strict=True):
        assert all(part in said for part in expected.split("..."))


def test_what_has_no_place_comes_last() -> None:
    assert ordered({"a": ["x"], "b": ["c"], "c": []})[0] == ["c", "b", "a"]


def test_a_long_chain_and_a_long_circle() -> None:
    names = [f"{number:04}" for number in range(300)]
    chain: dict[str, list[str]] = {name: [other] for name, other in pairwise(names)} | {names[-1]: []}
    assert ordered(chain) == (names[::-1], [])
    (said,) = ordered(chain | {names[-1]: [names[0]]})[1]
    assert "0000 -> 0001 -> 0002" in said
    assert len(said) <= 300
