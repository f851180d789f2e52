"""A stored document, in the old format or the new one, as an instance of its model.

In the places where a model keeps datetimes and dates, numbers and numeric text are the new format and are
read here, exactly; all other text is left to pydantic, which reads the ISO forms of the old one. So are bytes,
time spans, vectors and words that stand for other values: what JSON and hashes have no form of their own for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import AliasChoices, ValidationError
from pydantic_core import from_json

from redstart.documents.names import encoded_names
from redstart.documents.places import Place, UnreadableValue, places_of, read_places
from redstart.documents.vectors import holds_bytes, unpacked_vector, vectors_of
from redstart.documents.words import words_of
from redstart.errors import DocumentError, ValueConversionError
from redstart.mapping.annotations import allows_none, complete_fields
from redstart.mapping.models import RedisModel
from redstart.mapping.paths import Segment, display
from redstart.mapping.registry import model_name
from redstart.mapping.scalars import scalar_paths
from redstart.mapping.temporal import temporal_paths
from redstart.mapping.vectors import VectorFieldOptions
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

UTC: Final = NaiveTimezone.parse("UTC")


class UnreadableDocument(DocumentError):
    """A stored document does not fit its model.

    `key` is its key, `field` the path of the first value that does not fit, `reason` why; `reasons` has those of all
    fields that are known not to fit.
    """

    def __init__(
        self,
        model: type[RedisModel],
        primary_key: str,
        field: str,
        value: object,
        reason: str,
        *,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        self.key = model.make_primary_key(primary_key)
        self.field = field
        self.reasons = reasons or {field: reason}
        self.reason = reason
        shown = shortened(value)
        super().__init__(
            f"{model_name(model)} {self.key}: {field or 'the document'} holds {shown}: {reason}."
        )


def shortened(value: object, limit: int = 80) -> str:
    """A value as text for a message, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading the documents of one model needs, computed once.

    Args:
        names: stored names that the model knows; others are dropped, unless it keeps extra fields.
        nullable: names whose value may be None: in hashes "" stands for it.
        places: where datetimes, dates, bytes and time spans live.
        words: of hash fields that hold one of a few values, each by its text.
        vectors: vector fields, which are bytes in a hash.
        primary_key: the name of the field that is the key.
        keeps_extra: whether fields that the model does not declare are kept.
    """

    names: frozenset[str]
    nullable: frozenset[str]
    places: dict[Segment, Place]
    words: dict[str, dict[str, Any]]
    vectors: dict[str, VectorFieldOptions]
    primary_key: str
    keeps_extra: bool

    def wants(self, name: str) -> bool:
        """Whether a stored field reaches the model."""
        # 0.3.5 stored a random `pk` beside a primary key of the model's own: nobody's data.
        return name in self.names or (self.keeps_extra and name != "pk")

    def from_hash(self, model: type[RedisModel], primary_key: str, name: str, stored: bytes) -> Any:
        """What one field of a hash holds, as far as the text alone does not say it to pydantic.

        Raises:
            UnreadableDocument: it is no text, or no vector of the index.
        """
        encoding = model._meta.encoding
        try:
            if name in self.vectors and stored:
                data, numbers = unpacked_vector(stored, self.vectors[name])
                return data if holds_bytes(model, name) else numbers
            text = stored.decode(encoding)
        except UnicodeDecodeError as error:
            raise UnreadableDocument(model, primary_key, name, stored, f"not {encoding} text") from error
        except ValueConversionError as error:
            raise UnreadableDocument(model, primary_key, name, stored, error.reason) from error
        if not text and name in self.nullable:
            return None
        words = self.words.get(name)
        return text if words is None else words.get(text, text)


def document_from_hash(
    model: type[M], primary_key: str, fields: Mapping[bytes, bytes], zone: NaiveTimezone = UTC
) -> M:
    """Read the fields of a hash, in either format.

    Args:
        model: the class to make.
        primary_key: what the document was asked by; used if it does not hold its key itself.
        fields: names and values as stored, in the encoding of `Meta.encoding`.
        zone: in which datetimes stand that the model wants without an offset.

    Raises:
        UnreadableDocument: a value does not fit its field.
    """
    reader = reader_of(model, zone)
    encoding = model._meta.encoding
    texts = _names_of_texts(model, zone, encoding)
    document: dict[str, Any] = {}
    for stored_name, stored in fields.items():
        try:
            if stored and stored_name in texts:
                name = texts[stored_name]
                document[name] = stored.decode(encoding)
                continue
            name = stored_name.decode(encoding, "replace")
            if reader.wants(name):
                document[name] = reader.from_hash(model, primary_key, name, stored)
        except UnicodeDecodeError as error:
            raise UnreadableDocument(model, primary_key, name, stored, f"not {encoding} text") from error
    return _validated(model, primary_key, document, reader)


def document_from_json(model: type[M], primary_key: str, text: bytes, zone: NaiveTimezone = UTC) -> M:
    """Read a JSON document, in either format.

    Args:
        model: the class to make.
        primary_key: what the document was asked by; used if it does not hold its key itself.
        text: one JSON object, as JSON.GET without a path answers.
        zone: in which datetimes stand that the model wants without an offset.

    Raises:
        UnreadableDocument: it is no JSON object, or a value does not fit its field.
    """
    reader = reader_of(model, zone)
    try:
        value = from_json(text)
    except ValueError as error:
        raise UnreadableDocument(model, primary_key, "", text, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableDocument(model, primary_key, "", value, "not a JSON object")
    document = {name: member for name, member in value.items() if reader.wants(name)}
    return _validated(model, primary_key, document, reader)


def _validated(model: type[M], primary_key: str, document: dict[str, Any], reader: Reader) -> M:
    try:
        read_places(document, reader.places, ())
    except UnreadableValue as error:
        raise UnreadableDocument(model, primary_key, error.path, error.value, error.reason) from error
    if document.get(reader.primary_key) is None:
        document[reader.primary_key] = primary_key
    try:
        # Not strict, whatever the model says: a hash holds only text, and JSON has no dates.
        return model.model_validate(document, strict=False)
    except ValidationError as error:
        raise unreadable(model, primary_key, error) from error


def unreadable(model: type[RedisModel], primary_key: str, error: ValidationError) -> UnreadableDocument:
    """What pydantic has against a document, as an error that names it."""
    errors = error.errors(include_url=False, include_context=False)
    reasons = {display(one["loc"]): one["msg"] for one in errors}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    first = errors[0]
    return UnreadableDocument(
        model, primary_key, display(first["loc"]), first["input"], first["msg"] + more, reasons=reasons
    )


@cache
def reader_of(model: type[RedisModel], zone: NaiveTimezone) -> Reader:
    """What is known of a model before its first document. Raises RedisModelError."""
    fields = complete_fields(model)
    aliases = {alias for field in fields.values() for alias in _aliases(field.alias, field.validation_alias)}
    return Reader(
        names=frozenset(fields) | aliases,
        nullable=frozenset(name for name, field in fields.items() if allows_none(field.annotation)),
        places=places_of(temporal_paths(model).planned, scalar_paths(model), zone),
        words=words_of(model),
        vectors=vectors_of(model),
        primary_key=model._primary_key_name,
        keeps_extra=model.model_config.get("extra") == "allow",
    )


@cache
def _names_of_texts(model: type[RedisModel], zone: NaiveTimezone, encoding: str) -> dict[bytes, str]:
    """By their stored names the fields of which `Reader.from_hash` takes the text, unless it is empty."""
    reader = reader_of(model, zone)
    encoded = encoded_names(reader.names - reader.words.keys() - reader.vectors.keys(), encoding)
    return {stored_name: name for name, stored_name in encoded.items()}


def _aliases(*given: Any) -> list[str]:
    names: list[str] = []
    for alias in given:
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names += [choice for choice in choices if isinstance(choice, str)]
    return names
