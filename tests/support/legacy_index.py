"""The indexes that redis-om 0.3.5 made, which migrations find. tests/reference compares their texts with its own."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from redstart.mapping.fields import FieldOptions, field_options
from redstart.mapping.index_schema import IndexWalk, index_of_parts, storage_of
from redstart.mapping.index_types import Indexable, IndexType
from redstart.mapping.models import RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.search.schema import Index, schema_text
from redstart.values.types import Storage


def legacy_index_of(model: type[RedisModel], *, before_first_instance: bool = False) -> Index:
    """The index that redis-om 0.3.5 made for the same model.

    Args:
        model: a model with the fields and options it had then.
        before_first_instance: 0.3.5 noticed a primary key of one's own only when the first instance was made.
            An index made before that has `pk` too.
    """
    storage = storage_of(model)
    parts = list(_LegacyWalk(storage, both_keys=before_first_instance).parts(model))
    if storage is Storage.JSON and not before_first_instance and model._primary_key_name != DEFAULT_NAME:
        parts.append([])  # the `pk` that 0.3.5 had removed incompletely
    return index_of_parts(model, model.make_key(model._meta.primary_key_pattern.format(pk="")), parts)


def legacy_schema(model: type[RedisModel], *, before_first_instance: bool = False) -> str:
    """The schema text of redis-om 0.3.5; the arguments are those of `legacy_index_of`."""
    return schema_text(legacy_index_of(model, before_first_instance=before_first_instance))


class _LegacyWalk(IndexWalk):
    def __init__(self, storage: Storage, *, both_keys: bool) -> None:
        super().__init__(storage)
        self._both_keys = both_keys

    def fields(self, model: type[RedisModel]) -> Iterator[tuple[str, FieldInfo]]:
        if self._both_keys and model._primary_key_name != DEFAULT_NAME:
            yield DEFAULT_NAME, RedisModel.model_fields[DEFAULT_NAME]
        yield from super().fields(model)

    def is_key(self, model: type[RedisModel], name: str) -> bool:
        # Documents inside others had a key, and it was indexed.
        return name == model._primary_key_name or (self._both_keys and name == DEFAULT_NAME)

    def is_marked(self, info: FieldInfo) -> bool:
        options = field_options(info)
        if self.storage is Storage.HASH:
            return options.index is True
        # In JSON it took every field that its Field() described, unless that said index=False.
        described = any(isinstance(item, FieldOptions) for item in info.metadata)
        return described and options.index is not False

    def is_number(self, indexable: Indexable) -> bool:
        return indexable is Indexable.NUMBER  # dates were tags

    def is_vector(self, held: IndexType) -> bool:
        return held.indexable is not Indexable.BYTES and super().is_vector(held)

    def separator(self, options: FieldOptions) -> str:
        return "|"

    def is_sortable(self, options: FieldOptions) -> bool:
        # It forgot it in JSON, except for words.
        return self.storage is Storage.HASH and super().is_sortable(options)
