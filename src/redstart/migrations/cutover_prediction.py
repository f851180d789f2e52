"""Prediction for a dry run: the documents because of which a cutover would be refused."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from redstart.commands.keyspace import scan_type
from redstart.effects import Op, call
from redstart.migrations.blocking import (
    blocking_reason,
    reason_of_rejection,
    rejected_keys,
    rejected_members,
    rejected_values,
)
from redstart.migrations.context import Context
from redstart.migrations.coordinator import blocking, changing_indexes, check_built
from redstart.migrations.data.edit_builder import ClassifiedDocument, FailureMode
from redstart.migrations.data.failures import failure_at, failure_of
from redstart.migrations.data.operation_transformation import edited_document
from redstart.migrations.data.page_converter import expected_edits
from redstart.migrations.data.plan import Plan, with_index_attributes
from redstart.migrations.failure import MAX_EXAMPLES, BlockedDocuments, Failure
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import absent_from
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    changed_formats,
    changing_attributes,
    pending_attributes,
    with_options_of,
)
from redstart.migrations.indexes.record_writer import is_replaced_externally
from redstart.migrations.indexes.state import IndexRecord, previous_index, read_records
from redstart.migrations.server_checks import has_search
from redstart.migrations.transformation import Classification, Transformation
from redstart.search.index_info import IndexInfo
from redstart.search.json_paths import selectors
from redstart.search.schema import Index, IndexField, same_definition
from redstart.values.types import Storage

_PAGE_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class ExpectedCutover:
    """An index that a run would cut over, or create.

    Attributes:
        planned: with the options of the active index that no model can declare.
        active: None if no index is active.
        pending: changing attributes of unconverted data.
        fields: other fields that have another type in the active index, or are not in it.
        accepted: number of documents that may be missing.
    """

    planned: PlannedIndex
    active: IndexInfo | None
    pending: frozenset[str]
    fields: tuple[IndexField, ...]
    accepted: int

    @property
    def name(self) -> str:
        """The alias that queries use."""
        return self.planned.name

    @property
    def final(self) -> Index:
        """The index after the cutover."""
        return self.planned.index


def expected_cutovers(
    planned: Iterable[PlannedIndex], converted: Collection[str] | None = None
) -> Op[list[ExpectedCutover]]:
    """Return the indexes that a run would cut over or create. A few reads for each.

    Args:
        converted: key prefixes whose data is converted, of a run that converts none; indexes with other changing
            attributes are left out. None for a run that converts the data.
    """
    records = yield from read_records()
    cutovers = []
    for declared in planned:
        active = yield from find_index(declared.name)
        record = records.get(declared.name)
        one = with_options_of(declared, previous_index(record, active))
        if active is not None and same_definition(active.index, one.index):
            continue
        changing = changing_attributes(_before(one, record, active), one)
        pending = frozenset(pending_attributes(one.index, changing))
        if converted is not None:
            if pending and one.key_prefix not in converted:
                continue
            pending = frozenset()
        elif active is None and record is None:
            continue  # a run that converts data creates no index
        cutovers.append(
            ExpectedCutover(
                one,
                active,
                pending,
                tuple(_changed_fields(one.index, active, pending)),
                record.accepted_unindexed
                if record is not None and is_replaced_externally(record, active)
                else 0,
            )
        )
    return cutovers


def cutovers_of_run(
    context: Context, plan: Plan, planned: Sequence[PlannedIndex]
) -> Op[list[ExpectedCutover]]:
    """Return the indexes that a run which converts data would cut over. A few reads for each."""
    if not (yield from has_search()):
        return []
    changing = with_index_attributes(plan, context.transformation)
    return (yield from expected_cutovers((yield from changing_indexes(planned, changing))))


def cutovers_of_file(migration: FileMigration) -> Op[list[ExpectedCutover]]:
    """Return the indexes that a run of a file would cut over to another definition, or create. A few reads for each.

    Indexes of models whose storage changes are left out: their documents leave the active index one by one, and the new
    index contains those of the new storage.
    """
    planned = migration.file_indexes.changed()
    if not planned or not (yield from has_search()):
        return []
    stored_otherwise = {change.move.after.name for change in migration.steps.storage}
    prefixes = {move.after.name: move.before.key_prefix for move in migration.steps.moves}
    # An earlier pending file may create these, or they are absent.
    known = {model.index.name for model in migration.before.models.values() if model.index is not None}
    cutovers = []
    for one in planned:
        if one.model in stored_otherwise:
            continue
        active = yield from find_index(one.name)
        stays = one.name in known if active is None else same_definition(active.index, one.index)
        if stays:
            continue
        before = replace(one, key_prefix=prefixes.get(one.model, one.key_prefix))
        pending = frozenset() if active is None else frozenset(changed_formats(active.index, one.index))
        fields = tuple(_changed_fields(one.index, active, ()))
        cutovers.append(ExpectedCutover(before, active, pending, fields, 0))
    return cutovers


def _before(planned: PlannedIndex, record: IndexRecord | None, active: IndexInfo | None) -> Index:
    """Return the index with the attributes as before the conversion."""
    if record is not None:
        return record.legacy
    return planned.old if active is None else active.index


def _changed_fields(final: Index, active: IndexInfo | None, pending: Collection[str]) -> Iterable[IndexField]:
    for field in final.fields:
        before = None if active is None else active.index.field_named(field.attribute)
        same = before is not None and (before.kind, before.identifier) == (field.kind, field.identifier)
        if not same and field.attribute not in pending:
            yield field


def blocked_by_conversion(
    cutovers: Sequence[ExpectedCutover],
    classified: Sequence[ClassifiedDocument],
    *,
    mode: FailureMode,
    transformation: Transformation,
) -> Op[dict[str, BlockedDocuments]]:
    """Return, by index, the documents of a page that it would not contain after their conversion.

    Effects: reads, none for a page whose values can all be converted if no other field changes its type.
    """
    blocked = {}
    for one in cutovers:
        documents = [
            (document, values)
            for document, values in classified
            if document.model.key_prefix == one.planned.key_prefix
        ]
        values = yield from _values_left(one, documents, mode, transformation)
        for key in (yield from _rejected(one, [document.key for document, _ in documents])):
            _ = values.setdefault(key, [])
        blocked[one.name] = yield from _blocked(one, values)
    return {name: found for name, found in blocked.items() if found.count}


def blocked_by_operations(
    cutovers: Sequence[ExpectedCutover], classified: Sequence[ClassifiedDocument]
) -> Op[dict[str, BlockedDocuments]]:
    """Return, by index, the documents of a page that it would not contain after the operations of a file.

    Effects: reads, none for a page whose new values are all accepted if no other field changes its type.
    """
    blocked = {}
    for one in cutovers:
        values: dict[bytes, list[Failure]] = {}
        keys: list[bytes] = []
        others = one.fields
        for document, items in classified:
            if document.model.key_prefix != one.planned.key_prefix:
                continue
            keys.append(document.key)
            names = {str(path.segments[0]) for path in document.model.paths}
            others = tuple(field for field in one.fields if _first_name(field) not in names)
            after = edited_document(document, items)
            failures = [
                failure_at(document.key, location, value, reason_of_rejection(field))
                for field in one.final.fields
                if _first_name(field) in names
                for location, value in rejected_members(after.root, field, one.final.storage)
            ]
            if failures:
                values[document.key] = failures
        changed = replace(one, fields=others)
        for key in (yield from _rejected(changed, keys)):
            _ = values.setdefault(key, [])
        blocked[one.name] = yield from _blocked(changed, values)
    return {name: found for name, found in blocked.items() if found.count}


def _first_name(field: IndexField) -> str:
    """Return the field of a document that contains the values of a field of an index; "" if that is not known."""
    steps = selectors(field.identifier) if field.identifier.startswith("$") else (field.identifier,)
    return steps[0] if steps and isinstance(steps[0], str) else ""


def blocked_without_changes(
    cutovers: Sequence[ExpectedCutover], plan: Plan
) -> Op[dict[str, BlockedDocuments]]:
    """Return, by index, the documents that it would not contain, of models whose documents do not change.

    Effects: reads; a pass over the keys of each of these models.
    """
    changing = {model.key_prefix for model in plan.models}
    blocked = {}
    for one in cutovers:
        if one.planned.key_prefix not in changing:
            blocked[one.name] = yield from _blocked_by_type(one)
    return {name: found for name, found in blocked.items() if found.count}


def blocked_now(
    context: Context, plan: Plan, cutovers: Sequence[ExpectedCutover]
) -> Op[dict[str, BlockedDocuments]]:
    """Return, by index, the documents that would drop out of query results if it were cut over now.

    An index that is built is compared with the active one. Documents of another one are compared with the types of its
    fields.

    Effects: reads; for each of these indexes a pass over the keys of its model.
    """
    records = yield from read_records()
    blocked = {}
    for one in cutovers:
        result = yield from check_built(one.planned, records.get(one.name))
        if result is None or result.coverage is None:
            blocked[one.name] = yield from _blocked_by_type(one)
        else:
            values = yield from blocking(context, plan, [result])
            blocked[one.name] = BlockedDocuments(result.coverage.missing, values.get(one.name, []))
    return above_accepted(cutovers, blocked)


def _blocked_by_type(cutover: ExpectedCutover) -> Op[BlockedDocuments]:
    found = BlockedDocuments()
    cursor, ended = 0, not cutover.fields
    while not ended:
        kind = cutover.final.storage.key_type
        page = scan_type(cursor, prefix=cutover.planned.key_prefix, kind=kind, count=_PAGE_KEYS)
        cursor, keys = yield from call(page)
        rejected = yield from _rejected(cutover, list(dict.fromkeys(keys)))
        found.add((yield from _blocked(cutover, {key: [] for key in rejected})))
        ended = cursor == 0
    return found


def above_accepted(
    cutovers: Iterable[ExpectedCutover], blocked: dict[str, BlockedDocuments]
) -> dict[str, BlockedDocuments]:
    """Return the indexes with more blocked documents than may be missing."""
    return {
        one.name: blocked[one.name]
        for one in cutovers
        if one.name in blocked and blocked[one.name].count > one.accepted
    }


def _values_left(
    cutover: ExpectedCutover,
    classified: Sequence[ClassifiedDocument],
    mode: FailureMode,
    transformation: Transformation,
) -> Op[dict[bytes, list[Failure]]]:
    """Return, by key, the values of changing attributes that an index would not accept after a run."""

    def is_left(document_and_values: ClassifiedDocument) -> bool:
        document, values = document_and_values
        return any(
            conversion.outcome in (Classification.UNCONVERTIBLE, Classification.NULL)
            and transformation.index_attribute(value.path) in cutover.pending
            and blocking_reason(value, conversion, document.model.storage) is not None
            for value, conversion in values
        )

    suspects = [one for one in classified if is_left(one)]
    clearing = [
        (cutover.planned.key_prefix, attribute)
        for attribute in cutover.pending
        if cutover.final.storage is Storage.HASH
    ]
    edits = yield from expected_edits(suspects, mode, transformation, clearing)
    left: dict[bytes, list[Failure]] = {}
    for (document, values), made in zip(suspects, edits, strict=True):
        edited = {edit.location for edit in made.edits}
        failures = [
            failure_of(document, value, reason)
            for value, conversion in values
            if conversion.outcome in (Classification.UNCONVERTIBLE, Classification.NULL)
            and transformation.index_attribute(value.path) in cutover.pending
            and value.location not in edited
            and (reason := blocking_reason(value, conversion, document.model.storage)) is not None
        ]
        if failures:
            left[document.key] = failures
    return left


def _rejected(cutover: ExpectedCutover, keys: Sequence[bytes]) -> Op[list[bytes]]:
    if not cutover.fields or not keys:
        return []
    return (yield from rejected_keys(keys, cutover.fields, cutover.final.storage))


def _blocked(cutover: ExpectedCutover, values: dict[bytes, list[Failure]]) -> Op[BlockedDocuments]:
    """Return the documents that would drop out of query results.

    Args:
        values: by key, the known values because of which an index would not contain it.
    """
    for key in (yield from _in_neither(cutover, list(values))):
        del values[key]
    by_type = [key for key, known in values.items() if not known][:MAX_EXAMPLES]
    found = BlockedDocuments(len(values), [one for known in values.values() for one in known])
    if by_type:
        found.values += yield from rejected_values(by_type, replace(cutover.final, fields=cutover.fields))
    return found


def _in_neither(cutover: ExpectedCutover, keys: Sequence[bytes]) -> Op[list[bytes]]:
    """Return the keys that the index before the cutover would not contain, either.

    The active index may lack documents that a dual-format index contains: those with converted values.
    """
    if cutover.active is None or not keys:
        return []
    absent = yield from absent_from(cutover.name, keys)
    kept = [field for field in cutover.active.index.fields if field.attribute not in cutover.pending]
    return (yield from rejected_keys(absent, kept, cutover.final.storage))
