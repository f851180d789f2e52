"""The index of each model, and its changing attributes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from redstart.errors import ConfigurationError
from redstart.mapping.index_schema import index_of, reference_schema
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import ValuePath, index_path
from redstart.search.schema import FieldKind, Index, IndexField, schema_hash
from redstart.search.schema_diff import difference
from redstart.values.types import Storage

TEXTS = frozenset({FieldKind.TAG, FieldKind.TEXT})
"""Types of text fields. In JSON, a number in such a field drops the document from the index."""


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """The index a model needs.

    Attributes:
        old: the same index with its changing attributes as TAG, as before 1.0.
        attributes: the names of attributes whose type changes with the data, indexed or not.
        identifiers: fields of hashes, or paths in JSON, that have their values.
        schema: the text whose hash redis-om 1.x stores for the index.
    """

    model: str
    key_prefix: str
    index: Index
    old: Index
    attributes: frozenset[str]
    identifiers: frozenset[str]
    schema: str

    @property
    def name(self) -> str:
        """Return the name that queries use."""
        return self.index.name

    @property
    def schema_hash(self) -> str:
        """Return the hash of the schema text."""
        return schema_hash(self.schema)


def planned_indexes(declarations: Iterable[ModelDeclaration]) -> list[PlannedIndex]:
    """Return the index of each model; if no field is indexed, it contains the primary key, for `find()`."""
    planned = []
    for declaration in declarations:
        index = index_of(declaration.model)
        attributes = frozenset(path.attribute for path in declaration.paths.planned)
        identifiers = frozenset(path_of(path, index.storage) for path in declaration.paths.planned)
        old, schema = _with_tags(index, attributes), reference_schema(declaration.model)
        planned.append(
            PlannedIndex(
                declaration.name, declaration.key_prefix, index, old, attributes, identifiers, schema
            )
        )
    return planned


def with_options_of(planned: PlannedIndex, previous: Index | None) -> PlannedIndex:
    """Return the plan with those options of an earlier index that no model can declare, such as STOPWORDS or NOSTEM.

    Args:
        previous: the index before Redstart; None if there was none.
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
    """Raise ConfigurationError if two models declare different indexes of one name."""
    known: dict[str, PlannedIndex] = {}
    for one in planned:
        other = known.setdefault(one.name, one)
        pending = difference(other.index, one.index)
        if pending.changes:
            raise ConfigurationError(
                f"Models {other.model} and {one.model} share the index {one.name} but define it differently: "
                f"for {one.model} {pending.changes[0]}.",
                "Give one model another Meta.index_name, or load only one of them with --models.",
            )


def path_of(path: ValuePath, storage: Storage) -> str:
    """Return the identifier of a path in an index: a field of a hash, or a path in JSON."""
    if storage is Storage.HASH:
        return str(path.segments[0])
    return index_path(path.segments)


def _with_tags(index: Index, attributes: Collection[str]) -> Index:
    fields = (
        replace(field, kind=FieldKind.TAG, separator="|", sortable=False)
        if field.attribute in attributes and field.kind is FieldKind.NUMERIC
        else field
        for field in index.fields
    )
    return replace(index, fields=tuple(fields), parts=None)


def changing_attributes(before: Index, planned: PlannedIndex) -> tuple[str, ...]:
    """Return the changing attributes: `text_attributes`, and those that are indexed for the first time."""
    first = (
        field.attribute
        for field in planned.index.fields
        if field.kind is FieldKind.NUMERIC
        and field.attribute in planned.attributes
        and before.field_named(field.attribute) is None
    )
    return (*text_attributes(before, planned), *first)


def text_attributes(before: Index, planned: PlannedIndex) -> tuple[str, ...]:
    """Return the changing attributes that an index has as TAG or TEXT, of any name and perhaps no longer declared."""
    return tuple(
        field.attribute
        for field in before.fields
        if field.kind in TEXTS
        and (field.attribute in planned.attributes or field.identifier in planned.identifiers)
    )


def pending_attributes(final: Index, changing: Collection[str]) -> tuple[str, ...]:
    """Return the changing attributes that are NUMERIC in an index: it contains a document only after conversion."""
    return tuple(attribute for attribute in changing if _is_number(final, attribute))


def _is_number(index: Index, attribute: str) -> bool:
    field = index.field_named(attribute)
    return field is not None and field.kind is FieldKind.NUMERIC
