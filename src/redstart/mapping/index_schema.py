"""The index of a model, from its fields and those of its embedded models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NewType

from pydantic.fields import FieldInfo

from redstart.errors import RedisModelError
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.fields import FieldOptions, field_options
from redstart.mapping.index_types import A_MAP, Indexable, IndexType, index_type
from redstart.mapping.keys import key_affixes
from redstart.mapping.type_tree import complete_fields
from redstart.search.json_paths import member
from redstart.search.schema import FIELD_OPTIONS, FieldKind, Index, IndexField, schema_parts, schema_text
from redstart.values.types import Storage

FULL_TEXT_SUFFIX = "_fts"


@dataclass(frozen=True, slots=True)
class _Place:
    """The location of a field.

    Args:
        path: its JSON path, or its name in a hash.
        attribute: its name in queries.
        label: what to call it in messages.
        in_list: whether its document is an item of a list.
        within: the models on the path to the field, each embedded in the previous one.
    """

    path: str
    attribute: str
    label: str
    in_list: bool = False
    within: tuple[type[MappedModel], ...] = ()

    def inside(self, model: type[MappedModel], name: str, step: str, *, repeated: bool) -> "_Place":
        return _Place(
            f"{self.path}[*]{step}" if repeated else f"{self.path}{step}",
            f"{self.attribute}_{name}",
            f"{self.label}.{name}",
            self.in_list or repeated,
            (*self.within, model),
        )


class IndexWalk:
    """A traversal of the fields of a model and of its embedded models.

    Subclasses override the methods that differ between versions of redis-om.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def parts(self, model: type[MappedModel]) -> Iterator[list[IndexField]]:
        """Yield the definition of each field of a model, without fields of hashes that are not indexed."""
        for name, info in self.fields(model):
            part = self._field(model, name, info, self._place(model, name))
            # redis-om adds no empty part for a NewType, nor in hashes.
            if part or (self.storage is Storage.JSON and not isinstance(info.annotation, NewType)):
                yield part

    def key_alone(self, model: type[MappedModel]) -> list[list[IndexField]]:
        """Return the primary key, because an index needs a field. In this case redis-om creates no index."""
        name = model._primary_key_name
        info, place = complete_fields(model)[name], self._place(model, name)
        return [self._indexed(place, index_type(info.annotation, self.storage), field_options(info))]

    def fields(self, model: type[MappedModel]) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the fields to consider, by name."""
        yield from complete_fields(model).items()

    def step(self, name: str) -> str:
        """Return the step of a JSON path to a member."""
        return member(name)

    def is_key(self, model: type[MappedModel], name: str) -> bool:
        """Return whether a field is the primary key of a document. Embedded documents have none."""
        return name == model._primary_key_name and not model._is_part

    def is_marked(self, info: FieldInfo) -> bool:
        """Return whether a field is declared as indexed."""
        options = field_options(info)
        return bool(
            options.index
            or options.sortable
            or options.full_text_search
            or options.vector_options is not None
        )

    def is_number(self, indexable: Indexable) -> bool:
        """Return whether values are indexed as numbers."""
        return indexable in (Indexable.NUMBER, Indexable.DATE)

    def is_vector(self, held: IndexType) -> bool:
        """Return whether the type of a field is that of a vector: a list of numbers or, in a hash, their bytes."""
        if self.storage is Storage.JSON:
            return held.indexable is Indexable.NUMBER and held.repeated
        return held.indexable is Indexable.BYTES or (held.indexable is Indexable.NUMBER and not held.lists)

    def separator(self, options: FieldOptions) -> str:
        """Return the character between the tags of one value."""
        return options.separator

    def is_sortable(self, options: FieldOptions) -> bool:
        """Return whether queries may sort by a field that is not full text."""
        return bool(options.sortable)

    def _place(self, model: type[MappedModel], name: str) -> _Place:
        path = f"${self.step(name)}" if self.storage is Storage.JSON else name
        return _Place(path, name, f"{model_name(model)}.{name}")

    def _field(self, model: type[MappedModel], name: str, info: FieldInfo, place: _Place) -> list[IndexField]:
        options = field_options(info)
        held = index_type(info.annotation, self.storage)
        if held.embedded is not None:
            return self._embedded(held.embedded, place, held.repeated)
        is_key, is_marked = self.is_key(model, name), self.is_marked(info)
        is_text_key = is_key and held.indexable is Indexable.TEXT and not held.repeated
        if not (is_marked or is_text_key or (is_key and self.storage is Storage.HASH)):
            return []
        if held.refused is not None:
            raise _cannot_be_indexed(place, held.refused)
        if held.repeated and held.indexable is not Indexable.NUMBER and self.storage is Storage.HASH:
            raise _cannot_be_indexed(place, "a list that is not a vector of numbers")
        if is_text_key:
            return [self._tag(place, FieldOptions(separator=options.separator))]
        return self._indexed(place, held, options)

    def _embedded(self, model: type[MappedModel], place: _Place, repeated: bool) -> list[IndexField]:
        found: list[IndexField] = []
        if model in place.within:
            return found  # it contains itself, at any depth; an index has only the first level
        for name, info in self.fields(model):
            found += self._field(
                model, name, info, place.inside(model, name, self.step(name), repeated=repeated)
            )
        return found

    def _indexed(self, place: _Place, held: IndexType, options: FieldOptions) -> list[IndexField]:
        if options.vector_options is not None and self.is_vector(held):
            settings = options.vector_options.settings()
            path = f"{place.path}[*]" if held.lists else place.path
            return [IndexField(path, place.attribute, FieldKind.VECTOR, vector=settings)]
        if held.lists or held.indexable is Indexable.NOTHING:
            return []
        if held.repeated or place.in_list:
            _check_item(place, held, options)
        if held.repeated:
            place = _Place(f"{place.path}[*]", place.attribute, place.label, in_list=True)
        if self.is_number(held.indexable):
            return [self._plain(place, FieldKind.NUMERIC, options)]
        if held.indexable is Indexable.GEO:
            return [self._plain(place, FieldKind.GEO, options)]
        if held.indexable is Indexable.TEXT and options.full_text_search:
            return self._words(place, options)
        return [self._tag(place, options, held.indexable)]

    def _tag(self, place: _Place, options: FieldOptions, indexable: Indexable = Indexable.TEXT) -> IndexField:
        may_keep_case = self.storage is Storage.HASH or indexable is Indexable.TEXT
        return IndexField(
            place.path,
            place.attribute,
            FieldKind.TAG,
            separator=None if indexable is Indexable.BOOLEAN else self.separator(options),
            case_sensitive=bool(options.case_sensitive) and may_keep_case,
            sortable=self.is_sortable(options),
        )

    def _plain(self, place: _Place, kind: FieldKind, options: FieldOptions) -> IndexField:
        return IndexField(place.path, place.attribute, kind, sortable=self.is_sortable(options))

    def _words(self, place: _Place, options: FieldOptions) -> list[IndexField]:
        if options.case_sensitive:
            raise RedisModelError(
                f"{place.label}: Text fields cannot be case-sensitive.",
                "Remove case_sensitive or full_text_search.",
            )
        tag = self._tag(place, FieldOptions(separator=options.separator))
        name = place.attribute + FULL_TEXT_SUFFIX
        return [tag, IndexField(place.path, name, FieldKind.TEXT, sortable=bool(options.sortable))]


def _check_item(place: _Place, held: IndexType, options: FieldOptions) -> None:
    if held.indexable is not Indexable.TEXT:
        raise RedisModelError(
            f"{place.label}: List and tuple fields can only contain strings (E12).",
            "Index a list[str], or remove index=True.",
        )
    if options.full_text_search:
        raise RedisModelError(
            f"{place.label}: List and tuple fields cannot be indexed for full-text search (E13).",
            "Remove full_text_search; the items are indexed as tags.",
        )


def _cannot_be_indexed(place: _Place, refused: str) -> RedisModelError:
    number = " (E4)" if refused == A_MAP else ""
    return RedisModelError(
        f"{place.label} cannot be indexed: its type is {refused}{number}.",
        "Use str, a number, bool, datetime, date, Enum, UUID, Coordinates, list[str], a vector, "
        "an EmbeddedJsonModel or a list of EmbeddedJsonModel.",
    )


def index_of(model: type[MappedModel]) -> Index:
    """Return the index that queries on a model need.

    Raises:
        RedisModelError: a field cannot be indexed, or the model is abstract or embedded.
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
        # redis-om never quotes names, so the server finds nothing for some of them.
        return f".{name}"

    def is_vector(self, held: IndexType) -> bool:
        # redis-om indexes bytes of hashes as tags, which no query can contain.
        return held.indexable is not Indexable.BYTES and super().is_vector(held)


def storage_of(model: type[MappedModel]) -> Storage:
    """Return the storage of a model. Raises RedisModelError if it is abstract or embedded."""
    if model._storage is None:
        raise RedisModelError(f"{model_name(model)} is neither a HashModel nor a JsonModel and has no index.")
    return model._storage


def index_of_parts(model: type[MappedModel], prefix: str, parts: Sequence[Sequence[IndexField]]) -> Index:
    """Return the index of a model from the definitions of its fields."""
    return Index(
        name=model._meta.index_name,
        storage=storage_of(model),
        prefixes=(prefix,),
        fields=tuple(field for part in parts for field in part),
        parts=tuple(map(len, parts)),
    )
