"""Properties of a model that readers of hashes and JSON need."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError

from redstart.documents.errors import OnUnreadable, unexpected, unreadable
from redstart.documents.value_decoder import Place, places_of
from redstart.errors import DocumentDecodeError
from redstart.mapping.annotations import allows_none, alternatives, complete_fields, names_read
from redstart.mapping.core_schema import by_name
from redstart.mapping.models import RedisModel
from redstart.mapping.overrides import validates_itself
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.scalars import scalar_paths
from redstart.mapping.temporal_paths import temporal_paths
from redstart.mapping.value_paths import Segment
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

Read: TypeAlias = Callable[[str, Any], M]
"""Makes an instance from its primary key, which is used if the document does not contain it, and its stored form.

Raises DocumentDecodeError for a value that does not fit its field.
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known of the documents of one model, computed once.

    Args:
        names: stored names that the model knows; others are dropped, unless it keeps extra fields.
        nullable: names of fields that may be None; in hashes "" stands for None.
        places: where datetimes, dates, bytes and time spans are.
        keeps_extra: whether fields that the model does not declare are kept.
    """

    names: frozenset[str]
    nullable: frozenset[str]
    places: dict[Segment, Place]
    keeps_extra: bool

    def wants(self, name: str) -> bool:
        """Return whether a stored field is passed to the model."""
        return name in self.names or self.wants_extra(name)

    def wants_extra(self, name: str) -> bool:
        """Return whether an unknown stored field is passed to the model."""
        # redis-om 0.3.5 stored a random `pk` beside a custom primary key; it means nothing.
        return self.keeps_extra and name != DEFAULT_NAME


@cache
def reader_of(model: type[RedisModel], zone: NaiveTimezone) -> Reader:
    """Return the reader of a model. Raises RedisModelError."""
    fields = complete_fields(model)
    return Reader(
        names=names_read(model),
        nullable=frozenset(name for name, field in fields.items() if allows_none(field.annotation)),
        places=places_of(temporal_paths(model).planned, scalar_paths(model), zone),
        keeps_extra=model.model_config.get("extra") == "allow",
    )


def validated(model: type[M], primary_key: str, document: dict[str, Any]) -> M:
    """Return the instance that pydantic makes of these values by field name. Raises DocumentDecodeError."""
    set_primary_key(model, primary_key, document)
    key_name = model._primary_key_name
    try:
        # Not strict, whatever the model says: a hash holds only text, and JSON has no dates.
        read: M
        if is_plain(model):
            read = model.__pydantic_validator__.validate_python(document, strict=False)
        elif validates_itself(model):
            read = model.model_validate(document)
        else:
            read = model.__pydantic_validator__.validate_python(document, strict=False, **by_name(model))
    except ValidationError as error:
        raise unreadable(model, primary_key, error) from error
    except Exception as error:
        field = _field_of(model, document, error)
        raise unexpected(model, primary_key, field, document.get(field, document), error) from error
    if not primary_key:  # redis-om stored it so; with a new one it would be saved twice
        read.__dict__[key_name] = ""
    return read


def set_primary_key(model: type[RedisModel], primary_key: str, document: dict[str, Any]) -> None:
    """Put the primary key among the values of a document where it is missing, or where only the key has it exactly.

    Hashes and JSON keep neither the zeros of `Decimal("1.50")` nor the offset of a datetime. With another text of its
    primary key, a document that was read would be saved under another key.
    """
    name, parse = model._primary_key_name, parser_of_key(model)
    if document.get(name) is None:
        document[name] = primary_key
    elif parse is not None:
        with suppress(ValueError, ArithmeticError):
            document[name] = parse(primary_key)


@cache
def parser_of_key(model: type[RedisModel]) -> Callable[[str], Any] | None:
    """Return the parser of primary keys, for types whose equal values have different texts."""
    kinds = alternatives(complete_fields(model)[model._primary_key_name].annotation)
    parsers: dict[Any, Callable[[str], Any]] = {Decimal: Decimal, datetime: datetime.fromisoformat}
    found = [parsers.get(kind) for kind in kinds if kind is not type(None)]
    return found[0] if len(found) == 1 else None


def _field_of(model: type[RedisModel], document: dict[str, Any], raised: Exception) -> str:
    """Return the field whose validation alone raises the same error; empty if that is not known."""
    decorators = model.__pydantic_decorators__
    if decorators.model_validators or decorators.root_validators:
        return ""
    name = ""
    try:
        instance = model.model_construct()
        for name in [name for name in model.model_fields if name in document]:
            with suppress(ValidationError):
                _ = model.__pydantic_validator__.validate_assignment(
                    instance, name, document[name], strict=False
                )
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        return name if (type(error), str(error)) == (type(raised), str(raised)) else ""
    return ""


def readable(read: Read[M], documents: Iterable[tuple[str, Any]], unreadable: OnUnreadable | None) -> list[M]:
    """Return the instances of some documents, given by primary key and stored form, without those that do not exist.

    Args:
        read: makes the instance.
        documents: None as the stored form of one that no longer exists.
        unreadable: called with the error of each document that cannot be read, and is left out; None to raise it.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.
    """
    if unreadable is None:
        return [read(primary_key, stored) for primary_key, stored in documents if stored is not None]
    found: list[M] = []
    for primary_key, stored in documents:
        if stored is not None:
            try:
                found.append(read(primary_key, stored))
            except DocumentDecodeError as error:
                unreadable(error)
    return found


@cache
def is_plain(model: type[RedisModel]) -> bool:
    """Return whether pydantic validates stored values without more ado: by field name, and nothing else does."""
    return not validates_itself(model) and not by_name(model)
