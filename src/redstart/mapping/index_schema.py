"""Fields of an index, from the fields of a model and its embedded models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NewType

from pydantic.fields import FieldInfo

from redstart.errors import RedisModelError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.base_model import MappedModel
from redstart.mapping.fields import FieldOptions, field_options
from redstart.mapping.index_types import A_MAP, Indexable, IndexType, index_type
from redstart.mapping.registry import model_name
from redstart.search.json_paths import member
from redstart.search.schema import FieldKind, IndexField
from redstart.values.types import Storage

FULL_TEXT_SUFFIX = "_fts"


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
    """One walk over the fields of a model and of the models embedded in it.

    What differs between versions of redis-om stands in methods of its own, for subclasses.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def parts(self, model: type[MappedModel]) -> Iterator[list[IndexField]]:
        """Yield what each field of a model gives; fields of hashes that are not indexed do not count."""
        for name, info in self.fields(model):
            part = self._field(model, name, info, self._place(model, name))
            # redis-om leaves no empty part for a NewType, nor in hashes.
            if part or (self.storage is Storage.JSON and not isinstance(info.annotation, NewType)):
                yield part

    def key_alone(self, model: type[MappedModel]) -> list[list[IndexField]]:
        """Return the primary key in place of nothing, for no index is without a field; redis-om makes none then."""
        name = model._primary_key_name
        info, place = complete_fields(model)[name], self._place(model, name)
        return [self._indexed(place, index_type(info.annotation, self.storage), field_options(info))]

    def fields(self, model: type[MappedModel]) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the fields that count, by name."""
        yield from complete_fields(model).items()

    def step(self, name: str) -> str:
        """Return the step of a JSON path to a member."""
        return member(name)

    def is_key(self, model: type[MappedModel], name: str) -> bool:
        """Return whether a field is the key of a document. Documents inside others have none."""
        return name == model._primary_key_name and not model._is_part

    def is_marked(self, info: FieldInfo) -> bool:
        """Return whether the declaration of a field asks for it to be indexed."""
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
        """Return whether a field can hold what a vector index reads: numbers in a list, or in a hash their bytes."""
        if self.storage is Storage.JSON:
            return held.indexable is Indexable.NUMBER and held.repeated
        return held.indexable is Indexable.BYTES or (held.indexable is Indexable.NUMBER and not held.lists)

    def separator(self, options: FieldOptions) -> str:
        """Return the character between the tags of one value."""
        return options.separator

    def is_sortable(self, options: FieldOptions) -> bool:
        """Return whether queries may sort by a field other than words."""
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
            return found  # it contains itself, at any depth; an index has the first one
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
