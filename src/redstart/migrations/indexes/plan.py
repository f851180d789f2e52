"""Which index each model needs, and which of its attributes change their type together with the data."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from redstart.mapping.declaration import ModelDeclaration
from redstart.mapping.index import index_of, reference_schema
from redstart.mapping.paths import Each, TemporalPath
from redstart.search.fields import FieldKind
from redstart.search.index import Index, schema_hash


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """The index a model needs, and what redis-om 1.x keeps beside it.

    Attributes:
        dates: what redis-om calls the fields that hold dates, whether the index has them or not.
    """

    model: str
    key_prefix: str
    index: Index
    schema: str
    dates: frozenset[str]

    @property
    def name(self) -> str:
        """What queries call it."""
        return self.index.name

    @property
    def schema_hash(self) -> str:
        """The hash of the schema text."""
        return schema_hash(self.schema)


def planned_indexes(declarations: Iterable[ModelDeclaration]) -> list[PlannedIndex]:
    """The indexes of the models that index anything besides their primary key, or say index=True."""
    planned = []
    for declaration in declarations:
        index = index_of(declaration.model)
        if declaration.model._index or len(index.fields) > 1:
            schema = reference_schema(declaration.model)
            dates = frozenset(map(_attribute, declaration.paths.planned))
            planned.append(PlannedIndex(declaration.name, declaration.key_prefix, index, schema, dates))
    return planned


def _attribute(path: TemporalPath) -> str:
    return "_".join(str(step) for step in path.segments if not isinstance(step, Each))


def moving_attributes(before: Index, planned: PlannedIndex) -> tuple[str, ...]:
    """Attributes that an index has as tags and whose data becomes numbers: dates, also those indexed no more."""
    return tuple(
        field.attribute
        for field in before.fields
        if field.kind is FieldKind.TAG
        and (field.attribute in planned.dates or _is_number(planned.index, field.attribute))
    )


def waits_for_data(final: Index, moving: Collection[str]) -> bool:
    """Whether an index takes documents only once their data has changed."""
    return any(_is_number(final, attribute) for attribute in moving)


def _is_number(index: Index, attribute: str) -> bool:
    field = index.field_named(attribute)
    return field is not None and field.kind is FieldKind.NUMERIC
