"""Excluded documents in the index of a model: their dates stay text, so its numeric index would not contain them."""

from collections.abc import Iterator, Sequence

from redstart.commands.keyspace import scan_type
from redstart.display import printable
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.blocking import does_not_fit
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.plan import Plan, PlannedModel, path_of, router
from redstart.migrations.data.reader import read_documents
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import absent_from
from redstart.migrations.indexes.drift import is_replaced_externally
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    changing_attributes,
    pending_attributes,
    with_options_of,
)
from redstart.migrations.indexes.state import previous_index, read_records
from redstart.migrations.transformation import Outcome, Transformation
from redstart.next_steps import Command, Hint
from redstart.search.schema_diff import same_definition

_PAGE_KEYS = 1_000


def require_excluded_documents_fit(plan: Plan, planned: Sequence[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if a numeric index would lose excluded documents: its cutover would be refused.

    Effects: for each index of a model with exclusions, a pass over the keyspace and reads of the excluded documents.
    """
    models = {model.key_prefix: model for model in plan.models if model.excluded}
    records = yield from read_records()
    for one in planned:
        model, found = models.get(one.key_prefix), (yield from find_index(one.name))
        if model is None or found is None:
            continue
        record = records.get(one.name)
        final = with_options_of(one, previous_index(record, found)).index
        if same_definition(found.index, final):
            continue
        # A dual-format index has no text fields of dates: the record names the changing attributes.
        before = found.index if record is None else record.legacy
        changing = frozenset(pending_attributes(final, changing_attributes(before, one)))
        accepted = (
            record.accepted_unindexed if record is not None and is_replaced_externally(record, found) else 0
        )
        lost = yield from _lost(plan, model, one.name, changing)
        if len(lost) > accepted:
            raise MigrationError(
                f"{len(lost):,} excluded documents are in the index {one.name} of {one.model}. Their dates stay text, "
                f"so the numeric index would not contain them, such as {printable(lost[0])}.",
                Hint(
                    "Accept that queries on this index no longer return them: ",
                    Command("migrate-data run", "--accept-unindexed"),
                    f"\nOr, if they are documents of {model.name}, convert them with: ",
                    Command("migrate-data run", "--include-prefix", model.excluded[0]),
                ),
            )


def _lost(plan: Plan, model: PlannedModel, index: str, changing: frozenset[str]) -> Op[list[bytes]]:
    """Return the keys of excluded documents in an index whose values do not fit after a run."""
    transformation = DatetimeConversion.of(plan.settings)
    route = router(plan)
    lost: list[bytes] = []
    for prefix in model.excluded:
        if prefix.startswith(tuple(set(model.excluded) - {prefix})):
            continue
        cursor = 0
        while True:
            page = scan_type(cursor, prefix=prefix, kind=model.storage.key_type, count=_PAGE_KEYS)
            cursor, keys = yield from call(page)
            absent = set((yield from absent_from(index, keys)))
            present = [(key, model) for key in dict.fromkeys(keys) if key not in absent]
            for document in (yield from read_documents(present)):
                if any(_stays_text(document, route(document.key), transformation, changing)):
                    lost.append(document.key)
            if cursor == 0:
                break
    return list(dict.fromkeys(lost))


def _stays_text(
    document: StoredDocument,
    owner: PlannedModel | None,
    transformation: Transformation,
    changing: frozenset[str],
) -> Iterator[bool]:
    """Return for each date of the index whether it is text also after the run.

    Args:
        owner: the planned model that converts the document; None if there is none.
    """
    for value, conversion in classify(document, transformation):
        if transformation.index_attribute(value.path) in changing:
            is_converted = (
                conversion.outcome in (Outcome.CONVERTIBLE, Outcome.LOSSY)
                and owner is not None
                and path_of(value.location, owner) is not None
            )
            yield not is_converted and does_not_fit(document, conversion)
