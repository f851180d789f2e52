"""Updates of fields of a document, in memory and on the server."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from redstart.commands.documents import Condition
from redstart.documents.fetch import raise_understood
from redstart.documents.field_lookup import path_named
from redstart.documents.projection import stands_alone
from redstart.documents.save import save_document
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.write_requests import Saving, perform
from redstart.effects import Op
from redstart.errors import CommandError, QuerySyntaxError
from redstart.mapping.base_model import model_name, validates_itself
from redstart.mapping.core_schema import by_name
from redstart.mapping.models import RedisModel, revalidate_nested
from redstart.mapping.pydantic_internals import decorators_of, extra_of, fields_set_of, validator_of
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

Changes = Mapping[tuple[str, ...], Any]
"""New values by the names of the paths of their fields."""


def update_document(document: RedisModel, fields: Mapping[str, Any], zone: NaiveTimezone) -> Op[None]:
    """Set some fields to new values, and write only these.

    Changes of other clients to other fields are kept. If the document does not exist on the server, it is saved as a
    whole.

    Args:
        fields: new values by name; `address__city` for a field of an embedded document.
        zone: what a datetime without an offset means.

    Raises:
        QuerySyntaxError: there is no such field, or the primary key would change.
        ValidationError (pydantic): a field does not accept its value.
        DocumentEncodeError: a value cannot be stored.
        WrongKeyTypeError: the key of the document holds a value of another type.

        After any of these errors, the document is unchanged, here and on the server.

    Effects: one script; atomic. One round trip; two more if the document does not exist, and one for each script that
        a server is given for the first time. Safe to repeat.
    """
    changes = {path_named(type(document), name): value for name, value in fields.items()}
    if not changes:
        return
    changed = changed_document(document, changes)
    yield from _written(changed, changes, zone)
    _set_changed(document, changed, changes)


def assign(document: RedisModel, fields: Mapping[str, Any]) -> Callable[[], None]:
    """Set some fields to new values, only in memory.

    Return the function that undoes this. Raises what `update_document` raises.
    """
    changes = {path_named(type(document), name): value for name, value in fields.items()}
    before, fields_set = dict(document.__dict__), set(fields_set_of(document))
    if changes:
        _set_changed(document, changed_document(document, changes), changes)

    def restore() -> None:
        document.__dict__.clear()
        document.__dict__.update(before)
        fields_set_of(document).intersection_update(fields_set)

    return restore


def _set_changed(document: RedisModel, changed: RedisModel, changes: Changes) -> None:
    for path in changes:
        document.__dict__[path[0]] = changed.__dict__[path[0]]
        fields_set_of(document).add(path[0])


def primary_key_changed(model: type[RedisModel]) -> QuerySyntaxError:
    """Return the error for an update of the primary key, which would write another document and keep the old one."""
    name = model._primary_key_name
    return QuerySyntaxError(
        f"{model_name(model)}.{name} is the primary key, which update() cannot change.",
        "Save the document with its new primary key, and delete the old one.",
        field=f"{model_name(model)}.{name}",
    )


def _written(changed: RedisModel, paths: Iterable[tuple[str, ...]], zone: NaiveTimezone) -> Op[None]:
    form = storage_adapter(type(changed))
    write = form.change(changed, zone, written_paths(changed, paths))
    try:
        # Other clients may delete and create the document in between; the loop ends as soon as they stop.
        while not (yield from perform(write)):
            if (yield from save_document(changed, zone, Saving(Condition.NX))):
                return
    except CommandError as error:
        raise_understood(error, changed.key(), form)
        raise


def changed_document(document: M, changes: Changes) -> M:
    """Return a copy of a document with new values, validated as a whole.

    Raises:
        ValidationError (pydantic): a field does not accept its value.
        QuerySyntaxError: the copy has another primary key.
    """
    for path, value in changes.items():
        _refuse_frozen(type(document), path[0], value)
    values = {name: document.__dict__[name] for name in type(document).model_fields}
    for path, value in changes.items():
        values[path[0]] = _changed_value(values[path[0]], path[1:], value)
    options = {} if validates_itself(type(document)) else by_name(type(document))
    checked: M = type(document).model_validate(values | extra_of(document), **options)
    if checked.key() != document.key():  # given so, or by a validator
        raise primary_key_changed(type(document))
    revalidate_nested(getattr(checked, path[0]) for path in changes)
    return checked


def changed_alone(model: type[M], primary_key: str, changes: Changes) -> M | None:
    """Return a document with only these new values, each validated; None if they depend on other fields.

    Raises:
        ValidationError: a field does not accept its value.
    """
    decorators = decorators_of(model)
    if decorators.computed_fields or decorators.field_serializers or decorators.model_serializers:
        return None
    if not all(len(path) == 1 and stands_alone(model, path[0]) for path in changes):
        return None
    document = model.model_construct()
    validate = validator_of(model).validate_assignment
    for (name,), value in changes.items():
        _ = validate(document, name, value)
    revalidate_nested(document.__dict__[name] for (name,) in changes)
    try:
        _ = validate(document, model._primary_key_name, primary_key, strict=False)
    except ValidationError:
        return None
    known = {model._primary_key_name, *(name for (name,) in changes)}
    for name in document.__dict__.keys() - known:
        del document.__dict__[name]
    return document


def _refuse_frozen(model: type[BaseModel], name: str, value: Any) -> None:
    """Raise what pydantic raises when a frozen field is assigned to."""
    is_frozen = bool(model.model_config.get("frozen"))
    if is_frozen or model.model_fields[name].frozen:
        kind = "frozen_instance" if is_frozen else "frozen_field"
        line = InitErrorDetails(type=kind, loc=(name,), input=value)
        raise ValidationError.from_exception_data(model.__name__, [line])


def written_paths(document: BaseModel, paths: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the fields to write: those at these paths, and the computed fields that may depend on them."""
    written: dict[tuple[str, ...], None] = {}
    for path in paths:
        written[path] = None
        holder: Any = document
        for depth, name in enumerate(path):
            if not isinstance(holder, BaseModel):
                break
            computed = decorators_of(type(holder)).computed_fields
            written.update({(*path[:depth], one): None for one in computed})
            holder = getattr(holder, name)
    return list(written)


def _changed_value(current: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    if not isinstance(current, BaseModel):
        return {path[0]: _changed_value(None, path[1:], value)}  # the embedded document does not exist yet
    _refuse_frozen(type(current), path[0], value)
    values = dict(current)
    values[path[0]] = _changed_value(values[path[0]], path[1:], value)
    return type(current).model_validate(values, **by_name(type(current)))
