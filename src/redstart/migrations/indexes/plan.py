"""Which index each model needs, and which of its attributes change their type together with the data."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from redstart.errors import ConfigurationError
from redstart.mapping.declaration import ModelDeclaration
from redstart.mapping.index import index_of, reference_schema
from redstart.mapping.paths import Each, TemporalPath
from redstart.search.difference import difference
from redstart.search.fields import FieldKind, IndexField
from redstart.search.index import Index, schema_hash
from redstart.search.json_paths import member
from redstart.values.kinds import Storage

TEXTS = frozenset({FieldKind.TAG, FieldKind.TEXT})
"""How an index takes text. In JSON, a number at such a field drops the document."""


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """The index a model needs.

    Attributes:
        old: the same with its dates as tags of text, as before 1.0.
        dates: what an index calls the fields that hold dates, whether this one has them or not.
        places: where these dates are: fields of hashes, or paths in JSON.
        schema: the text whose hash redis-om 1.x keeps beside the index.
    """

    model: str
    key_prefix: str
    index: Index
    old: Index
    dates: frozenset[str]
    places: frozenset[str]
    schema: str

    @property
    def name(self) -> str:
        """What queries call it."""
        return self.index.name

    @property
    def schema_hash(self) -> str:
        """The hash of the schema text."""
        return schema_hash(self.schema)


def planned_indexes(declarations: Iterable[ModelDeclaration]) -> list[PlannedIndex]:
    """Return the index of each model; where no field is indexed, it holds the primary key, for `find()`."""
    planned = []
    for declaration in declarations:
        index = index_of(declaration.model)
        dates = frozenset(map(attribute_of, declaration.paths.planned))
        places = frozenset(place_of(path, index.storage) for path in declaration.paths.planned)
        old, schema = _with_dates_as_tags(index, dates), reference_schema(declaration.model)
        planned.append(
            PlannedIndex(declaration.name, declaration.key_prefix, index, old, dates, places, schema)
        )
    return planned


def with_options_of(planned: PlannedIndex, previous: Index | None) -> PlannedIndex:
    """The same plan with the options of an earlier index that no model can ask for, as STOPWORDS or NOSTEM.

    Args:
        previous: the index that served before Redstart; None where there was none.
    """
    if previous is None or previous.storage is not planned.index.storage:
        return planned
    if not previous.options and not any(field.options for field in previous.fields):
        return planned
    return replace(
        planned, index=_with_options(planned.index, previous), old=_with_options(planned.old, previous)
    )


def _with_options(index: Index, previous: Index) -> Index:
    fields = (_field_with_options(field, previous.field_named(field.attribute)) for field in index.fields)
    return replace(index, fields=tuple(fields), options=index.options or previous.options)


def _field_with_options(field: IndexField, previous: IndexField | None) -> IndexField:
    if previous is None or field.options:
        return field
    if (previous.kind, previous.identifier) != (field.kind, field.identifier):
        return field
    return replace(field, options=previous.options)


def require_one_definition_each(planned: Iterable[PlannedIndex]) -> None:
    """Raises ConfigurationError when two models ask for different indexes under one name."""
    known: dict[str, PlannedIndex] = {}
    for one in planned:
        other = known.setdefault(one.name, one)
        pending = difference(other.index, one.index)
        if pending.changes:
            raise ConfigurationError(
                f"{other.model} and {one.model} have one index, {one.name}, and do not agree on it: "
                f"for {one.model} {pending.changes[0]}.",
                "Each would replace the other's. Give one of them another Meta.index_name, "
                "or leave one out with --models.",
            )


def attribute_of(path: TemporalPath) -> str:
    """What an index calls the field at a path: the names on the way to it."""
    return "_".join(segment for segment in path.segments if not isinstance(segment, Each | int))


def place_of(path: TemporalPath, storage: Storage) -> str:
    """Where an index finds the values at a path: a hash's field, or a path in JSON."""
    if storage is Storage.HASH:
        return str(path.segments[0])
    each = {Each.ITEM: "[*]", Each.VALUE: ".*"}
    return "$" + "".join(each[one] if isinstance(one, Each) else member(str(one)) for one in path.segments)


def _with_dates_as_tags(index: Index, dates: Collection[str]) -> Index:
    fields = (
        replace(field, kind=FieldKind.TAG, separator="|", sortable=False)
        if field.attribute in dates and field.kind is FieldKind.NUMERIC
        else field
        for field in index.fields
    )
    return replace(index, fields=tuple(fields), parts=None)


def moving_attributes(before: Index, planned: PlannedIndex) -> tuple[str, ...]:
    """Attributes whose data becomes numbers, and that are not numbers to the index before: `dates_as_text`, and dates
    that are indexed for the first time."""
    first = (
        field.attribute
        for field in planned.index.fields
        if field.kind is FieldKind.NUMERIC
        and field.attribute in planned.dates
        and before.field_named(field.attribute) is None
    )
    return (*dates_as_text(before, planned), *first)


def dates_as_text(before: Index, planned: PlannedIndex) -> tuple[str, ...]:
    """Attributes of dates that are tags or text to an index, by whatever name and perhaps indexed no more."""
    return tuple(
        field.attribute
        for field in before.fields
        if field.kind in TEXTS and (field.attribute in planned.dates or field.identifier in planned.places)
    )


def awaited_attributes(final: Index, moving: Collection[str]) -> tuple[str, ...]:
    """Those of the moving attributes for which an index takes numbers only: it takes a document once they are."""
    return tuple(attribute for attribute in moving if _is_number(final, attribute))


def _is_number(index: Index, attribute: str) -> bool:
    field = index.field_named(attribute)
    return field is not None and field.kind is FieldKind.NUMERIC
