"""Copies do not change with what they were made of."""

from collections import deque
from threading import Lock
from typing import Any

import pytest
from pydantic import BaseModel

from redstart.search.expressions import copied


class Part(BaseModel):
    names: list[str]


def test_a_change_of_the_original_changes_nothing() -> None:
    inner = ["a"]
    given: Any = [inner, (inner,), {"x": inner}, deque([inner]), bytearray(b"a"), Part(names=inner)]
    copy = copied(given)
    assert copy == given
    inner.append("b")
    given[4].extend(b"b")
    given[5].names.append("b")
    assert copy == [["a"], (["a"],), {"x": ["a"]}, deque([["a"]]), bytearray(b"a"), Part(names=["a"])]


@pytest.mark.parametrize("given", [iter([1, 2]), {1: 0, 2: 0}.keys(), {0: 1, 1: 2}.values()])
def test_a_single_value_becomes_a_list(given: Any) -> None:
    assert copied(given) == [1, 2]


def test_what_cannot_be_copied_is_kept() -> None:
    lock = Lock()
    assert copied([lock]) == [lock]
