"""Lookup of fields by name: `city`, or `address__city` in an embedded document."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, get_origin

from pydantic import BaseModel

from redstart.display import did_you_mean
from redstart.errors import QueryNotSupportedError, QuerySyntaxError
from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.mapping.type_tree import alternatives, complete_fields, first_field, is_named_tuple


def encoded_names(names: Iterable[str], encoding: str) -> dict[str, bytes]:
    """Return names as hashes store them; names that cannot be encoded are omitted."""
    encoded: dict[str, bytes] = {}
    for name in names:
        with suppress(UnicodeEncodeError):
            encoded[name] = name.encode(encoding)
    return encoded


def require_field(model: type[RedisModel], name: str) -> None:
    """Raise QuerySyntaxError if a model has no such field."""
    if name not in complete_fields(model):
        raise _unknown(model, name, model, "")


def path_named(model: type[RedisModel], name: str) -> tuple[str, ...]:
    """Return the names on the way to a field: the parts of its name between `__`.

    Raises:
        QuerySyntaxError: there is no such field.
    """
    if name in complete_fields(model):
        return (name,)
    path: list[str] = []
    holder: type[BaseModel] = model
    part, rest = first_field(complete_fields(holder), name)
    while rest is not None:
        path.append(part)
        if part in complete_fields(holder) and holds_list(complete_fields(holder)[part].annotation):
            raise inside_list(model, name, part, "updated", "Change the list and call save().")
        holder = _model_in(model, name, holder, part)
        part, rest = first_field(complete_fields(holder), rest)
    if part not in complete_fields(holder):
        raise _unknown(model, name, holder, f"{model_name(holder)} has no {part!r}")
    return (*path, part)


def _model_in(model: type[RedisModel], name: str, holder: type[BaseModel], part: str) -> type[BaseModel]:
    """Return the model of the documents in a field.

    Raises QuerySyntaxError unless there is exactly one, not in a list.
    """
    fields = complete_fields(holder)
    if part not in fields:
        raise _unknown(model, name, holder, f"{model_name(holder)} has no {part!r}")
    kinds = [kind for kind in alternatives(fields[part].annotation) if kind is not type(None)]
    only = kinds[0] if len(kinds) == 1 else None
    if not isinstance(only, type) or not issubclass(only, BaseModel):
        raise _unknown(model, name, holder, f"{model_name(holder)}.{part} is not an embedded document")
    return only


def holds_list(annotation: Any) -> bool:
    """Return whether a field contains a list or tuple, or None."""
    kinds = [kind for kind in alternatives(annotation) if kind is not type(None)]
    origins = [get_origin(kind) or kind for kind in kinds]
    return bool(origins) and all(
        isinstance(origin, type)
        and issubclass(origin, list | tuple | set | frozenset)
        and not is_named_tuple(origin)
        for origin in origins
    )


def inside_list(
    model: type[RedisModel], name: str, part: str, verb: str, instead: str
) -> QuerySyntaxError | QueryNotSupportedError:
    """Return the error for the name of a field inside a list."""
    label = f"{model_name(model)}.{name}"
    message = f"{label} cannot be {verb}: {part} is a list; fields inside lists cannot be {verb}."
    kind = QuerySyntaxError if verb == "updated" else QueryNotSupportedError
    return kind(message, instead, field=label)


def _unknown(model: type[RedisModel], name: str, holder: type[BaseModel], reason: str) -> QuerySyntaxError:
    because = f": {reason}" if reason and "__" in name else ""
    return QuerySyntaxError(
        f"The model {model_name(model)} has no field {name!r}{because}.",
        f"{_nearest(name, holder)}Use one of the fields of {holder.__name__}: {', '.join(complete_fields(holder))}",
        field=f"{model_name(model)}.{name}",
    )


def _nearest(name: str, holder: type[BaseModel]) -> str:
    question = did_you_mean(name.rpartition("__")[2], complete_fields(holder))
    return f"{question} " if question else ""
