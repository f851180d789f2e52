"""The index of each model: its final definition, its dual-format definition, and its changing attributes.

A dual-format index contains every document while its data changes between text and numeric format.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from redstart.errors import ConfigurationError
from redstart.mapping.index_schema import index_of, reference_schema
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import ValuePath, index_path
from redstart.migrations.operations.state import ModelState
from redstart.search.schema import FieldKind, Index, IndexField, difference, schema_hash, schema_text
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


def planned_index(model: ModelState, before: ModelState | None) -> PlannedIndex:
    """Return the index of a model for the index engine.

    An attribute that becomes a number from text is a changing one: until the documents are converted, an index that
    accepts both formats is active.
    """
    index = model.index
    assert index is not None
    former = None if before is None or before.storage is not model.storage else before.index
    changing = {
        one.attribute
        for one in index.fields
        if one.kind is FieldKind.NUMERIC
        and former is not None
        and (known := former.field_named(one.attribute)) is not None
        and known.kind in (FieldKind.TAG, FieldKind.TEXT)
    }
    fields = tuple(
        (former.field_named(one.attribute) or one)
        if former is not None and one.attribute in changing
        else one
        for one in index.fields
    )
    places = frozenset(one.identifier for one in index.fields if one.attribute in changing)
    return PlannedIndex(
        model.name,
        model.key_prefix,
        index,
        replace(index, fields=fields, parts=None),
        frozenset(changing),
        places,
        schema_text(index),
    )


_STRINGS, _NUMBERS, _BOOLEANS = '@{0}>""', "@{0}>0||@{0}<=0", "@{0}==true||@{0}==false"
"""RedisJSON 2.8 applies such filters to a scalar; other versions may not, so they are probed on a scratch index."""


def accepts_both_formats(index: Index, changing: Collection[str]) -> bool:
    """Return whether documents stay in this index while the changing attributes change between text and numbers."""
    kinds = {field.kind for field in index.fields if field.attribute in changing}
    return not kinds or (index.storage is Storage.HASH and kinds <= TEXTS)


def filtered_index(index: Index, changing: Collection[str], *, booleans: bool = False) -> Index:
    """Return the index with changing attributes that index strings, or numbers if NUMERIC, and skip everything else.

    Args:
        booleans: whether attributes that are text also index true and false, as TAG does.
    """
    fields = (
        replace(field, identifier=filtered_path(field.identifier, field.kind, booleans=booleans))
        if field.attribute in changing
        else field
        for field in index.fields
    )
    return replace(index, fields=tuple(fields), parts=None)


def bridge_index(index: Index, changing: Collection[str]) -> Index:
    """Return the index without the changing attributes, for servers that do not support such paths."""
    return replace(index, fields=tuple(f for f in index.fields if f.attribute not in changing), parts=None)


def dual_format_index(index: Index, changing: Collection[str], *, supports_path_filters: bool) -> Index:
    """Return the dual-format index for an old index: the index itself, if it accepts both formats."""
    if accepts_both_formats(index, changing):
        return index
    return (filtered_index if supports_path_filters else bridge_index)(index, changing)


def is_dual_format(active: Index, legacy: Index, changing: Collection[str]) -> bool:
    """Return whether an index is already a dual-format index."""
    definitions = (filtered_index(legacy, changing), bridge_index(legacy, changing))
    return any(not difference(active, definition).changes for definition in definitions)


def transitional_index(
    index: Index, target: Index, kept: Collection[str], *, supports_path_filters: bool
) -> Index:
    """Return an index with the attributes of another one that contains each document, changed or not.

    Args:
        index: accepts the documents that are not changed. It is returned if it accepts both.
        target: accepts the documents that are changed.
        kept: attributes of hashes whose values are numbers in both.
    """
    changing = changed_formats(index, target) - set(kept)
    if index.storage is Storage.JSON:
        changed = (
            filtered_index(index, changing, booleans=True)
            if supports_path_filters
            else bridge_index(index, changing)
        )
    else:
        fields = (_as_text(one, target) if one.attribute in changing else one for one in index.fields)
        changed = replace(index, fields=tuple(fields), parts=None)
    return index if changed.fields == index.fields else changed


def changed_formats(index: Index, target: Index) -> set[str]:
    """Return the attributes that are text in one of two indexes and numbers in the other."""
    return {
        one.attribute
        for one in index.fields
        if (other := target.field_named(one.attribute)) is not None
        and {one.kind in TEXTS, other.kind in TEXTS} == {True, False}
        and FieldKind.NUMERIC in (one.kind, other.kind)
    }


def _as_text(field: IndexField, target: Index) -> IndexField:
    """Return a field of a hash that accepts text and numbers, as in a target that has it as text."""
    other = target.field_named(field.attribute)
    if field.kind in TEXTS or other is None:
        return field
    return replace(other, identifier=field.identifier)


def filtered_path(path: str, kind: FieldKind, *, booleans: bool = False) -> str:
    """Return a JSON path that leads to numbers only if the field is NUMERIC, else to strings only.

    Args:
        booleans: see `filtered_index`. A TEXT rejects them.
    """
    if "[?(@" in path:
        return path
    condition = _NUMBERS if kind is FieldKind.NUMERIC else _STRINGS
    if booleans and kind is FieldKind.TAG:
        condition = f"{_STRINGS}||{_BOOLEANS}"
    # `$.lines[*].at` filters the items of the list, `$.at` and `$.shipment.at` the value itself.
    head, star, tail = path.rpartition("[*]")
    if star and tail:
        return f"{head}[?({condition.format(tail)})]{tail}"
    return f"{head if star else path}[?({condition.format('')})]"
