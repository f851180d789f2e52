"""The second part of a rollback, a page at a time: rewrite newer numbers as text, except for pre-existing ones."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from redstart.effects import Op
from redstart.errors import ValueConversionError
from redstart.mapping.value_paths import display
from redstart.migrations.data.applier import Applier, ConflictRetrier
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.edit_builder import cannot_be_written, classify, quarantine_location
from redstart.migrations.data.edits import DocumentEdits, Edit, StoredDocument, StoredValue
from redstart.migrations.data.failures import failure_at, failure_of
from redstart.migrations.data.originals import Unrestored
from redstart.migrations.data.reader import texts_at
from redstart.migrations.data.scan_passes import InFlightPage, PageOutcome
from redstart.migrations.data.survey import preexisting_numbers
from redstart.migrations.data.undo_replay import Field
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.values.timestamps import EPOCH, microseconds_from_number
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind


def legacy_text(
    number: str, *, kind: TemporalKind, storage: Storage, naive: bool, naive_timezone: NaiveTimezone
) -> bytes | None:
    """Return a stored number of seconds in text format, as bytes of a hash value or as JSON text.

    Args:
        number: the stored number.
        kind: the declared type of the field.
        storage: 0.3.5 wrote the offset of UTC as `+00:00` in hashes and as `Z` in JSON.
        naive: write a datetime without an offset, in local time of `naive_timezone`. If that time is ambiguous, or its
            year is not 1 to 9999, it is written in UTC and with its offset.
        naive_timezone: the zone of a datetime without an offset.

    Returns:
        The text; None if the number is not a time in the years 1 to 9999.
        The text; None for what is not a number of seconds in the years 1 to 9999.
    """
    try:
        if kind is TemporalKind.DATE:
            text = (EPOCH + timedelta(microseconds=microseconds_from_number(number))).date().isoformat()
        else:
            microseconds = microseconds_from_number(number)
            shown = naive_timezone.naive_datetime(microseconds) if naive else None
            text = _utc_text(microseconds, storage) if shown is None else shown.isoformat()
    except ValueConversionError:
        return None
    return f'"{text}"'.encode() if storage is Storage.JSON else text.encode()


def _utc_text(microseconds: int, storage: Storage) -> str:
    text = (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    return text.removesuffix("+00:00") + "Z" if storage is Storage.JSON else text


NO_OLD_FORM = "no equivalent in text format"
MAY_STAND_FOR_TEXT = "ambiguous: a date, or a 0 that replaced a failed value"
BORN_AS_NUMBER = "pre-existing number"


@dataclass(slots=True)
class NumbersBefore:
    """Pre-existing numbers, which a rollback leaves unchanged, with the first of them as examples."""

    count: int = 0
    examples: list[Failure] = field(default_factory=list)

    def add(self, values: Iterable[tuple[StoredDocument, StoredValue]]) -> None:
        """Count some values."""
        for document, value in values:
            self.count += 1
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append(failure_of(document, value, BORN_AS_NUMBER))


class PageReverter:
    """Rewrites newer values in text format.

    Attributes:
        kept: values without an equivalent in text format, or without a path to write to; by name.
        preexisting_numbers: those of the last pass, which is a whole one.
    """

    title = "rewriting newer values"

    def __init__(
        self,
        keys: StateKeys,
        lease: Lease,
        applier: Applier,
        naive_timezone: NaiveTimezone,
        aware_fields: frozenset[tuple[str, str]],
        unrestored: Unrestored,
        *,
        reformat_preexisting: bool,
    ) -> None:
        self.kept: dict[bytes, Failure] = {}
        self.preexisting_numbers = NumbersBefore()
        self._pass = ""
        self._keys = keys
        self._lease = lease
        self._applier = applier
        self._naive_timezone = naive_timezone
        self._aware_fields = aware_fields
        self._unrestored = unrestored
        self._reformat_preexisting = reformat_preexisting

    def begin(self, documents: Sequence[StoredDocument], label: str) -> Op[InFlightPage]:
        """Send the text of a page's newer values. `label` only identifies the pass: a rollback has no undo log."""
        if label != self._pass:
            self._pass, self.preexisting_numbers = label, NumbersBefore()

        def edits(read: Sequence[StoredDocument]) -> Op[list[DocumentEdits]]:
            return self._edits(read, again=read is not documents)

        settling = ConflictRetrier(self._applier, edits, label=None)
        yield from settling.begin(documents)
        return InFlightPage(PageOutcome(), settling)

    def finish(self, begun: InFlightPage) -> Op[PageOutcome]:
        """Wait until the page is written."""
        settled = yield from begun.settling.finish()
        return PageOutcome(settled.documents, settled.values, settled.retried)

    def _edits(self, documents: Sequence[StoredDocument], *, again: bool) -> Op[list[DocumentEdits]]:
        counted = NumbersBefore() if again else self.preexisting_numbers
        newer = yield from newer_values(
            self._keys,
            documents,
            self._naive_timezone,
            counted,
            reformat_preexisting=self._reformat_preexisting,
        )
        for failure in (yield from still_aside(documents, self._unrestored.moved)):
            self.kept[failure.name] = failure
        yield from self._lease.keep()
        return [self._edits_of(document, values) for document, values in newer]

    def _edits_of(self, document: StoredDocument, values: Iterable[StoredValue]) -> DocumentEdits:
        edits = []
        for value in values:
            text = old_form(document, value, self._aware_fields, self._naive_timezone, self._unrestored)
            if isinstance(text, Failure):
                self.kept[text.name] = text
            else:
                edits.append(Edit(value.location, value.raw, text))
        return DocumentEdits(document.key, document.model.storage is Storage.JSON, edits)


def old_form(
    document: StoredDocument,
    value: StoredValue,
    aware_fields: frozenset[tuple[str, str]],
    naive_timezone: NaiveTimezone,
    unrestored: Unrestored,
) -> bytes | Failure:
    """Return the text that redis-om 0.3.5 would have stored, in the style of the field; or why there is none."""
    if unrestored.may_be_at(document, value):
        return failure_of(document, value, MAY_STAND_FOR_TEXT)
    text = None
    if not cannot_be_written(value.location):
        text = legacy_text(
            value.raw.decode(),
            kind=value.path.kind,
            storage=document.model.storage,
            naive=(document.model.key_prefix, str(value.path)) not in aware_fields,
            naive_timezone=naive_timezone,
        )
    return failure_of(document, value, NO_OLD_FORM) if text is None else text


def still_aside(documents: Iterable[StoredDocument], moved: Collection[Field]) -> Op[list[Failure]]:
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
            (document.key, document.model.storage is Storage.JSON, place)
            for document, *places in wanted
            for place in places
        ]
    )
    return [
        failure_at(
            document.key,
            place,
            text,
            f"not restored from {display(aside)}: the document is not in the undo log",
        )
        for (document, place, aside), empty, text in zip(wanted, texts[::2], texts[1::2], strict=True)
        if empty in (None, b"null") and text is not None
    ]


def newer_values(
    keys: StateKeys,
    documents: Iterable[StoredDocument],
    naive_timezone: NaiveTimezone,
    before: NumbersBefore,
    *,
    reformat_preexisting: bool,
) -> Op[list[tuple[StoredDocument, list[StoredValue]]]]:
    """Return for each document its numbers that are not in the census; `before` gets the others. One read.

    Args:
        reformat_preexisting: return all numbers, without a look at the census.
    """
    candidates = [
        (document, value)
        for document in documents
        for value, conversion in classify(document, naive_timezone)
        if conversion.outcome is Outcome.ALREADY
    ]
    known = [False] * len(candidates)
    if not reformat_preexisting:
        known = yield from preexisting_numbers(keys, candidates)
    before.add(value for value, was_number in zip(candidates, known, strict=True) if was_number)
    newer: dict[bytes, tuple[StoredDocument, list[StoredValue]]] = {}
    for (document, value), was_number in zip(candidates, known, strict=True):
        if not was_number:
            newer.setdefault(document.key, (document, []))[1].append(value)
    return list(newer.values())
