"""Projections of documents, `values("name")` and `only("name", "address__city")`, and partial models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import Any, Final, get_args, get_origin

from pydantic_core import from_json

from redstart.commands.documents import hmget_command, json_get_command
from redstart.commands.resp import KeyedCommand, packed_batch
from redstart.display import did_you_mean, shortened
from redstart.documents.document_dump import dumped_fields
from redstart.documents.errors import OnUnreadable, ValueDecodeError, decode_error, reading_error
from redstart.documents.fetch import PageSizes, documents_at, primary_keys_in, shrink, stored_in
from redstart.documents.field_lookup import holds_list, inside_list
from redstart.documents.hash_decoder import hash_reader_of
from redstart.documents.renamed_fields import take_former, take_former_inside
from redstart.documents.value_decoder import Place, read_places, readable, reader_of
from redstart.effects import Op, batch, learnt
from redstart.errors import QueryNotSupportedError, QuerySyntaxError, ServerConnectionError
from redstart.mapping.base_model import model_name, validates_itself
from redstart.mapping.core_schema import by_name
from redstart.mapping.field_proxies import query_field_named
from redstart.mapping.models import RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import decorators_of, fields_in_class, has_post_init, validator_of
from redstart.mapping.renamed_fields import former_names_of, renamed_fields_of
from redstart.mapping.type_tree import (
    alternatives,
    complete_fields,
    fields_of,
    first_field,
    is_named_tuple,
    parts_of,
)
from redstart.mapping.value_paths import Segment
from redstart.search.json_paths import member
from redstart.search.query_field import Operand
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

STEP: Final = "__"
"""Between the names of a path, as in `address__city`."""

ANY_NAME: Final = "*"

PLAIN: Final = (Operand.TEXT, Operand.TAG, Operand.BOOLEAN, Operand.NUMBER, Operand.GEO)
"""The types of fields of plain values, which an index stores under their own names."""

Path = tuple[str, ...]


class PartialModel:
    """The requested fields of a document. Any other field raises AttributeError."""

    __slots__ = ("_model", "_name", "_values")

    def __init__(self, name: str, values: dict[str, Any], model: type = object) -> None:
        self._name = name
        self._values = values
        self._model = model

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
        if name not in fields_in_class(self._model) and callable(getattr(self._model, name, None)):
            raise AttributeError(self._without_method(name))
        raise AttributeError(
            f"{self._name}.{name} was not loaded, only {', '.join(self._values)}. Add it to only(), or omit only()."
        )

    def _without_method(self, name: str) -> str:
        if name in ("save", "update"):
            return f"An object of only() cannot be {name}d. Use {self._name}.get(pk), or find().update()."
        return f"An object of only() has no method {name}(). Use {self._name}.get(pk)."

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartialModel):
            return NotImplemented
        return (self._name, self._values) == (other._name, other._values)

    __hash__ = None  # type: ignore[assignment]  # as Python does for a class with `__eq__`

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"Partial{self._name}({shown})"


@dataclass(frozen=True, slots=True)
class Projection:
    """Which fields of a model are returned, and in what shape.

    Args:
        model: the model.
        paths: for each requested name, the names of the path of the field; empty for all fields.
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
        """Return the projection of a document with at least these fields."""
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
    """Return the arguments of RETURN; empty to get whole documents.

    RETURN would flatten nested JSON values, and give a renamed field only under one of its names.
    """
    words: list[str] = []
    former = former_names_of(projection.model)
    for name, path in projection.paths:
        field = query_field_named(projection.model, name)
        if len(path) > 1 or field is None or name in former:
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
        if inside is None and holds_list(annotation):
            raise inside_list(model, name, path[-1], "selected", f"Select {STEP.join(path)}.")
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
    """Return whether a field can be read without the others: no validator, alias or setting of the model affects it."""
    field, own = complete_fields(model)[name], decorators_of(model)
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
        or has_post_init(model)
        or model.model_config.get("frozen")
        or field.frozen
        or (field.validate_default and name != DEFAULT_NAME)
        or model.model_config.get("validate_default")
        or field.alias is not None
        or field.validation_alias is not None
        or getattr(field, "default_factory_takes_validated_data", False)
    )


def _part(value: Any, paths: Sequence[Path]) -> Any:
    """Return the parts of a document or map at these paths; any other value as a whole."""
    if value is None or () in paths:
        return value
    inside = {
        name: _part(_member(value, name), [path[1:] for path in paths if path[0] == name])
        for name in dict.fromkeys(path[0] for path in paths)
    }
    return inside if isinstance(value, Mapping) else PartialModel(type(value).__name__, inside, type(value))


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


def projected_at(
    projection: Projection,
    keys: Sequence[bytes],
    zone: NaiveTimezone,
    unreadable: OnUnreadable | None = None,
) -> Op[list[Any]]:
    """Return the projection of the documents with these keys, in this order. Those that no longer exist are omitted.

    Args:
        unreadable: as for `readable`.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.

    Effects: HMGET or JSON.GET for each; one round trip for each 2 MB, and a few more for the first ones. One more for
        each hash that has none of these fields, not even its primary key, because it may not exist at all.
    """
    model, tops = projection.model, projection.tops
    if not tops:
        documents = yield from documents_at(model, keys, zone, unreadable=unreadable)
        return [projection.of(document) for document in documents]
    former = former_names_of(model)
    names = tuple(
        dict.fromkeys((*tops, *(former[name] for name in tops if name in former), model._primary_key_name))
    )
    is_hash = model._storage is Storage.HASH
    read, values_of = _hash_command(names, model._meta.encoding) if is_hash else _json_command(names)
    part = _PartReader(model, zone, tops)
    page_size = (yield from learnt(PageSizes)).of(model, names)
    rest: Iterator[bytes] = iter(keys)
    found: list[Any] = []
    while page := list(islice(rest, page_size.keys)):
        try:
            replies = yield from batch(packed_batch(map(read.pack, page), len(page)))
        except ServerConnectionError:
            if len(page) == 1:
                raise
            shrink(page_size)
            rest = chain(page, rest)
            continue
        page_size.observe(replies)
        held = zip(page, primary_keys_in(model, page), stored_in(replies, values_of), strict=True)
        for key, primary_key, stored in held:
            if stored:
                # One after the other: the instance is reused.
                found += map(projection.of, readable(part.document, [(primary_key, stored)], unreadable))
            elif stored is not None:
                whole = yield from documents_at(model, [key], zone, unreadable=unreadable)
                found += map(projection.of, whole)
    return found


PartCommand = tuple[KeyedCommand, Callable[[Any], dict[Any, Any] | None]]
"""The command that reads some fields, and the function that returns the values in its reply by stored name (None:

no such document).
"""


def _hash_command(names: Sequence[str], encoding: str) -> PartCommand:
    stored_names = [name.encode(encoding) for name in names]

    def values_of(reply: list[bytes | None]) -> dict[bytes, bytes]:
        return {name: value for name, value in zip(stored_names, reply, strict=True) if value is not None}

    return hmget_command(stored_names), values_of


def _json_command(names: Sequence[str]) -> PartCommand:
    paths = {name: f"${member(name)}" for name in names}

    def values_of(reply: bytes | None) -> dict[str, Any] | None:
        if reply is None:
            return None
        matches = from_json(reply)
        if isinstance(matches, list):  # the reply for one path contains no name
            matches = {paths[names[0]]: matches}
        return {name: matches[path][0] for name, path in paths.items() if matches[path]}

    return json_get_command(list(paths.values())), values_of


class _PartReader:
    """Reads some fields of the documents of one model."""

    def __init__(self, model: type[RedisModel], zone: NaiveTimezone, tops: Sequence[str]) -> None:
        self._model = model
        self._fields = {name: complete_fields(model)[name] for name in tops}
        self._hash_reader = hash_reader_of(model, zone)
        places = reader_of(model, zone).places
        self._places: dict[Segment, Place] = {
            name: place for name, place in places.items() if name in self._fields
        }
        self._document = model.model_construct()
        self._renamed = renamed_fields_of(model)
        self._options = by_name(model)

    def document(self, primary_key: str, stored: dict[Any, Any]) -> RedisModel:
        """Return an instance, reused each time, in which only these fields are valid. Raises DocumentDecodeError."""
        model, document = self._model, self._document
        held = self._values(primary_key, stored)
        for name, field in self._fields.items():
            if name not in held:
                if field.is_required():
                    raise decode_error(model, primary_key, name, None, "Field required", is_missing=True)
                document.__dict__[name] = field.get_default(call_default_factory=True)
                continue
            try:
                _ = validator_of(model).validate_assignment(
                    document, name, held[name], strict=False, **self._options
                )
            except Exception as error:  # a validator of the application may raise anything
                raise reading_error(model, primary_key, name, held[name], error) from error
        return document

    def _values(self, primary_key: str, stored: dict[Any, Any]) -> dict[str, Any]:
        """Return the stored fields as values for the model."""
        model = self._model
        if model._storage is Storage.HASH:
            take_former(stored, self._hash_reader.renamed)
            held = self._hash_reader.values(primary_key, stored)
        else:
            if self._renamed is not None:
                take_former_inside(stored, self._renamed)
            held = {name: value for name, value in stored.items() if name in self._fields}
            try:
                read_places(held, self._places, ())
            except ValueDecodeError as error:
                raise reading_error(model, primary_key, "", stored, error) from error
        key_name = model._primary_key_name
        if key_name in self._fields and held.get(key_name) is None:
            held[key_name] = primary_key
        return held
