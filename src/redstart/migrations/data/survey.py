"""A read-only pass over every planned value: the base of initial scan, dry run, exact statistics and verification."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from redstart.commands.keyspace import smismember
from redstart.display import shown_key, shown_value
from redstart.effects import Argument, Op, call
from redstart.errors import UnsafeServerError
from redstart.mapping.value_paths import Each, path_text
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.edit_builder import ClassifiedDocument, classify, classify_with_marks
from redstart.migrations.data.edits import StoredDocument, StoredValue, of_each_model
from redstart.migrations.data.failures import failure_of
from redstart.migrations.data.plain_documents import Counts, PlainDocuments
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.record import counted
from redstart.migrations.data.scanner import Page, Scanner, scanned_share, server_run_id
from redstart.migrations.failure import (
    BlockedDocuments,
    Failure,
    FailureSummary,
    Fate,
)
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.server_checks import ServerFacts
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification, Conversion, Transformation

SAMPLES_PER_FIELD = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One value before and after conversion, as readable text."""

    key: str
    before: str
    after: str


@dataclass(slots=True)
class Tally:
    """Documents, and values by (key prefix, path, outcome).

    Attributes:
        default_style: number of values in the default style of their format, by (key prefix, path); `other_style`: of
            those in the other one.
    """

    documents: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, str, Classification]] = field(default_factory=Counter)
    default_style: Counter[tuple[str, str]] = field(default_factory=Counter)
    other_style: Counter[tuple[str, str]] = field(default_factory=Counter)
    foreign: int = 0

    def add_documents(self, documents: Iterable[StoredDocument]) -> None:
        """Count documents."""
        for model, alike in of_each_model(documents):
            self.documents[model.key_prefix] += len(alike)

    def add_values(
        self, number: int, document: StoredDocument, value: StoredValue, conversion: Conversion
    ) -> None:
        """Count a number of values of one field with the same conversion."""
        prefix, path = document.model.key_prefix, str(value.path)
        self.values[prefix, path, conversion.outcome] += number
        if conversion.is_default_style is not None:
            styles = self.default_style if conversion.is_default_style else self.other_style
            styles[prefix, path] += number

    def add_counts(self, number: int, prefix: str, counts: Counts) -> None:
        """Count the values of a number of documents with the same counts."""
        for path, outcome, is_default_style in counts:
            self.values[prefix, str(path), outcome] += number
            if is_default_style is not None:
                styles = self.default_style if is_default_style else self.other_style
                styles[prefix, str(path)] += number

    @property
    def total_documents(self) -> int:
        """Documents of all models."""
        return sum(self.documents.values())

    def total(self, outcome: Classification) -> int:
        """Return the number of values with this outcome, over all models and fields."""
        return sum(count for (_, _, counted), count in self.values.items() if counted is outcome)

    def is_mostly_default_style(self, prefix: str, path: str) -> bool:
        """Return whether at least as many values of a field have the default style as have the other one."""
        return self.default_style[prefix, path] >= self.other_style[prefix, path]


@dataclass(slots=True)
class Survey:
    """The counts of a pass.

    Attributes:
        samples: by (key prefix, path), up to three convertible values.
        failures: failed values; empty unless the pass was to find them. The tally has their number.
        fates: how many failures of each field have each fate, by (key prefix, path, fate).
        blocked: by index, documents that it would not contain; empty unless the pass was to find them.
        complete: False if the pass was stopped or limited.
        share: scanned part of the keyspace, 0 to 1.
    """

    tally: Tally = field(default_factory=Tally)
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    failures: FailureSummary = field(default_factory=FailureSummary)
    fates: Counter[tuple[str, str, Fate]] = field(default_factory=Counter)
    blocked: defaultdict[str, BlockedDocuments] = field(default_factory=lambda: defaultdict(BlockedDocuments))
    complete: bool = False
    share: float = 0.0


PageVisitor = Callable[[list[ClassifiedDocument], int], Op[None]]
"""Additional work for each page, such as sending something about it: from its documents and their number."""

FailureFinder = Callable[[list[ClassifiedDocument]], Op[list[Failure]]]
"""Returns the failures of a page: one for each failed value, in this order. Reads only."""

BlockedFinder = Callable[[list[ClassifiedDocument]], Op[dict[str, BlockedDocuments]]]
"""Returns, by index, the documents of a page that it would not contain. Reads only."""


def survey(
    plan: Plan,
    transformation: Transformation,
    *,
    batch_documents: int,
    monitor: Monitor,
    stage: str,
    visit: PageVisitor | None = None,
    find_failures: FailureFinder | None = None,
    find_blocked: BlockedFinder | None = None,
    most_documents: int | None = None,
    most_pages: int | None = None,
    processed: ProcessedDocuments | None = None,
    marks: ProcessedDocuments | None = None,
    unvisited: Collection[Classification] = (),
) -> Op[Survey]:
    """Read and classify every planned value.

    Args:
        find_failures: returns the failures of a page.
        find_blocked: returns the documents of a page that indexes would not contain.
        most_documents: stop after the page that reaches this many documents;
        most_pages: or after this many pages.
        processed: documents that are converted, where they do not show it themselves.
        marks: the marks of documents.
        unvisited: plain documents whose values all have one of these outcomes are counted, and not given to `visit`.

    Effects: SCAN and reads, a page at a time; no writes, unless `visit` writes. If the server is restarted during
    the pass, the pass is repeated: its cursor was void, and it may have missed keys.
    """
    result = Survey()
    scanner = Scanner(plan, batch_documents)
    cursor = pages = 0
    run_id = yield from server_run_id()
    plain = PlainDocuments(transformation)
    reads_all = visit is not None or find_blocked is not None
    counted = unvisited if reads_all else _PLAIN_OUTCOMES
    while not monitor.stop_requested():
        page = yield from scanner.page(cursor)
        documents: Sequence[StoredDocument] = page.documents
        if processed is None and counted:
            documents = _count_plain(result, plain, documents, counted)
        judged = yield from classify_page(documents, transformation, processed, marks)
        count_page(result, page, judged)
        if find_failures is not None:
            found = yield from find_failures(judged)
            result.failures.add(found)
            _count_fates(result, judged, found)
        if find_blocked is not None:
            for name, blocked in (yield from find_blocked(judged)).items():
                result.blocked[name].add(blocked)
        if visit is not None:
            yield from visit(judged, len(page.documents))
        tally = result.tally
        failures = tally.total(Classification.UNCONVERTIBLE)
        share = scanned_share(page.cursor)
        monitor.progress(Progress(stage, 0, tally.total_documents, 0, failures, share=share))
        cursor, pages = page.cursor, pages + 1
        if page.rest:
            continue
        result.share = scanned_share(cursor)
        if page.ends_pass:
            began_under, run_id = run_id, (yield from server_run_id())
            if began_under == run_id:
                result.complete = True
                break
            result, pages = Survey(), 0
            continue
        if most_documents is not None and tally.total_documents >= most_documents:
            break
        if most_pages is not None and pages >= most_pages:
            break
    return result


def _count_plain(
    result: Survey,
    plain: PlainDocuments,
    documents: Sequence[StoredDocument],
    counted: Collection[Classification],
) -> list[StoredDocument]:
    """Count the plain documents of a page that have only some outcomes, and of which no sample is needed.

    Returns:
        The other documents.
    """
    groups, others = plain.groups(documents)
    for counts, alike in groups:
        prefix = alike[0].model.key_prefix
        has_samples = all(
            len(result.samples[prefix, str(path)]) >= SAMPLES_PER_FIELD
            for path, outcome, _ in counts
            if outcome is Classification.CONVERTIBLE
        )
        if has_samples and all(outcome in counted for _, outcome, _ in counts):
            result.tally.add_counts(len(alike), prefix, counts)
        else:
            others += alike
    return others


def classify_page(
    documents: Sequence[StoredDocument],
    transformation: Transformation,
    processed: ProcessedDocuments | None,
    marks: ProcessedDocuments | None = None,
) -> Op[list[ClassifiedDocument]]:
    """Return documents with their classified values. A read if there is a set of processed documents."""
    if processed is None:
        return (yield from classify_with_marks(documents, transformation, marks))
    known = yield from processed.contained([document.key for document in documents])
    applied = transformation.as_applied()
    return [
        (document, classify(document, applied if document.key in known else transformation))
        for document in documents
    ]


def _count_fates(result: Survey, classified: list[ClassifiedDocument], failures: list[Failure]) -> None:
    failed = (
        (document.model.key_prefix, str(value.path))
        for document, items in classified
        for value, conversion in items
        if conversion.outcome is Classification.UNCONVERTIBLE
    )
    result.fates.update((*field, failure.fate) for field, failure in zip(failed, failures, strict=True))


_PLAIN_OUTCOMES = (Classification.CONVERTIBLE, Classification.ALREADY, Classification.NULL)

_Seen = tuple[StoredDocument, StoredValue, Conversion]


def count_page(result: Survey, page: Page, judged: list[ClassifiedDocument]) -> None:
    """Add a page to the counts."""
    result.tally.foreign += page.foreign
    result.tally.add_documents(page.documents)
    for alike in _grouped(judged):
        document, value, conversion = alike[0]
        result.tally.add_values(len(alike), document, value, conversion)
        if conversion.new is not None:
            samples = result.samples[document.model.key_prefix, str(value.path)]
            samples += [_sample(*seen) for seen in alike[: SAMPLES_PER_FIELD - len(samples)]]


def _grouped(judged: list[ClassifiedDocument]) -> Iterable[list[_Seen]]:
    """Group the values of a page by field and outcome: counting each one would take as long as its classification."""
    groups: dict[tuple[int, int, int, bool | None], list[_Seen]] = {}
    for document, items in judged:
        model = id(document.model)
        for value, conversion in items:
            # By identity: the hashes of a path and of an outcome take longer than all the rest.
            alike = (model, id(value.path), id(conversion.outcome), conversion.is_default_style)
            if alike in groups:
                groups[alike].append((document, value, conversion))
            else:
                groups[alike] = [(document, value, conversion)]
    return groups.values()


def failures_as_found(judged: list[ClassifiedDocument]) -> Op[list[Failure]]:
    """Return the failures of a page. Sends nothing."""
    yield from ()
    return [
        failure_of(document, value, conversion.reason or "")
        for document, items in judged
        for value, conversion in items
        if conversion.outcome is Classification.UNCONVERTIBLE
    ]


def _sample(document: StoredDocument, value: StoredValue, conversion: Conversion) -> Sample:
    return Sample(
        shown_key(document.key),
        shown_value(value.raw),
        shown_value(conversion.new or b""),
    )


_DIGEST_BYTES = 12
_PER_COMMAND = 1_000

_ALREADY = Classification.ALREADY  # looking up a member of an enum costs as much as converting a value


def digest(document: StoredDocument, value: StoredValue) -> bytes:
    """Return the census entry of one value."""
    place = str(value.path) if Each.ITEM in value.path.segments else path_text(value.location)
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    for part in (document.key, place.encode(), value.raw):
        hashed.update(b"%d:%b" % (len(part), part))
    return hashed.digest()


class CensusRecorder:
    """Records, page by page, the converted values under paths that no earlier initial scan has covered."""

    def __init__(self, keys: StateKeys, lease: Lease, covered: Plan | None) -> None:
        self._keys = keys
        self._lease = lease
        self._documents = 0
        self._covered = {
            (model.key_prefix, path.segments)
            for model in (covered.models if covered else ())
            for path in model.paths
        }

    def visit(self, page: list[ClassifiedDocument], documents: int) -> Op[None]:
        """Record a page.

        Effects: one script per thousand values, or a renewal of the lease when it is due.
        """
        found = [
            digest(document, value)
            for document, judged in page
            for value, conversion in judged
            if conversion.outcome is _ALREADY
            and (document.model.key_prefix, value.path.segments) not in self._covered
        ]
        for start in range(0, len(found), _PER_COMMAND):
            added: list[Argument] = ["SADD", self._keys.census, *found[start : start + _PER_COMMAND]]
            yield from self._lease.commit([added, *counted(self._keys, "census")])
        self._documents += documents
        yield from self._lease.keep(Activity("initial scan", self._documents))


def preexisting_values(
    keys: StateKeys, values: Iterable[tuple[StoredDocument, StoredValue]]
) -> Op[list[bool]]:
    """Return for each value whether the census has it: whether it is pre-existing. One read."""
    digests = [digest(document, value) for document, value in values]
    if not digests:
        return []
    return (yield from call(smismember(keys.census, digests)))


UNDO_LOG_BYTES_PER_VALUE = 48
"""Upper estimate: measured 10 to 35 with keys; values on the general path need more."""


CENSUS_BYTES_PER_VALUE = 72
"""A 12-byte member of a set, with its share of the hash table."""


def require_memory(facts: ServerFacts, tally: Tally) -> None:
    """Raise UnsafeServerError if maxmemory leaves too little memory for the undo log and the census."""
    changing = (
        tally.total(Classification.CONVERTIBLE)
        + tally.total(Classification.LOSSY)
        + tally.total(Classification.UNCONVERTIBLE)
    )
    needed = (
        changing * UNDO_LOG_BYTES_PER_VALUE + tally.total(Classification.ALREADY) * CENSUS_BYTES_PER_VALUE
    )
    if facts.limit_bytes and needed > facts.free_bytes:
        raise UnsafeServerError(
            f"The undo log needs about {needed / 1e6:.1f} MB, and maxmemory leaves {facts.free_bytes / 1e6:.1f} MB. No "
            "document was changed.",
            "Raise the limit with: redis-cli CONFIG SET maxmemory BYTES",
        )
