"""A reader in a process of its own, and what it saw: how long answers were not whole, and how long they took."""

import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import redis

LOOK_EVERY_SECONDS = 0.002
SETTLE_SECONDS = 0.2
"""The reader looks on for so long after the work."""

AN_ERROR = -1


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the index.

    Attributes:
        seconds: until the new index answers in full.
        missing_seconds: of these, how long answers were too low or an error.
        lowest: the least that was counted; -1 for an error.
        longest_wait_seconds: the longest time between two answers.
        looks: how many there were.
    """

    seconds: float
    missing_seconds: float
    lowest: int
    longest_wait_seconds: float
    looks: int


def watched(url: str, index: str, documents: int, work: Callable[[], None]) -> Change:
    """Do something to an index while it is read; at the end it must find every document."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_count_again_and_again, args=(url, index, theirs), daemon=True)
    process.start()
    ours.recv()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    time.sleep(SETTLE_SECONDS)
    ours.send("stop")
    looks: list[tuple[float, int]] = ours.recv()
    process.join()
    if looks[-1][1] != documents:
        raise SystemExit(f"{looks[-1][1]} documents are found where {documents} were loaded: no measurement")
    spans = [(later - earlier, count) for (earlier, count), (later, _) in itertools.pairwise(looks)]
    return Change(
        seconds=seconds,
        missing_seconds=sum(span for span, count in spans if count < documents),
        lowest=min(count for _, count in looks),
        longest_wait_seconds=max(span for span, _ in spans),
        looks=len(looks),
    )


def median(changes: Iterable[Change]) -> Change:
    """The median of each number; the least that was found in any."""
    found = list(changes)
    return Change(
        statistics.median(one.seconds for one in found),
        statistics.median(one.missing_seconds for one in found),
        min(one.lowest for one in found),
        statistics.median(one.longest_wait_seconds for one in found),
        int(statistics.median(one.looks for one in found)),
    )


def _count_again_and_again(url: str, index: str, parent: Connection) -> None:
    answers: list[tuple[float, int]] = []
    with redis.Redis.from_url(url, protocol=2) as client:
        while not parent.poll(LOOK_EVERY_SECONDS):
            try:
                count = int(client.execute_command("FT.SEARCH", index, "*", "LIMIT", 0, 0)[0])
            except redis.ResponseError:
                count = AN_ERROR
            answers.append((time.perf_counter(), count))
            if len(answers) == 1:
                parent.send("ready")
    parent.recv()
    parent.send(answers)
