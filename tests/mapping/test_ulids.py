"""ULIDs: readable by a library for them, of now, and never twice; not in threads, and not after a fork."""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from ulid import ULID

from redstart.mapping.ulids import MADE_AT_ONCE, new_ulid


def test_they_are_ulids_of_now() -> None:
    before = time.time()
    for _ in range(MADE_AT_ONCE * 2 + 1):
        text = new_ulid()
        assert str(ULID.from_str(text)) == text
        assert int(before * 1000) <= ULID.from_str(text).milliseconds <= int(time.time() * 1000)


def test_they_are_sorted_by_time() -> None:
    made = []
    for _ in range(5):
        made.append(new_ulid())
        time.sleep(0.002)
    assert made == sorted(made)


def test_none_comes_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: new_ulid(), range(20_000)))
    assert len(set(made)) == len(made)


def test_every_character_is_as_likely_as_any_other() -> None:
    counted = Counter("".join(new_ulid()[10:] for _ in range(20_000)))
    assert len(counted) == 32
    # 10,000 each; 6 standard deviations.
    assert all(abs(count - 10_000) < 600 for count in counted.values())


def test_a_forked_process_makes_others() -> None:
    new_ulid()  # parts for more are there now
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "".join(new_ulid()[10:] for _ in range(20)).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    of_child = os.read(reading, 10_000).decode()
    ours = [new_ulid()[10:] for _ in range(MADE_AT_ONCE)]
    theirs = [of_child[start : start + 16] for start in range(0, len(of_child), 16)]
    assert len(theirs) == 20
    assert not set(ours) & set(theirs)
