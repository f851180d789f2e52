"""The index of a model, and its definition in redis-om 1.x, which stores a hash of the text."""

from collections.abc import Sequence

from redstart.errors import RedisModelError
from redstart.mapping.base_model import MappedModel
from redstart.mapping.index_schema import IndexWalk
from redstart.mapping.index_types import Indexable, IndexType
from redstart.mapping.keys import key_affixes
from redstart.mapping.registry import model_name
from redstart.search.schema import FIELD_OPTIONS, Index, IndexField, schema_parts, schema_text
from redstart.values.types import Storage


def index_of(model: type[MappedModel]) -> Index:
    """Return the index that queries on a model need.

    Raises:
        RedisModelError: a field that is marked as indexed cannot be, or the model has no documents of its own.
    """
    prefix, _ = key_affixes(model)
    walk = IndexWalk(storage_of(model))
    parts = list(walk.parts(model))
    _refuse_equal_names(model, parts)
    _refuse_option_names(model, parts)
    return index_of_parts(model, prefix, parts if any(parts) else walk.key_alone(model))


def _refuse_option_names(model: type[MappedModel], parts: Sequence[Sequence[IndexField]]) -> None:
    """Raise RedisModelError for a field of a hash that FT.CREATE would read as an option of the field before it."""
    for field in (field for part in parts for field in part):
        if storage_of(model) is Storage.HASH and field.identifier.upper() in FIELD_OPTIONS:
            raise RedisModelError(
                f"{model_name(model)}.{field.identifier} cannot be indexed in a hash: "
                f"{field.identifier.upper()} is a keyword of FT.CREATE.",
                "Rename the field, remove index=True from it, or use a JsonModel.",
            )


def _refuse_equal_names(model: type[MappedModel], parts: Sequence[Sequence[IndexField]]) -> None:
    known: dict[str, IndexField] = {}
    for field in (field for part in parts for field in part):
        other = known.setdefault(field.attribute, field)
        if other is not field:
            raise RedisModelError(
                f"{model_name(model)} has two fields with the same name in the index, {field.attribute!r}: "
                f"{other.identifier} and {field.identifier}.",
                "Rename one of them, or remove index=True from it.",
            )


def reference_schema(model: type[MappedModel]) -> str:
    """Return the schema text of redis-om 1.x, whose hash it keeps in `<index>:hash`."""
    return schema_text(_reference_index(model))


def reference_parts(model: type[MappedModel]) -> list[str]:
    """Return the parts of that text, one for each field of the model."""
    return list(schema_parts(_reference_index(model)))


def _reference_index(model: type[MappedModel]) -> Index:
    parts = list(_ReferenceWalk(storage_of(model)).parts(model))
    return index_of_parts(model, model.make_key(model._meta.primary_key_pattern.format(pk="")), parts)


class _ReferenceWalk(IndexWalk):
    def step(self, name: str) -> str:
        # redis-om never quotes, so that the server finds nothing for some names.
        return f".{name}"

    def is_vector(self, held: IndexType) -> bool:
        # redis-om indexes bytes of hashes as tags, whose texts nobody can look for.
        return held.indexable is not Indexable.BYTES and super().is_vector(held)


def storage_of(model: type[MappedModel]) -> Storage:
    """Return the storage of a model. Raises RedisModelError if it has no documents of its own."""
    if model._storage is None:
        raise RedisModelError(f"{model_name(model)} is neither a HashModel nor a JsonModel and has no index.")
    return model._storage


def index_of_parts(model: type[MappedModel], prefix: str, parts: Sequence[Sequence[IndexField]]) -> Index:
    """Return a model's index of what each of its fields gives."""
    return Index(
        name=model._meta.index_name,
        storage=storage_of(model),
        prefixes=(prefix,),
        fields=tuple(field for part in parts for field in part),
        parts=tuple(map(len, parts)),
    )
