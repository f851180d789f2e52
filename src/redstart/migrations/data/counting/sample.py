"""A sample spread over the keyspace: short walks from places drawn by chance, one in each of its equal parts.

An interrupted run has converted what SCAN meets first and nothing else, so that a sample from the beginning sees
only what is converted. But a cursor is the number of a bucket with its bits reversed, and a server takes any
number for one (dictScan in Redis' dict.c, hashtableScan in Valkey's hashtable.c): a walk can begin anywhere.
"""

from random import Random

from redstart.commands.keyspace import scan
from redstart.effects import Op, call
from redstart.errors import CommandError
from redstart.migrations.data.counting.survey import Survey, count_page, failures_as_found
from redstart.migrations.data.judging.transform import judge
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.data.reading.scan import Scanner, cursor_at, scanned_share
from redstart.migrations.data.running.monitor import Monitor, Progress
from redstart.values.timezones import NaiveTimezone

WALKS = 40
DOCUMENTS_PER_WALK = 100
KEYS_PER_STEP = 100
_MOST_STEPS = 20
"""Of a walk: where documents are rare it ends without its hundred."""
_WIDEST_BUCKET = 1 / 16
"""How far behind the place asked for a walk may begin. Servers that are sampled have thousands of buckets."""


def spread_sample(
    plan: Plan,
    naive_timezone: NaiveTimezone,
    *,
    monitor: Monitor,
    chance: Random,
    batch_documents: int = KEYS_PER_STEP,
) -> Op[Survey | None]:
    """Read and judge some thousand documents from all parts of the keyspace.

    Args:
        chance: draws the places.
        batch_documents: keys asked for per step, if these are fewer than usual.

    Returns:
        What was found; its `share` is exact. None where cursors do not mean what they mean in Redis and Valkey.

    Effects: reads only: two SCANs and the reads of a page, or a few, for each of 40 walks.
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
            start, begins = cursor, ended  # the walk before came past it
        cursor = yield from _walk(result, scanner, start, naive_timezone, monitor)
        ended = scanned_share(cursor)
        result.share += ended - begins
        if cursor == 0:
            break
    return result if result.share else None


def _start(place: float) -> Op[int | None]:
    """The cursor of the first bucket behind a place, 0 to 1; None if the server does not say where it stands.

    A drawn cursor may point into the middle of a bucket. The one that the server answers stands at an edge, so
    that the share of a walk is not a guess.
    """
    try:
        cursor, _ = yield from call(scan(cursor_at(place), count=1))
    except CommandError:
        return None
    return cursor if 0.0 <= scanned_share(cursor) - place <= _WIDEST_BUCKET else None


def _walk(
    result: Survey, scanner: Scanner, cursor: int, naive_timezone: NaiveTimezone, monitor: Monitor
) -> Op[int]:
    """Add what is found from a cursor on. The cursor behind it."""
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
