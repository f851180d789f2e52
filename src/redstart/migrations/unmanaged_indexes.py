"""Indexes that belong to no model, over documents whose values are converted: they may lose documents.

Fields or a FILTER of such an index use the values.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import astuple, dataclass
from hashlib import sha1

from redstart.commands.keyspace import hmget
from redstart.effects import Op, call, pause
from redstart.errors import MigrationError, StateDamagedError
from redstart.mapping.value_paths import ValuePath, may_select
from redstart.migrations.context import Context
from redstart.migrations.data.plan import Plan, PlannedModel, with_index_attributes
from redstart.migrations.data.record import read_record
from redstart.migrations.data.run import begin_run
from redstart.migrations.indexes.build import POLL_SECONDS, building, find_index
from redstart.migrations.indexes.plan import TEXTS, PlannedIndex, path_of
from redstart.migrations.indexes.state import shown
from redstart.migrations.indexes.status import ListedIndex, list_indexes
from redstart.migrations.lease import Lease
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo
from redstart.search.schema import FieldKind, Index, IndexField, create_arguments
from redstart.values.types import Storage

Rejecting = Mapping[Storage, Set[FieldKind]]
"""Types of attributes that do not accept a value: a document with such a value is not in the index."""

_REJECTING_TEXT: Rejecting = dict.fromkeys(Storage, frozenset({FieldKind.NUMERIC}))
_REJECTING_NUMBERS: Rejecting = {Storage.HASH: frozenset(), Storage.JSON: TEXTS}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of all values of a plan.

    Attributes:
        before, after: which types do not accept a value before the change, and after it, if it changes from text to
            number, or back.
        event: what changes the values.
    """

    before: Rejecting
    after: Rejecting
    event: str


CONVERSION = Change(_REJECTING_TEXT, _REJECTING_NUMBERS, "conversion")
ROLLBACK = Change(_REJECTING_NUMBERS, _REJECTING_TEXT, "the rollback")


@dataclass(frozen=True, slots=True)
class ValuesUsed:
    """Values because of which documents may leave an index.

    Attributes:
        indexed: identifiers of the fields that no longer accept them.
        in_filter: their names in the FILTER, which is `expression`; `model` is the model of these.
    """

    indexed: list[str]
    in_filter: list[str]
    expression: str
    model: str


def values_used(
    index: Index, plan: Plan, transformation: Transformation, change: Change
) -> ValuesUsed | None:
    """Return the values of a plan because of which a change may drop documents from an index; None for none."""
    before, after = change.before[index.storage], change.after[index.storage]
    indexed = {
        field.identifier
        for field in index.fields
        for model in _models_of(index, with_index_attributes(plan, transformation))
        if field.kind in after - before and any(_may_have(field, path, index.storage) for path in model.paths)
    }
    expression = _filter_of(index)
    for model in _models_of(index, plan):
        in_filter = sorted(set(_values_in(expression, index, model, transformation, before)))
        if in_filter:
            return ValuesUsed(sorted(indexed), in_filter, expression, model.name)
    return ValuesUsed(sorted(indexed), [], expression, "") if indexed else None


def _models_of(index: Index, plan: Plan) -> list[PlannedModel]:
    """Return the models with documents under the prefixes of an index."""
    return [
        model
        for model in plan.models
        if model.storage is index.storage
        and any(
            model.key_prefix.startswith(one)
            or (one.startswith(model.key_prefix) and not one.startswith(model.excluded))
            for one in index.prefixes
        )
    ]


def _may_have(field: IndexField, path: ValuePath, storage: Storage) -> bool:
    """Return whether a field of an index may have the values at a path."""
    if storage is Storage.HASH:
        return field.identifier == path_of(path, storage)
    return may_select(field.identifier, path.segments)


def _filter_of(index: Index) -> str:
    """Return the expression of the FILTER of an index; "" if it has none."""
    if "FILTER" not in index.options:
        return ""
    return index.options[index.options.index("FILTER") + 1]


def _values_in(
    expression: str,
    index: Index,
    model: PlannedModel,
    transformation: Transformation,
    rejecting: Set[FieldKind],
) -> Iterator[str]:
    """Return the names in an expression that refer to values of documents in an index.

    Args:
        rejecting: types of attributes that keep documents out of the index, if the value changes its type.
    """
    for path in model.paths:
        names = {path.attribute, path_of(path, index.storage)}
        names |= {field.attribute for field in index.fields if _may_have(field, path, index.storage)}
        changes_type = transformation.index_attribute(path) is not None
        for name in names:
            field = index.field_named(name)
            is_rejected = changes_type and field is not None and field.kind in rejecting
            if not is_rejected and re.search(rf"@{re.escape(name)}(?!\w)", expression):
                yield name


_FIELD = "unmanaged_indexes"
"""Field of the record of the data migration: what these indexes contained before the first run, by name."""

_WORDS = {
    CONVERSION.event: (
        "text but belongs to none of the given models",
        Hint(
            "If another model declares this index, prepare both indexes: add --models with the module of that model "
            "to: ",
            Command("migrate run"),
            "\nOtherwise drop the index and create it again with NUMERIC",
        ),
        "a run converts",
    ),
    ROLLBACK.event: ("a number but belongs to no model", Hint("Drop the index"), "a rollback changes"),
}
"""By change: how a message describes the index, what the hint recommends, and what happens to a value in a FILTER."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What an index contained before the first run.

    Attributes:
        definition: a digest: an index of another definition is another index.
        documents: their number.
    """

    definition: str
    documents: int


def require_indexes_unaffected(
    plan: Plan,
    planned: Sequence[PlannedIndex],
    transformation: Transformation,
    command: Command = Command("migrate-data run"),  # noqa: B008 - immutable
) -> Op[None]:
    """Raise MigrationError if an index would lose documents when the data is converted.

    Indexes of models lose none, unless a FILTER names a converted value. No coverage check finds what it drops: the
    active index loses the documents, too, while they are converted.

    Args:
        command: that of the run, for the hint of an error.

    Effects: a read for each index of the server.
    """
    accept = command.adding("--accept-unindexed")
    for one in (yield from list_indexes({index.name for index in planned}, accept)):
        error = _refusal(one, plan, transformation, CONVERSION, accept)
        if error is not None:
            raise error


def require_unmanaged_indexes_unaffected_by_rollback(
    context: Context, plan: Plan, rewritten: Callable[[], Op[int]]
) -> Op[None]:
    """Raise MigrationError if an unmanaged index would lose documents when values are rolled back.

    A document that the index did not contain before the first run is not a loss. Those that it did contain stay in it,
    unless a value of theirs was written since then: restored values are those of that time.

    Args:
        plan: that of the runs.
        rewritten: counts the newer values that the rollback would rewrite in the old format; called if they decide.

    Effects: a read for each index of the server, and those of `rewritten`.
    """
    accept = Command("migrate-data rollback", context.keys.migration_id, "--accept-unindexed")
    recorded = yield from _read_contents(context.keys)
    newer: int | None = None
    for one in (yield from list_indexes(set(), accept)):
        # The FILTER of a managed index is that of the index before the migration.
        error = None if one.is_managed else _refusal(one, plan, context.transformation, ROLLBACK, accept)
        if error is None:
            continue
        before = recorded.get(one.info.name)
        if before is None or before.definition != _digest(one.info.index):
            raise error
        if before.documents and newer is None:
            newer = yield from rewritten()
        if before.documents and newer:
            raise MigrationError(
                f"{error.message} Before the first run it contained {before.documents:,} documents, and the rollback "
                f"rewrites {newer:,} newer values in the previous format.",
                error.hint,
            )


def record_unmanaged_indexes(context: Context, plan: Plan, *, resume: bool) -> Op[None]:
    """Record what unmanaged indexes contain before the first run, for the check of a rollback.

    What was recorded stays. Of documents that a run has converted already, nothing can be recorded any more.

    Args:
        plan, resume: those of the run.

    Raises:
        See `begin_run`.

    Effects: a read for each index of the server. If a rollback could be refused because of one: those of `begin_run`,
        reads until the index is filled, and one write. Safe to repeat.
    """
    if not plan.models or not (yield from has_search()):
        return
    concerned = [
        one.info
        for one in (yield from list_indexes(set(), None))
        if not one.is_managed and values_used(one.info.index, plan, context.transformation, ROLLBACK)
    ]
    if not concerned:
        return
    yield from begin_run(context, plan, resume=resume)

    def work(lease: Lease) -> Op[None]:
        record = yield from read_record(context.keys)
        before = yield from _read_contents(context.keys)
        converted = Plan(tuple(record.known_models.values()))
        # After `drop-undo-log`, a rollback no longer returns to the time before the first run.
        contents = {} if record.plan is None else dict(before)
        for info in concerned:
            if not values_used(info.index, converted, context.transformation, ROLLBACK):
                contents[info.name] = yield from _contents(lease, info)
        if contents != before:
            text = json.dumps({name: astuple(one) for name, one in contents.items()})
            _ = yield from lease.commit([["HSET", context.keys.record, _FIELD, text]])

    yield from context.under_lease(work)


def _contents(lease: Lease, info: IndexInfo) -> Op[_Contents]:
    """Return what an index contains, when its initial scan is complete."""
    found: IndexInfo | None = info
    while found is not None and found.indexing:
        yield from lease.keep(building(info.name, found.percent))
        yield from pause(POLL_SECONDS)
        found = yield from find_index(info.name)
    return _Contents(_digest(info.index), 0 if found is None else found.documents)


def _read_contents(keys: StateKeys) -> Op[dict[str, _Contents]]:
    """Return what was recorded, by name of the index. One read.

    Raises:
        StateDamagedError: the field has content that Redstart did not write.
    """
    (data,) = yield from call(hmget(keys.record, [_FIELD]))
    try:
        recorded = {} if data is None else json.loads(data)
        return {name: _Contents(str(digest), int(count)) for name, (digest, count) in recorded.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise StateDamagedError(
            f"Unexpected content in the field {_FIELD} of {keys.record}: {exc}.", keys.restore_hint()
        ) from exc


def _digest(index: Index) -> str:
    words = "\0".join(create_arguments(index, name=""))
    return sha1(words.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()


def _refusal(
    one: ListedIndex, plan: Plan, transformation: Transformation, change: Change, accept: Command
) -> MigrationError | None:
    """Return the error of a change that may drop documents from an index; None if it drops none.

    Args:
        accept: the command that accepts the loss.
    """
    used = values_used(one.info.index, plan, transformation, change)
    if used is None:
        return None
    owner, alternative, effect = _WORDS[change.event]
    # Of a managed index only the FILTER matters: its attributes change together with the values.
    if used.indexed and not one.is_managed and (one.info.documents or one.info.indexing):
        return MigrationError(
            f"Index {shown(one.name)} indexes {', '.join(used.indexed)} as {owner}. "
            f"Its {one.info.documents:,} documents would no longer be indexed after {change.event}.",
            Hint(alternative, ", or accept this with: ", accept),
        )
    if used.in_filter:
        return MigrationError(
            f"The FILTER of the index {shown(one.name)} names {', '.join(used.in_filter)}, which {effect} in "
            f"{used.model}: {used.expression}. {change.event.capitalize()} could drop documents from the index.",
            Hint(
                f"Create the index again with a FILTER without {transformation.texts.values}, or accept this with: ",
                accept,
            ),
        )
    return None
