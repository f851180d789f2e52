"""Projections of documents: `values("name")` and `only("name", "address__city")`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args, get_origin

from redstart.display import did_you_mean
from redstart.documents.document_dump import dumped_fields
from redstart.errors import QueryNotSupportedError, QuerySyntaxError, shortened
from redstart.mapping.annotations import (
    alternatives,
    complete_fields,
    fields_of,
    first_field,
    is_named_tuple,
)
from redstart.mapping.field_proxies import query_field_named
from redstart.mapping.models import RedisModel
from redstart.mapping.overrides import validates_itself
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.registry import model_name
from redstart.mapping.type_tree import parts_of
from redstart.search.json_paths import member
from redstart.search.query_field import Operand
from redstart.values.types import Storage

STEP: Final = "__"
"""Between the names of a path, as in `address__city`."""

ANY_NAME: Final = "*"

PLAIN: Final = (Operand.TEXT, Operand.TAG, Operand.BOOLEAN, Operand.NUMBER, Operand.GEO)
"""What an index has of plain values, under their own names."""

Path = tuple[str, ...]


class PartialModel:
    """The fields of a document that a query asked for. Any other raises AttributeError."""

    __slots__ = ("_name", "_values")

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self._name = name
        self._values = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        top, rest = first_field(self._values, name)
        if rest is not None and top in self._values:
            value = self._values[top]
            return (
                getattr(value, rest)
                if isinstance(value, PartialModel)
                else _followed(value, rest.split(STEP))
            )
        raise AttributeError(
            f"{self._name}.{name} was not loaded, only {', '.join(self._values)}. Add it to only(), or omit only()."
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartialModel):
            return NotImplemented
        return (self._name, self._values) == (other._name, other._values)

    __hash__ = None  # type: ignore[assignment]  # as Python itself does it for a class that compares

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"Partial{self._name}({shown})"


@dataclass(frozen=True, slots=True)
class Projection:
    """Which fields of a model are returned, and in what shape.

    Args:
        model: the model.
        paths: for each requested name, the names on the way to the field; empty for all fields.
        as_dict: return dicts of plain values (`values`); if False, partial objects (`only`).
    """

    model: type[RedisModel]
    paths: tuple[tuple[str, Path], ...]
    as_dict: bool

    @property
    def tops(self) -> Path:
        """Return the top-level fields to read; empty if whole documents have to be read."""
        names = tuple(dict.fromkeys(path[0] for _, path in self.paths))
        return names if all(stands_alone(self.model, name) for name in names) else ()

    def of(self, document: RedisModel) -> Any:
        """Return the projection of a document of which at least these fields are known."""
        if not self.as_dict:
            return _part(document, [path for _, path in self.paths])
        if not self.paths:
            return document.model_dump()
        values = dumped_fields(document, {path[0] for _, path in self.paths})
        return {name: _followed(values, path) for name, path in self.paths}


def projection_of(model: type[RedisModel], names: Sequence[str], *, as_dict: bool) -> Projection:
    """Return the projection to the fields with these names; `address__city` for embedded documents and maps.

    Raises:
        QueryNotSupportedError: there is no such field, or it is inside a list.
    """
    return Projection(
        model, tuple((name, _path(model, name)) for name in dict.fromkeys(map(checked_name, names))), as_dict
    )


def checked_name(name: object) -> str:
    """Return the name, if it is a str. Raises QuerySyntaxError for anything else, for example `Model.field`."""
    if not isinstance(name, str):
        raise QuerySyntaxError(
            f"Expected the name of a field; got {shortened(name)}.",
            'Give names as strings, for example "age".',
            value=name,
        )
    return name


def returned_fields(projection: Projection) -> tuple[str, ...]:
    """Return the arguments of RETURN; empty to get whole documents, because RETURN would flatten nested JSON values."""
    words: list[str] = []
    for name, path in projection.paths:
        field = query_field_named(projection.model, name)
        if len(path) > 1 or field is None:
            return ()
        if field.storage is Storage.HASH or (
            field.operand in PLAIN and not _has_parts(projection.model, name)
        ):
            words.append(name)
        elif field.operand is Operand.UNINDEXED and not _has_parts(projection.model, name):
            words += (f"${member(name)}", "AS", name)
        else:
            return ()
    return tuple(words)


def _has_parts(model: type[RedisModel], name: str) -> bool:
    return any(parts_of(kind) is not None for kind in alternatives(complete_fields(model)[name].annotation))


def _path(model: type[RedisModel], name: str) -> Path:
    fields = complete_fields(model)
    if name in fields:
        return (name,)
    top, rest = first_field(fields, name)
    if top not in fields:
        raise _no_such_field(model, name, f"{model_name(model)} has no field {top!r}", complete_fields(model))
    annotation: Any = fields[top].annotation
    path = [top]
    while rest is not None:
        inside = _annotations_inside(annotation)
        step, rest = first_field(inside or (), rest)
        if inside is None:
            raise _no_such_field(model, name, f"{path[-1]!r} is not an embedded document or a map", fields)
        if step not in inside and ANY_NAME not in inside:
            raise _no_such_field(model, name, f"the embedded document has no field {step!r}", inside)
        annotation = inside.get(step, inside.get(ANY_NAME))
        path.append(step)
    return tuple(path)


def _annotations_inside(annotation: Any) -> Mapping[str, Any] | None:
    """Return the fields of an embedded document, or ANY_NAME of a map; None for all other types."""
    kinds = [kind for kind in alternatives(annotation) if kind is not type(None)]
    if len(kinds) != 1 or is_named_tuple(kinds[0]):
        return None
    fields = fields_of(kinds[0])
    if fields is not None:
        return fields
    origin = get_origin(kinds[0]) or kinds[0]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {ANY_NAME: (*get_args(kinds[0]), Any, Any)[1]}
    return None


def _no_such_field(
    model: type[RedisModel], name: str, problem: str, known: Mapping[Any, Any]
) -> QueryNotSupportedError:
    label = f"{model_name(model)}.{name}"
    question = did_you_mean(name.rpartition("__")[2], map(str, known))
    hint = f"{question} Use one of the fields: {', '.join(known)}".lstrip()
    return QueryNotSupportedError(f"Cannot load {label}: {problem}.", hint, field=label)


@cache
def stands_alone(model: type[RedisModel], name: str) -> bool:
    """Return whether a field can be read without the others: no validator, alias or setting of the model touches it."""
    field, own = complete_fields(model)[name], model.__pydantic_decorators__
    checked = [
        fields for one in own.field_validators.values() for fields in one.info.fields if name != DEFAULT_NAME
    ]
    return not (
        validates_itself(model)
        or own.model_validators
        or own.model_serializers
        or own.root_validators
        or own.validators
        or {name, "*"} & set(checked)
        or model.__pydantic_post_init__ is not None
        or model.model_config.get("frozen")
        or field.frozen
        or (field.validate_default and name != DEFAULT_NAME)
        or model.model_config.get("validate_default")
        or field.alias is not None
        or field.validation_alias is not None
        or getattr(field, "default_factory_takes_validated_data", False)
    )


def _part(value: Any, paths: Sequence[Path]) -> Any:
    """Return the parts of a document or map that these paths lead to; any other value whole."""
    if value is None or () in paths:
        return value
    inside = {
        name: _part(_member(value, name), [path[1:] for path in paths if path[0] == name])
        for name in dict.fromkeys(path[0] for path in paths)
    }
    return inside if isinstance(value, Mapping) else PartialModel(type(value).__name__, inside)


def _followed(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = _member(value, name)
    return value


def _member(value: Any, name: str) -> Any:
    """Return a field of a document, or a member of a map; None if it does not exist."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name)
