"""Fields of models in queries: `Customer.age`, `Order.shipment.carrier`, `Order.lines.sku`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Final

from pydantic.fields import FieldInfo

from redstart.display import did_you_mean, shortened
from redstart.errors import QuerySyntaxError
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.index_schema import FULL_TEXT_SUFFIX, index_of
from redstart.mapping.index_types import NOTHING, Indexable, IndexType, index_type
from redstart.mapping.type_tree import alternatives, complete_fields, first_field, temporal_kind
from redstart.search.expressions import Expression, FieldExpression, fields_in, immutable
from redstart.search.query_errors import items_not_declared
from redstart.search.query_field import Operand, QueryField
from redstart.search.schema import FieldKind, Index
from redstart.values.types import Storage

OPERAND_OF_KINDS: Final = {
    FieldKind.NUMERIC: Operand.NUMBER,
    FieldKind.GEO: Operand.GEO,
    FieldKind.VECTOR: Operand.VECTOR,
}
OPERAND_OF_TAGS: Final = {
    Indexable.TEXT: Operand.TEXT,
    Indexable.BOOLEAN: Operand.BOOLEAN,
}

DISTANCES: Final = (Indexable.NUMBER, Indexable.TAG)
"""Types of fields that can receive a distance. TAG represents all unknown types, such as Any."""

METHODS: Final = "; its methods are startswith(), endswith() and contains()"


@immutable
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldProxy(FieldExpression):
    """A field of a model, or of a model embedded in it.

    Args:
        model: the model of the query.
        path: the names of the path of the field.
    """

    _model: type[MappedModel]
    _path: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self._model, type):
            raise TypeError(
                f"Cannot create a field of a query from {shortened(self._model)}. Use Model.name, "
                "or getattr(Model, name)."
            )

    def __getattr__(self, name: str) -> Any:
        held = NOTHING if name.startswith("_") else _type_at(self._model, self._path)
        embedded = held.embedded
        if held.repeated and held.indexable is Indexable.NOTHING and embedded is None:
            raise items_not_declared(_query_field(self._model, self._path), name)
        if embedded is not None and name in complete_fields(embedded):
            return FieldProxy(self._model, (*self._path, name))
        if name == "field":  # as in redis-om, unless an embedded document has a field of that name
            return _field_info(self._model, self._path)
        fields = complete_fields(embedded) if embedded else {}
        inside = f"; {model_name(embedded)} has {', '.join(fields)}" if embedded else METHODS
        question = "" if name.startswith("_") else f". {did_you_mean(name, fields)}".rstrip(". ")
        raise AttributeError(f"{self!r} has no field {name!r}{inside}{question}")

    def query_field(self) -> QueryField:
        """Return the field of the index. Raises RedisModelError if the model cannot be indexed."""
        return _query_field(self._model, self._path)

    def __repr__(self) -> str:
        return ".".join((self._model.__name__, *self._path))


def reject_foreign_fields(model: type[MappedModel], conditions: Iterable[Expression]) -> None:
    """Raise QuerySyntaxError if a condition is about a field of another model."""
    for condition in conditions:
        for field in fields_in(condition):
            if isinstance(field, FieldProxy) and not _has(model, field):
                raise QuerySyntaxError(
                    f"{field!r} is a field of {model_name(field._model)}, not of {model_name(model)}.",
                    f"Use one of the fields of {model.__name__}: {', '.join(complete_fields(model))}",
                    field=".".join((model_name(field._model), *field._path)),
                    code="E9",
                )


def _has(model: type[MappedModel], field: FieldProxy) -> bool:
    """Return whether the field is the model's own, inherited, or that of the sync or async counterpart of the model."""
    if field._model is model:
        return True
    own = query_field_named(model, ".".join(field._path))
    if own is None or issubclass(model, field._model):
        return own is not None
    theirs = field.query_field()
    return field._model._meta.index_name == model._meta.index_name and own.operand == theirs.operand


@cache
def query_field_named(model: type[MappedModel], path: str) -> QueryField | None:
    """Return a field by its name, parts joined by `__` or `.` (`shipment__carrier`); None if there is none."""
    names: list[str] = []
    current: type[MappedModel] | None = model
    rest: str | None = path
    while rest is not None:
        if current is None:
            return None
        name, rest = first_field(complete_fields(current), rest, ("__", "."))
        if name not in complete_fields(current):
            return None
        names.append(name)
        current = index_type(complete_fields(current)[name].annotation, _index(model).storage).embedded
    return _query_field(model, tuple(names))


@cache
def _index(model: type[MappedModel]) -> Index:
    return index_of(model)


@cache
def _type_at(model: type[MappedModel], path: tuple[str, ...]) -> IndexType:
    return index_type(_field_info(model, path).annotation, _index(model).storage)


def _field_info(model: type[MappedModel], path: tuple[str, ...]) -> FieldInfo:
    """Return the declaration of a field, in the model itself or in one that is embedded in it."""
    storage = _index(model).storage
    current = model
    for name in path[:-1]:
        held = index_type(complete_fields(current)[name].annotation, storage)
        assert held.embedded is not None  # otherwise fields inside it have no proxy
        current = held.embedded
    return complete_fields(current)[path[-1]]


@cache
def _query_field(model: type[MappedModel], path: tuple[str, ...]) -> QueryField:
    index, held = _index(model), _type_at(model, path)
    attribute = "_".join(path)
    indexed = index.field_named(attribute)
    label = ".".join((model_name(model), *path))
    if indexed is None:
        operand = Operand.UNINDEXED if held.embedded is None else Operand.DOCUMENT
        return QueryField(
            label,
            attribute,
            operand,
            index.storage,
            expression=_code(model, path),
            takes_distance=_takes_distance(_field_info(model, path).annotation, index.storage),
        )
    words = index.field_named(attribute + FULL_TEXT_SUFFIX)
    return QueryField(
        label=label,
        attribute=attribute,
        operand=OPERAND_OF_KINDS.get(indexed.kind) or OPERAND_OF_TAGS.get(held.indexable, Operand.TAG),
        storage=index.storage,
        separator=indexed.separator,
        case_sensitive=indexed.case_sensitive,
        full_text=words.attribute if words is not None and words.kind is FieldKind.TEXT else None,
        sortable=indexed.sortable,
        is_date=held.indexable is Indexable.DATE,
        is_list=_is_in_list(model, path) and indexed.kind is not FieldKind.VECTOR,
        type_name=_type_name(model, path),
        expression=_code(model, path),
        vector=indexed.vector,
    )


def _code(model: type[MappedModel], path: tuple[str, ...]) -> str:
    return ".".join((model.__name__, *path))


def _is_in_list(model: type[MappedModel], path: tuple[str, ...]) -> bool:
    return any(_type_at(model, path[:length]).repeated for length in range(1, len(path) + 1))


def _type_name(model: type[MappedModel], path: tuple[str, ...]) -> str:
    """Return `datetime` or `date` for a field of that type."""
    kinds = {
        temporal_kind(kind)
        for kind in alternatives(_field_info(model, path).annotation)
        if kind is not NoneType
    }
    kind = kinds.pop() if len(kinds) == 1 else None
    return "" if kind is None else kind.value


def _takes_distance(annotation: Any, storage: Storage) -> bool:
    """Return whether a field can be read with a float. A hash stores text, so that a str can."""
    types = [index_type(kind, storage) for kind in alternatives(annotation) if kind is not NoneType]
    return any(
        not (one.repeated or one.embedded or one.refused)
        and (one.indexable in DISTANCES or (one.indexable is Indexable.TEXT and storage is Storage.HASH))
        for one in types
    )
