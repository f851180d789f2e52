"""Ownership of keys: documents of other models under the key prefix of a planned one, and excluded documents.

Keys of another model or index are not converted by default. Options exclude and include key prefixes.
An excluded document keeps its text, so the numeric index of its model would not contain it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from redstart.commands.keyspace import scan_type
from redstart.commands.search import ft_list
from redstart.display import printable, shortened
from redstart.effects import Op, call
from redstart.errors import ConfigurationError, MigrationError
from redstart.mapping.base_model import client_named, model_name, model_registry, registered_models
from redstart.mapping.key_overlaps import key_prefix_of
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.migrations.blocking import blocking_reason
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.plan import Plan, PlannedModel, longer_than, path_of, router
from redstart.migrations.data.reader import read_documents
from redstart.migrations.data.record import read_record
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import absent_from
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    changing_attributes,
    pending_attributes,
    with_options_of,
)
from redstart.migrations.indexes.record_writer import is_replaced_externally
from redstart.migrations.indexes.state import previous_index, read_records, shown
from redstart.migrations.indexes.status import indexes_listed_as
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification, Transformation
from redstart.next_steps import Command, Hint
from redstart.search.schema import same_definition
from redstart.values.types import Storage


def require_same_types(plan: Plan, transformation: Transformation) -> None:
    """Raise MigrationError if an imported model with the key prefix of a planned one reads its values otherwise.

    A document may belong to either model, and keys do not distinguish them.
    """
    for planned in plan.models:
        for other in _models_with_keys_of(planned):
            conflicts = list(transformation.conflicts(planned.name, planned.paths, other))
            if conflicts:
                raise MigrationError(
                    f"{planned.name} and {model_name(other)} have the same key prefix {planned.key_prefix!r} and "
                    f"different types: {'; '.join(conflicts)}.",
                    "Give one of the models another Meta.model_key_prefix, or declare the same type in both.",
                )


def _models_with_keys_of(planned: PlannedModel) -> Iterator[type[RedisModel]]:
    own = model_registry.get(planned.name)
    for model in registered_models():
        if (
            model_name(model) != planned.name
            and model._storage is planned.storage
            and key_prefix_of(model) == planned.key_prefix
            and (own is None or client_named(model) is client_named(own))
        ):
            yield model


_PAGE_KEYS = 1_000
_RUN = Command("migrate-data run")


def require_own_documents(
    plan: Plan, transformation: Transformation, command: Command | None = _RUN
) -> Op[None]:
    """Raise MigrationError if keys of a planned model belong to another model, or an index with a longer key prefix.

    A model with the same key prefix and the same types shares the documents.

    Every imported model counts, also those not given with --models, and every index on the server.

    Args:
        command: for the hint of an error; None if only a setting of the project excludes keys.

    Effects: a read for each index of the server; a pass over the keyspace for a model with another client.
    """
    require_same_types(plan, transformation)
    for outer in plan.models:
        assigned = (*outer.excluded, *outer.included)
        for owner, prefix in (yield from _inner_prefixes(outer)):
            if not prefix.startswith(assigned):
                raise MigrationError(
                    f"Keys that begin with {prefix!r} belong to {owner}, but the key prefix {outer.key_prefix!r} of "
                    f"{outer.name} includes them.",
                    _assignment(outer, prefix, command),
                )


def _assignment(outer: PlannedModel, prefix: str, command: Command | None) -> str | Hint:
    if command is None:
        return f"Exclude these keys: set exclude_prefixes = [{prefix!r}] under [tool.redstart] in pyproject.toml."
    return Hint(
        "Exclude these keys with: ",
        command.adding("--exclude-prefix", prefix),
        f"\nOr treat them as documents of {outer.name} with: ",
        command.adding("--include-prefix", prefix),
    )


def _inner_prefixes(outer: PlannedModel) -> Op[list[tuple[str, str]]]:
    """Return models and indexes for a part of the keys of a planned model, with their key prefixes."""
    owners: list[tuple[str, str]] = []
    own = model_registry.get(outer.name)
    for model in registered_models():
        for prefix in longer_than(outer.key_prefix, [key_prefix_of(model)]):
            # Another client may be of another server; only the keys show this.
            is_here = own is None or client_named(model) is client_named(own)
            if model._storage is outer.storage and (is_here or (yield from _has_keys(prefix, outer.storage))):
                owners.append((f"the model {model_name(model)}", prefix))
    if (yield from has_search()):
        for name in sorted(set((yield from call(ft_list())))):
            for info in (yield from indexes_listed_as(name)):
                if info.index.storage is outer.storage:
                    prefixes = longer_than(outer.key_prefix, info.index.prefixes)
                    owners += ((f"the index {shown(name)}", prefix) for prefix in prefixes)
    return owners


def _has_keys(prefix: str, storage: Storage) -> Op[bool]:
    cursor = 0
    while True:
        page = scan_type(cursor, prefix=prefix, kind=storage.key_type, count=_PAGE_KEYS)
        cursor, keys = yield from call(page)
        if keys or cursor == 0:
            return bool(keys)


@dataclass(frozen=True, slots=True)
class PrefixChecks:
    """Checks against the key prefixes of models.

    Attributes:
        keys: of the state in which models of earlier runs are recorded.
        declarations: the models.
    """

    keys: StateKeys
    declarations: Collection[ModelDeclaration]

    def known(self) -> Op[list[str]]:
        """Return the key prefixes of the models, given or recorded. One read."""
        recorded = (yield from read_record(self.keys)).known_models
        return sorted({*recorded, *(one.key_prefix for one in self.declarations)})

    def unused(self, prefixes: Iterable[str]) -> Op[list[str]]:
        """Return those prefixes that are longer than the key prefix of no model. One read."""
        known = yield from self.known()
        return [
            one
            for one in dict.fromkeys(prefixes)
            if known and not any(longer_than(each, [one]) for each in known)
        ]

    def warnings(self, prefixes: Iterable[str]) -> Op[list[str]]:
        """Return a warning for each exclusion in the settings that concerns no keys. One read."""
        return [
            f"exclude_prefixes in pyproject.toml has {prefix!r}, which has no effect: it does not begin with the key "
            "prefix of one of these models."
            for prefix in (yield from self.unused(prefixes))
        ]

    def require_used(self, option: str, prefixes: Iterable[str]) -> Op[None]:
        """Raise ConfigurationError if a prefix concerns no keys. A read, if there are any.

        Args:
            option: the option that names them.
        """
        given = list(prefixes)
        for prefix in (yield from self.unused(given)) if given else ():
            raise ConfigurationError(
                f"{option} {shortened(prefix)} has no effect: it does not begin with the key prefix of a model.",
                f"The key prefixes are: {', '.join((yield from self.known()))}. Give a longer prefix that "
                "begins with one of them. To select models, name their modules with --models.",
            )


def require_excluded_documents_fit(
    plan: Plan, planned: Sequence[PlannedIndex], transformation: Transformation
) -> Op[None]:
    """Raise MigrationError if a numeric index would lose excluded documents: its cutover would be refused.

    Effects: for each index of a model with exclusions, a pass over the keyspace and reads of the excluded documents.
    """
    models = {model.key_prefix: model for model in plan.models if model.excluded}
    records = yield from read_records()
    for index in planned:
        model, active = models.get(index.key_prefix), (yield from find_index(index.name))
        if model is None or active is None:
            continue
        record = records.get(index.name)
        final = with_options_of(index, previous_index(record, active)).index
        if same_definition(active.index, final):
            continue
        # A dual-format index has no changing attributes as text: the record names the changing attributes.
        before = active.index if record is None else record.legacy
        changing = frozenset(pending_attributes(final, changing_attributes(before, index)))
        accepted = (
            record.accepted_unindexed if record is not None and is_replaced_externally(record, active) else 0
        )
        lost = yield from _lost(plan, model, index.name, transformation, changing)
        if len(lost) > accepted:
            raise MigrationError(
                f"{len(lost):,} excluded documents are in the index {index.name} of {index.model}. "
                f"Their {transformation.texts.values} stay text, so the numeric index would not contain them, such as "
                f"{printable(lost[0])}.",
                Hint(
                    "Accept that queries on this index no longer return them: ",
                    Command("migrate-data run", "--accept-unindexed"),
                    f"\nOr, if they are documents of {model.name}, convert them with: ",
                    Command("migrate-data run", "--include-prefix", model.excluded[0]),
                ),
            )


def _lost(
    plan: Plan, model: PlannedModel, index: str, transformation: Transformation, changing: frozenset[str]
) -> Op[list[bytes]]:
    """Return the keys of excluded documents in an index whose values do not fit after a run."""
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
    """Return for each value of the index whether it is text also after the run.

    Args:
        owner: the planned model that converts the document; None if there is none.
    """
    for value, conversion in classify(document, transformation):
        if transformation.index_attribute(value.path) in changing:
            is_converted = (
                conversion.outcome in (Classification.CONVERTIBLE, Classification.LOSSY)
                and owner is not None
                and path_of(value.location, owner) is not None
            )
            yield not is_converted and blocking_reason(value, conversion, document.model.storage) is not None
