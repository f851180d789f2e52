"""Statistics before a migration: documents, values by outcome and field, and an estimate of its duration."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from redstart.commands.keyspace import scan
from redstart.commands.search import ft_info, ft_list
from redstart.effects import Op, batch, call, gather
from redstart.errors import AuthenticationError, CommandError
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.context import Context, Monitor, Progress
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.plan import Plan, PlannedModel, require_json
from redstart.migrations.data.scanner import Scanner, cursor_at, scanned_share
from redstart.migrations.data.survey import (
    BlockedFinder,
    FailureFinder,
    Survey,
    count_page,
    failures_as_found,
    survey,
)
from redstart.migrations.failure import Fate
from redstart.migrations.server_checks import ServerFacts, has_search, server_facts
from redstart.migrations.transformation import Classification, Transformation
from redstart.search.index_info import read_info
from redstart.values.types import Storage

WALKS = 40
DOCUMENTS_PER_WALK = 100
KEYS_PER_STEP = 100
_MAX_STEPS = 20
"""Limit of steps per walk, where documents are rare."""
_WIDEST_BUCKET = 1 / 16
"""Maximum distance of a walk's start from the requested position. Sampled servers have thousands of buckets."""


def spread_sample(
    plan: Plan,
    transformation: Transformation,
    *,
    monitor: Monitor,
    rng: Random,
    batch_documents: int = KEYS_PER_STEP,
) -> Op[Survey | None]:
    """Read and classify some thousand documents from all parts of the keyspace.

    Args:
        rng: source of the random positions.
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
        start = yield from _start((number + rng.random()) / WALKS)
        if start is None:
            return None
        if start == 0:  # drawn from the last bucket
            break
        begins = scanned_share(start)
        if begins <= ended:
            start, begins = cursor, ended  # the previous walk passed it
        cursor = yield from _walk(result, scanner, start, transformation, monitor)
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
    result: Survey, scanner: Scanner, cursor: int, transformation: Transformation, monitor: Monitor
) -> Op[int]:
    """Add the documents from a cursor on. Return the cursor behind them."""
    documents = steps = 0
    while True:
        page = yield from scanner.page(cursor)
        judged = [(document, classify(document, transformation)) for document in page.documents]
        count_page(result, page, judged)
        result.failures.add((yield from failures_as_found(judged)))
        documents += len(page.documents)
        cursor = page.cursor
        monitor.progress(Progress("sampling", 0, result.tally.total_documents, 0, 0))
        if page.rest:
            continue
        steps += 1
        if cursor == 0 or documents >= DOCUMENTS_PER_WALK or steps >= _MAX_STEPS:
            return cursor


PACE_DOCUMENTS = 3_000
PACE_PAGES = 200
_BATCH_DOCUMENTS = 500

# A run reads everything three times (initial scan, conversion, verification) and writes once. The time for writing, in
# units of that for reading, was measured by bench/estimate.py: without an index, and for each indexed field of a
# document, because the server indexes all of them again after each write.
READS_PER_RUN = 3.0
WRITE_TO_READ = {Storage.HASH: 1.0, Storage.JSON: 2.0}
INDEXING_TO_READ = {Storage.HASH: 1.2, Storage.JSON: 0.06}
LOW, HIGH = 1 / 1.5, 1.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds a run is expected to take."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """Values of one field by outcome.

    Attributes:
        fates: what a run would do with the failed values that were found.
    """

    path: ValuePath
    values: dict[Classification, int]
    fates: dict[Fate, int]


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """Documents and fields of one model."""

    model: PlannedModel
    documents: int
    fields: list[FieldStatistics]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of all documents, or (unless `exact`) of a sample, extrapolated.

    Attributes:
        sampled_documents: number of documents that were counted.
        spread: whether the sample is from all parts of the keyspace, or only from its beginning.
        foreign: keys under a planned prefix that hold a value of another type.
        read_seconds: expected time to read everything once, from the speed of the sample; the base of the estimate.
        survey: counts, examples of values before and after, and failures.
    """

    exact: bool
    documents: int
    sampled_documents: int
    spread: bool
    foreign: int
    models: list[ModelStatistics]
    read_seconds: float
    estimate: Estimate
    facts: ServerFacts
    survey: Survey

    def total(self, outcome: Classification) -> int:
        """Return the number of values with this outcome, over all models."""
        return sum(field.values[outcome] for model in self.models for field in model.fields)


def statistics(
    context: Context,
    plan: Plan,
    *,
    rng: Random | None,
    batch_documents: int = _BATCH_DOCUMENTS,
    find_failures: FailureFinder = failures_as_found,
    find_blocked: BlockedFinder | None = None,
) -> Op[Statistics]:
    """Read a sample of the documents, or all.

    Args:
        rng: source of the random sample; None to read all.
        batch_documents: keys scanned per batch.
        find_failures, find_blocked: see `survey`, if all documents are read.

    Effects: reads only. The first documents of a sample only measure the speed, in pages of the size that a run uses.
    """
    facts = yield from server_facts()
    require_json(facts, plan)
    pace = _Pace(context.clock, context.monitor)
    paced = yield from survey(
        plan,
        context.transformation,
        batch_documents=batch_documents,
        monitor=Monitor(progress=pace.page_done, stop_requested=context.monitor.stop_requested),
        stage="reading",
        find_failures=find_failures,
        find_blocked=find_blocked,
        most_documents=PACE_DOCUMENTS if rng else None,
        most_pages=PACE_PAGES if rng else None,
    )
    found: Survey | None = None
    if rng is not None and not paced.complete:
        found = yield from spread_sample(
            plan,
            context.transformation,
            monitor=context.monitor,
            rng=rng,
            batch_documents=batch_documents,
        )
    read_seconds = pace.seconds * _scale(paced)
    indexed_fields = yield from _indexed_fields(plan)
    return _statistics(plan, found or paced, facts, read_seconds, indexed_fields, spread=found is not None)


def _statistics(
    plan: Plan,
    found: Survey,
    facts: ServerFacts,
    read_seconds: float,
    indexed_fields: Mapping[str, int],
    *,
    spread: bool,
) -> Statistics:
    scale = _scale(found)
    models = [_model_statistics(model, found, scale) for model in plan.models]
    return Statistics(
        exact=found.complete,
        documents=sum(model.documents for model in models),
        sampled_documents=found.tally.total_documents,
        spread=spread,
        foreign=round(found.tally.foreign * scale),
        models=models,
        read_seconds=read_seconds,
        estimate=_estimate(found, plan, read_seconds, indexed_fields),
        facts=facts,
        survey=found,
    )


def _scale(found: Survey) -> float:
    return 1.0 / found.share if found.share else 1.0


def _model_statistics(model: PlannedModel, found: Survey, scale: float) -> ModelStatistics:
    values = found.tally.values
    fields = [
        FieldStatistics(
            path,
            {
                outcome: round(values[model.key_prefix, str(path), outcome] * scale)
                for outcome in Classification
            },
            {fate: found.fates[model.key_prefix, str(path), fate] for fate in Fate},
        )
        for path in model.paths
    ]
    return ModelStatistics(model, round(found.tally.documents[model.key_prefix] * scale), fields)


class _Pace:
    """Duration of the pages without connecting and warming up: the first page is counted like the others."""

    def __init__(self, clock: Callable[[], float], monitor: Monitor) -> None:
        self._clock = clock
        self._monitor = monitor
        self._ends = [(clock(), 0)]

    def page_done(self, news: Progress) -> None:
        """Record the time, and forward the progress."""
        self._ends.append((self._clock(), news.done))
        self._monitor.progress(news)

    @property
    def seconds(self) -> float:
        """Duration of all pages. They differ in size, so each document is taken to need the same time."""
        (began, _), (first_end, first_done), (end, done) = self._ends[0], self._ends[1], self._ends[-1]
        if done <= first_done:
            return end - began
        return (end - first_end) * done / (done - first_done)


def _estimate(found: Survey, plan: Plan, read_seconds: float, indexed_fields: Mapping[str, int]) -> Estimate:
    tally = found.tally
    changing = tally.total(Classification.CONVERTIBLE) + tally.total(Classification.LOSSY)
    documents = max(1, tally.total_documents)
    writes = sum(
        tally.documents[model.key_prefix] * _write_to_read(model, indexed_fields[model.key_prefix])
        for model in plan.models
    )
    expected = read_seconds * (READS_PER_RUN + writes / documents * min(1.0, changing / documents))
    return Estimate(expected * LOW, expected, expected * HIGH)


def _write_to_read(model: PlannedModel, indexed_fields: int) -> float:
    return WRITE_TO_READ[model.storage] + indexed_fields * INDEXING_TO_READ[model.storage]


def _indexed_fields(plan: Plan) -> Op[Mapping[str, int]]:
    """Return the number of indexed fields of the documents of each model, in all indexes together, by key prefix.

    Indexes that the user of the server may not inspect do not count.

    Effects: two reads, and a batch with one read for each index.
    """
    found = Counter({model.key_prefix: 0 for model in plan.models})
    try:
        if not (yield from has_search()):
            return found
        names = yield from call(ft_list())
        replies = yield from batch(gather([ft_info(name) for name in names]))
    except (CommandError, AuthenticationError):
        return found
    indexes = [read_info(reply).index for reply in replies if not isinstance(reply, CommandError)]
    for index in indexes:
        for model in plan.models:
            if index.storage is model.storage and model.key_prefix.startswith(index.prefixes):
                found[model.key_prefix] += len(index.fields)
    return found
