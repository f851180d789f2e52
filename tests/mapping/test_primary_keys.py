"""ULIDs: of now, readable by others, and never twice: not in a millisecond, not in threads, not after a fork."""

import ctypes
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from ulid import ULID

from redstart.mapping.primary_keys import UlidPrimaryKey


def new_keys(count: int) -> list[str]:
    creator = UlidPrimaryKey()
    return [creator.create_pk() for _ in range(count)]


def test_they_are_ulids_of_now() -> None:
    before = time.time_ns() // 1_000_000
    keys = new_keys(100)
    assert [str(ULID.from_str(key)) for key in keys] == keys
    assert all(before <= ULID.from_str(key).milliseconds <= time.time_ns() // 1_000_000 for key in keys)


def test_they_are_sorted_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1_700_000_000_000_000_000, 1_700_000_000_900_000_000, 1_000_000))
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    keys = new_keys(500)
    assert keys == sorted(keys)


def test_threads_in_the_same_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    with ThreadPoolExecutor(8) as threads:
        keys = [key for some in threads.map(new_keys, [500] * 8) for key in some]
    assert len(set(keys)) == 4000


@pytest.mark.parametrize("fork", [os.fork, ctypes.PyDLL(None).fork], ids=["Python's", "uWSGI's"])
def test_forks_in_the_same_millisecond(monkeypatch: pytest.MonkeyPatch, fork: Callable[[], int]) -> None:
    """As workers do that begin to serve at the same time. Of uWSGI's fork Python is not told."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    keys = new_keys(10)
    reading, writing = os.pipe()
    children = []
    for _ in range(3):
        child = fork()
        if not child:
            os.write(writing, "".join(new_keys(10)).encode())
            os._exit(0)
        children.append(child)
    os.close(writing)
    keys += new_keys(10)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    keys += [text[start : start + 26] for start in range(0, len(text), 26)]
    assert len(keys) == 50 == len(set(keys))
