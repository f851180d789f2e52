"""Keys under the key prefix of a planned model that belong to another model or index: not converted by default."""

from collections.abc import Iterator

from redstart.commands.keyspace import scan_type
from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.mapping.base_model import model_name, model_registry, registered_models
from redstart.mapping.key_overlaps import key_prefix_of
from redstart.mapping.models import RedisModel
from redstart.mapping.overrides import client_named
from redstart.migrations.data.plan import Plan, PlannedModel, longer_than
from redstart.migrations.indexes.listing import indexes_listed_as
from redstart.migrations.indexes.state import shown
from redstart.migrations.server_checks import has_search
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint
from redstart.values.types import Storage


def require_same_types(plan: Plan, transformation: Transformation) -> None:
    """Raise MigrationError if an imported model with the key prefix of a planned one reads its values otherwise.

    A document may be one of either model, and no key tells them apart.
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
            # Another client may be one of another server: only the keys tell.
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
