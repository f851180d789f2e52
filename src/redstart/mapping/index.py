"""The index of a model, as redis-om 1.x makes it, and the one that 0.3.5 made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NewType

from pydantic.fields import FieldInfo

from redstart.errors import RedisModelError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.fields import FieldOptions, field_options
from redstart.mapping.index_types import A_MAP, Indexable, IndexType, index_type
from redstart.mapping.keys import around_primary_key, key_of_document
from redstart.mapping.models import EmbeddedJsonModel, RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.registry import model_name
from redstart.search.fields import FieldKind, IndexField
from redstart.search.index import Index, schema_parts, schema_text
from redstart.values.kinds import Storage

FULL_TEXT_SUFFIX = "_fts"
LEGACY_SEPARATOR = "|"


def index_of(model: type[RedisModel]) -> Index:
    """The index that queries on a model need.

    Raises:
        RedisModelError: a field that is marked as indexed cannot be, or the model has no documents of its own.
    """
    prefix, _ = around_primary_key(model._meta, model_name(model))
    return _index(model, prefix, legacy=False)


def legacy_index_of(model: type[RedisModel], *, before_first_instance: bool = False) -> Index:
    """The index that redis-om 0.3.5 made for the same model.

    Args:
        model: a model with the fields and options it had then.
        before_first_instance: 0.3.5 noticed a primary key of one's own only when the first instance was made.
            An index made before that has `pk` too.
    """
    prefix = key_of_document(model._meta, "")
    return _index(model, prefix, legacy=True, both_keys=before_first_instance)


def reference_schema(model: type[RedisModel]) -> str:
    """The schema text of redis-om 1.x, whose hash it keeps in `<index>:hash`."""
    return schema_text(_reference_index(model))


def reference_parts(model: type[RedisModel]) -> list[str]:
    """The parts of that text, one for each field of the model."""
    return list(schema_parts(_reference_index(model)))


def legacy_schema(model: type[RedisModel], *, before_first_instance: bool = False) -> str:
    """The schema text of redis-om 0.3.5; the arguments are those of `legacy_index_of`."""
    return schema_text(legacy_index_of(model, before_first_instance=before_first_instance))


def _reference_index(model: type[RedisModel]) -> Index:
    return _index(model, key_of_document(model._meta, ""), legacy=False, reference=True)


def _index(
    model: type[RedisModel], prefix: str, *, legacy: bool, both_keys: bool = False, reference: bool = False
) -> Index:
    storage = model._storage
    if storage is None:
        raise RedisModelError(f"{model_name(model)} is neither a HashModel nor a JsonModel: it has no index.")
    walk = _Walk(storage, legacy, both_keys, reference)
    parts = list(walk.parts(model))
    if not (legacy or reference or any(parts)):
        parts = walk.key_alone(model)
    if legacy and storage is Storage.JSON and not both_keys and model._primary_key_name != DEFAULT_NAME:
        parts.append([])  # the `pk` that 0.3.5 had taken away, but not quite
    return Index(
        name=model._meta.index_name,
        storage=storage,
        prefixes=(prefix,),
        fields=tuple(field for part in parts for field in part),
        parts=tuple(map(len, parts)),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field is met.

    Args:
        path: its JSON path, or its name in a hash.
        attribute: its name in queries.
        label: what to call it in messages.
        in_list: whether its document is an item of a list.
        within: the models embedded in each other on the way here.
    """

    path: str
    attribute: str
    label: str
    in_list: bool = False
    within: tuple[type[RedisModel], ...] = ()

    def inside(self, model: type[RedisModel], name: str, *, repeated: bool) -> "_Place":
        return _Place(
            f"{self.path}[*].{name}" if repeated else f"{self.path}.{name}",
            f"{self.attribute}_{name}",
            f"{self.label}.{name}",
            self.in_list or repeated,
            (*self.within, model),
        )


class _Walk:
    """One walk over the fields of a model and of the models embedded in it."""

    def __init__(self, storage: Storage, legacy: bool, both_keys: bool, reference: bool) -> None:
        self._storage = storage
        self._legacy = legacy
        self._both_keys = both_keys
        self._reference = reference

    def parts(self, model: type[RedisModel]) -> Iterator[list[IndexField]]:
        """What each field of a model gives; fields of hashes that are not indexed do not count."""
        for name, info in self._fields(model):
            path = f"$.{name}" if self._storage is Storage.JSON else name
            part = self._field(model, name, info, _Place(path, name, f"{model_name(model)}.{name}"))
            # redis-om leaves no empty part for a NewType, nor in hashes.
            if part or (self._storage is Storage.JSON and not isinstance(info.annotation, NewType)):
                yield part

    def key_alone(self, model: type[RedisModel]) -> list[list[IndexField]]:
        """The primary key in place of nothing, for no index is without a field; redis-om makes none then."""
        name = model._primary_key_name
        info, place = complete_fields(model)[name], _Place(f"$.{name}", name, f"{model_name(model)}.{name}")
        return [self._indexed(place, index_type(info.annotation, self._storage), field_options(info))]

    def _fields(self, model: type[RedisModel]) -> Iterator[tuple[str, FieldInfo]]:
        if self._both_keys and model._primary_key_name != DEFAULT_NAME:
            yield DEFAULT_NAME, RedisModel.model_fields[DEFAULT_NAME]
        yield from complete_fields(model).items()

    def _field(self, model: type[RedisModel], name: str, info: FieldInfo, place: _Place) -> list[IndexField]:
        options = field_options(info)
        held = index_type(info.annotation, self._storage)
        if held.embedded is not None:
            return self._embedded(held.embedded, place, held.repeated)
        is_key = name in self._key_names(model)
        if not (is_key or self._is_marked(info, options)):
            return []
        is_text_key = is_key and held.indexable is Indexable.TEXT and not held.repeated
        if (
            is_key
            and not is_text_key
            and self._storage is Storage.JSON
            and not self._is_marked(info, options)
        ):
            return []
        if held.refused is not None:
            raise _cannot_be_indexed(place, held.refused)
        if held.repeated and held.indexable is not Indexable.NUMBER and self._storage is Storage.HASH:
            raise _cannot_be_indexed(place, "a list that is no vector of numbers")
        if is_text_key:
            return [self._tag(place, FieldOptions(separator=options.separator))]
        return self._indexed(place, held, options)

    def _is_marked(self, info: FieldInfo, options: FieldOptions) -> bool:
        if not self._legacy:
            return bool(
                options.index
                or options.sortable
                or options.full_text_search
                or options.vector_options is not None
            )
        if self._storage is Storage.HASH:
            return options.index is True
        # In JSON 0.3.5 took every field that its Field() described, unless that said index=False.
        described = any(isinstance(item, FieldOptions) for item in info.metadata)
        return described and options.index is not False

    def _key_names(self, model: type[RedisModel]) -> tuple[str, ...]:
        # Since 1.0 documents inside others have no key; in 0.3.5 they had, and it was indexed.
        if not self._legacy and issubclass(model, EmbeddedJsonModel):
            return ()
        return (model._primary_key_name, DEFAULT_NAME) if self._both_keys else (model._primary_key_name,)

    def _embedded(self, model: type[RedisModel], place: _Place, repeated: bool) -> list[IndexField]:
        found: list[IndexField] = []
        if model in place.within:
            return found  # it contains itself, at any depth; an index has the first one
        for name, info in self._fields(model):
            found += self._field(model, name, info, place.inside(model, name, repeated=repeated))
        return found

    def _indexed(self, place: _Place, held: IndexType, options: FieldOptions) -> list[IndexField]:
        if options.vector_options is not None and self._is_vector(held):
            settings = options.vector_options.settings()
            path = f"{place.path}[*]" if held.lists else place.path
            return [IndexField(path, place.attribute, FieldKind.VECTOR, vector=settings)]
        if held.lists or held.indexable is Indexable.NOTHING:
            return []
        if held.repeated or place.in_list:
            _check_item(place, held, options)
        if held.repeated:
            place = _Place(f"{place.path}[*]", place.attribute, place.label, in_list=True)
        if held.indexable is Indexable.NUMBER or (held.indexable is Indexable.DATE and not self._legacy):
            return [self._plain(place, FieldKind.NUMERIC, options)]
        if held.indexable is Indexable.GEO:
            return [self._plain(place, FieldKind.GEO, options)]
        if held.indexable is Indexable.TEXT and options.full_text_search:
            return self._words(place, options)
        return [self._tag(place, options, held.indexable)]

    def _is_vector(self, held: IndexType) -> bool:
        """Whether a field can hold what a vector index reads: numbers in a list, or in a hash their bytes."""
        if self._storage is Storage.JSON:
            return held.indexable is Indexable.NUMBER and held.repeated
        # redis-om indexes bytes of hashes as tags, whose texts nobody can look for.
        is_bytes = held.indexable is Indexable.BYTES and not (self._legacy or self._reference)
        return is_bytes or (held.indexable is Indexable.NUMBER and not held.lists)

    def _tag(self, place: _Place, options: FieldOptions, indexable: Indexable = Indexable.TEXT) -> IndexField:
        separator = None
        if indexable is not Indexable.BOOLEAN:
            separator = LEGACY_SEPARATOR if self._legacy else options.separator
        may_keep_case = self._storage is Storage.HASH or indexable is Indexable.TEXT
        return IndexField(
            place.path,
            place.attribute,
            FieldKind.TAG,
            separator=separator,
            case_sensitive=bool(options.case_sensitive) and may_keep_case,
            sortable=self._is_sortable(options),
        )

    def _plain(self, place: _Place, kind: FieldKind, options: FieldOptions) -> IndexField:
        return IndexField(place.path, place.attribute, kind, sortable=self._is_sortable(options))

    def _words(self, place: _Place, options: FieldOptions) -> list[IndexField]:
        if options.case_sensitive:
            raise RedisModelError(
                f"{place.label}: Text fields cannot be case-sensitive.",
                "Take case_sensitive or full_text_search away.",
            )
        tag = self._tag(place, FieldOptions(separator=options.separator))
        name = place.attribute + FULL_TEXT_SUFFIX
        return [tag, IndexField(place.path, name, FieldKind.TEXT, sortable=bool(options.sortable))]

    def _is_sortable(self, options: FieldOptions) -> bool:
        # 0.3.5 forgot it in JSON, except for words.
        return bool(options.sortable) and not (self._legacy and self._storage is Storage.JSON)


def _check_item(place: _Place, held: IndexType, options: FieldOptions) -> None:
    if held.indexable is not Indexable.TEXT:
        raise RedisModelError(
            f"{place.label}: List and tuple fields can only contain strings (E12).",
            "Index a list[str], or take index away from the field.",
        )
    if options.full_text_search:
        raise RedisModelError(
            f"{place.label}: List and tuple fields cannot be indexed for full-text search (E13).",
            "Take full_text_search away: its items are found as tags.",
        )


def _cannot_be_indexed(place: _Place, refused: str) -> RedisModelError:
    number = " (E4)" if refused == A_MAP else ""
    return RedisModelError(
        f"{place.label} cannot be indexed: it holds {refused}{number}.",
        "Indexed are str, numbers, bool, datetime, date, Enum, UUID, Coordinates, list[str], vectors, "
        "and the fields of an EmbeddedJsonModel or a list of such.",
    )
