"""A sample from the whole keyspace: short walks from random positions, one in each of its equal parts.

An interrupted run has converted the first documents of a SCAN only, so a sample from the beginning would see
converted documents only. But a cursor is the number of a bucket with its bits reversed, and a server accepts any
number as a cursor (dictScan in Redis' dict.c, hashtableScan in Valkey's hashtable.c): a walk can start anywhere.
"""

from random import Random

from redstart.commands.keyspace import scan
from redstart.effects import Op, call
from redstart.errors import CommandError
from redstart.migrations.data.edit_builder import judge
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.running.monitor import Monitor, Progress
from redstart.migrations.data.scanner import Scanner, cursor_at, scanned_share
from redstart.migrations.data.survey import Survey, count_page, failures_as_found
from redstart.values.timezones import NaiveTimezone

WALKS = 40
DOCUMENTS_PER_WALK = 100
KEYS_PER_STEP = 100
_MOST_STEPS = 20
"""Limit of steps per walk, where documents are rare."""
_WIDEST_BUCKET = 1 / 16
"""Maximum distance of a walk's start from the requested position. Sampled servers have thousands of buckets."""


def spread_sample(
    plan: Plan,
    naive_timezone: NaiveTimezone,
    *,
    monitor: Monitor,
    chance: Random,
    batch_documents: int = KEYS_PER_STEP,
) -> Op[Survey | None]:
    """Read and classify some thousand documents from all parts of the keyspace.

    Args:
        chance: source of the random positions.
        batch_documents: keys scanned per step, if fewer than by default.

    Returns:
        The sample; its `share` is exact. None if the server's cursors do not work like those of Redis and Valkey.

    Effects: reads only: two SCANs and the reads of one or more pages for each of 40 walks.
    """
    result = Survey()
    scanner = Scanner(plan, min(batch_documents, KEYS_PER_STEP))
    cursor, ended = 0, 0.0
    for number in range(WALKS):
        if monitor.stop_requested():
            break
        start = yield from _start((number + chance.random()) / WALKS)
        if start is None:
            return None
        if start == 0:  # drawn from the last bucket
            break
        begins = scanned_share(start)
        if begins <= ended:
            start, begins = cursor, ended  # the previous walk passed it
        cursor = yield from _walk(result, scanner, start, naive_timezone, monitor)
        ended = scanned_share(cursor)
        result.share += ended - begins
        if cursor == 0:
            break
    return result if result.share else None


def _start(place: float) -> Op[int | None]:
    """Return the cursor of the first bucket behind a position, 0 to 1; None if the cursor is not a position.

    A random cursor may point into the middle of a bucket. The cursor in the reply is at an edge, so that the share of
    a walk is exact.
    """
    try:
        cursor, _ = yield from call(scan(cursor_at(place), count=1))
    except CommandError:
        return None
    return cursor if 0.0 <= scanned_share(cursor) - place <= _WIDEST_BUCKET else None


def _walk(
    result: Survey, scanner: Scanner, cursor: int, naive_timezone: NaiveTimezone, monitor: Monitor
) -> Op[int]:
    """Add the documents from a cursor on. Return the cursor behind them."""
    documents = steps = 0
    while True:
        page = yield from scanner.page(cursor)
        judged = [(document, judge(document, naive_timezone)) for document in page.documents]
        count_page(result, page, judged)
        result.failures.add((yield from failures_as_found(judged)))
        documents += len(page.documents)
        cursor = page.cursor
        monitor.progress(Progress("sampling", 0, result.tally.total_documents, 0, 0))
        if page.rest:
            continue
        steps += 1
        if cursor == 0 or documents >= DOCUMENTS_PER_WALK or steps >= _MOST_STEPS:
            return cursor
