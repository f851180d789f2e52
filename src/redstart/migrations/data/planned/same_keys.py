"""Models with the key prefix of a planned model: its dates must have the same types in them."""

from collections.abc import Iterator

from redstart.errors import MigrationError
from redstart.mapping.base_model import model_name, model_registry, registered_models
from redstart.mapping.key_overlaps import key_prefix_of
from redstart.mapping.models import RedisModel
from redstart.mapping.overrides import client_named
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.planned.conflicts import conflicting_types


def require_same_types(plan: Plan) -> None:
    """Raise MigrationError if an imported model with the key prefix of a planned one has other types for its dates.

    A document may be one of either model, and no key tells them apart.
    """
    for planned in plan.models:
        for other in _models_with_keys_of(planned):
            conflicts = list(conflicting_types(planned.name, planned.paths, other))
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
