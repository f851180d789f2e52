"""The second part of a rollback, a page at a time: convert newer values back, except for pre-existing ones."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.mapping.value_paths import display
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.conflicts import ConflictRetrier
from redstart.migrations.data.edit_builder import (
    cannot_be_written,
    classify_with_marks,
    document_edits,
    quarantine_location,
    without_left,
)
from redstart.migrations.data.edits import DocumentEdits, DocumentTransformation, StoredDocument, StoredValue
from redstart.migrations.data.failures import FailureLog, failure_at, failure_of
from redstart.migrations.data.originals import Unrestored
from redstart.migrations.data.plan import Plan, PlannedModel, router
from redstart.migrations.data.processed_documents import ConvertedDocuments, ProcessedDocuments
from redstart.migrations.data.reader import read_documents, texts_at
from redstart.migrations.data.scanner import InFlightPage, PageOutcome
from redstart.migrations.data.survey import preexisting_values
from redstart.migrations.data.undo_log import entries_backwards
from redstart.migrations.data.undo_replay import Field
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification, Edit, EditSet, Transformation
from redstart.values.types import Storage


@dataclass(slots=True)
class PreexistingValues:
    """Pre-existing values in the new format, which a rollback leaves unchanged, with the first of them as examples."""

    count: int = 0
    examples: list[Failure] = field(default_factory=list)

    def add(self, values: Iterable[tuple[StoredDocument, StoredValue]], reason: str) -> None:
        """Count some values. `reason`: why they are left unchanged."""
        for document, value in values:
            self.count += 1
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append(failure_of(document, value, reason))


OF_BOTH = "both versions have written it since the run; both values stay"


class PageReverter:
    """Rewrites newer values in the old format.

    Attributes:
        kept: values without an equivalent in the old format, or without a path to write to; by name.
        preexisting: the pre-existing values of the last pass, which is a whole one.
    """

    title = "rewriting newer values"

    def __init__(
        self,
        keys: StateKeys,
        lease: Lease,
        applier: Applier,
        transformation: Transformation,
        other_style_fields: frozenset[tuple[str, str]],
        unrestored: Unrestored,
        converted: ConvertedDocuments,
        *,
        reformat_preexisting: bool,
    ) -> None:
        self.kept: dict[bytes, Failure] = {}
        self.preexisting = PreexistingValues()
        self._pass = ""
        self._keys = keys
        self._lease = lease
        self._applier = applier
        self._transformation = transformation
        self._other_style_fields = other_style_fields
        self._unrestored = unrestored
        self._converted = converted
        self._reformat_preexisting = reformat_preexisting

    @property
    def script_documents(self) -> int:
        """How many documents one script takes."""
        return self._applier.chunk_documents

    def begin(self, documents: Sequence[StoredDocument], label: str) -> Op[InFlightPage]:
        """Convert a page's newer values back. `label` only identifies the pass: a rollback has no undo log.

        Effects: reads of the census and of marks, and a script for each chunk of edits, sent ahead.
        """
        if label != self._pass:
            self._pass, self.preexisting = label, PreexistingValues()

        def edits(read: Sequence[StoredDocument]) -> Op[list[DocumentEdits]]:
            return self._edits(read, again=read is not documents)

        retrier = ConflictRetrier(self._applier, edits, label=None)
        yield from retrier.begin(documents)
        return InFlightPage(PageOutcome(), retrier)

    def finish(self, in_flight: InFlightPage) -> Op[PageOutcome]:
        """Wait until the page is written.

        Effects: see `ConflictRetrier.finish`.
        """
        written = yield from in_flight.retrier.finish()
        return PageOutcome(written.documents, written.values, written.retried)

    def _edits(self, documents: Sequence[StoredDocument], *, again: bool) -> Op[list[DocumentEdits]]:
        counted = PreexistingValues() if again else self.preexisting
        keys = yield from self._converted.keys_among([document.key for document in documents])
        documents = yield from without_left(
            [document for document in documents if document.key in keys],
            self._transformation,
            self._converted.marks,
        )
        of_both: list[tuple[StoredDocument, StoredValue]] = []
        newer = yield from newer_values(
            self._keys,
            documents,
            self._transformation,
            counted,
            reformat_preexisting=self._reformat_preexisting,
            marks=self._converted.marks,
            of_both=of_both,
        )
        # Those of which a run has recorded a failure had both values before it.
        written_since = yield from FailureLog(self._keys).unknown(
            [failure_of(document, value, OF_BOTH) for document, value in of_both]
        )
        self.kept |= {failure.name: failure for failure in written_since}
        aside = yield from still_aside(documents, self._unrestored.moved, self._transformation)
        for failure in aside:
            self.kept[failure.name] = failure
        yield from self._lease.keep()
        return [self._edits_of(document, values) for document, values in newer]

    def _edits_of(self, document: StoredDocument, values: Sequence[StoredValue]) -> DocumentEdits:
        edits, kept = reverted(
            document, values, self._other_style_fields, self._transformation, self._unrestored
        )
        for failure in kept:
            self.kept[failure.name] = failure
        return edits


def reverted(
    document: StoredDocument,
    values: Sequence[StoredValue],
    other_style_fields: frozenset[tuple[str, str]],
    transformation: Transformation,
    unrestored: Unrestored,
) -> tuple[DocumentEdits, list[Failure]]:
    """Return the edits that rewrite newer values in the old format, and the values that have no equivalent in it."""
    if isinstance(transformation, DocumentTransformation):
        edits = transformation.revert_document(document, values)
        if isinstance(edits, EditSet):
            return document_edits(document, [edits]), []
        return document_edits(document, []), [failure_of(document, value, edits) for value in values]
    old = [
        (value, _converted_back(document, value, other_style_fields, transformation, unrestored))
        for value in values
    ]
    rewritten = [Edit(value.location, value.raw, new) for value, new in old if isinstance(new, bytes)]
    kept = [failure for _, failure in old if isinstance(failure, Failure)]
    return DocumentEdits(document.key, document.model.storage is Storage.JSON, rewritten), kept


def _converted_back(
    document: StoredDocument,
    value: StoredValue,
    other_style_fields: frozenset[tuple[str, str]],
    transformation: Transformation,
    unrestored: Unrestored,
) -> bytes | Failure:
    """Return a value in the old format, in the style of the field; or why there is no equivalent."""
    if unrestored.may_be_at(document, value, transformation):
        return failure_of(document, value, transformation.texts.may_be_default)
    old = None
    if not cannot_be_written(value.location):
        old = transformation.convert_back(
            value.raw,
            value.path,
            document.model.storage,
            is_default_style=(document.model.key_prefix, str(value.path)) not in other_style_fields,
        )
    return failure_of(document, value, transformation.texts.no_inverse) if old is None else old


def still_aside(
    documents: Iterable[StoredDocument], moved: Collection[Field], transformation: Transformation
) -> Op[list[Failure]]:
    """Return empty fields whose quarantined value is still there: in a copy of a document, which no undo log names.

    Args:
        moved: fields in which a run quarantined values.

    Effects: a read for the documents of such models.
    """
    wanted = [
        (document, location, quarantine_location(location))
        for document in documents
        for path in document.model.paths
        if (document.model.key_prefix, str(path)) in moved
        for location in [tuple(map(str, path.segments))]
    ]
    if not wanted:
        return []
    texts = yield from texts_at(
        [
            (document.key, document.model.storage is Storage.JSON, location)
            for document, *locations in wanted
            for location in locations
        ]
    )
    return [
        failure_at(
            document.key,
            location,
            text,
            f"not restored from {display(aside)}: the document is not in the undo log",
        )
        for (document, location, aside), left, text in zip(wanted, texts[::2], texts[1::2], strict=True)
        if is_left_by_quarantine(left, document.model.storage, transformation) and text is not None
    ]


def is_left_by_quarantine(stored: bytes | None, storage: Storage, transformation: Transformation) -> bool:
    """Return whether a field may be one whose value is quarantined: it has no value, or what quarantine leaves."""
    return stored in (None, b"null") or stored == transformation.quarantined(storage)


def newer_values(
    keys: StateKeys,
    documents: Iterable[StoredDocument],
    transformation: Transformation,
    preexisting: PreexistingValues,
    *,
    reformat_preexisting: bool,
    marks: ProcessedDocuments | None = None,
    of_both: list[tuple[StoredDocument, StoredValue]] | None = None,
) -> Op[list[tuple[StoredDocument, list[StoredValue]]]]:
    """Return for each document its converted values that are not in the census; `preexisting` gets the others.

    Args:
        reformat_preexisting: return all converted values, without a look at the census.
        marks: the marks of documents.
        of_both: gets the values that both versions have written since the run.

    Effects: one read, and one for marks.
    """
    judged = yield from classify_with_marks(list(documents), transformation, marks)
    if of_both is not None and isinstance(transformation, DocumentTransformation):
        of_both += [
            (document, value)
            for document, classified in judged
            if document.marks
            for value, _ in classified
            if transformation.is_written_by_both(document, value)
        ]
    candidates = [
        (document, value)
        for document, classified in judged
        for value, conversion in classified
        if conversion.outcome is Classification.ALREADY
    ]
    known = [False] * len(candidates)
    if not reformat_preexisting:
        known = yield from preexisting_values(keys, candidates)
    preexisting.add(
        (value for value, is_known in zip(candidates, known, strict=True) if is_known),
        transformation.texts.preexisting,
    )
    newer: dict[bytes, tuple[StoredDocument, list[StoredValue]]] = {}
    for (document, value), is_known in zip(candidates, known, strict=True):
        if not is_known:
            newer.setdefault(document.key, (document, []))[1].append(value)
    return list(newer.values())


LeftOut = Callable[[bytes], PlannedModel | None]
"""Returns the model of a key that the runs converted and the scan omits; None for every other key."""


def left_out_of(swept: Plan | None, plan: Plan | None) -> LeftOut | None:
    """Return which keys of a plan the scan of a rollback omits; None if it has the same exclusions."""
    if swept is None or plan is None or swept == plan:
        return None
    is_swept, route = router(swept), router(plan)
    return lambda key: None if is_swept(key) is not None else route(key)


def values_left_out(
    keys: StateKeys,
    left_out: LeftOut,
    transformation: Transformation,
    *,
    reformat_preexisting: bool,
    lease: Lease | None = None,
) -> Op[dict[bytes, Failure]]:
    """Return converted values in documents of the undo log that the scan omits, by name.

    Args:
        lease: renewed during the scan, if given.

    Effects: reads the undo log, and these documents.
    """
    found: dict[bytes, Failure] = {}
    before: str | None = None
    while entries := (yield from entries_backwards(keys, before)):
        before = entries[-1].id
        if lease is not None:
            yield from lease.keep()
        changed = dict.fromkeys(document.key for entry in entries for document in entry.documents)
        models = [(key, model) for key in changed if (model := left_out(key)) is not None]
        newer = yield from newer_values(
            keys,
            (yield from read_documents(models)),
            transformation,
            PreexistingValues(),
            reformat_preexisting=reformat_preexisting,
        )
        for document, values in newer:
            for value in values:
                failure = failure_of(document, value, transformation.texts.left_out)
                found[failure.name] = failure
    return found
