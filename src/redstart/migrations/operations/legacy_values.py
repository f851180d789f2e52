"""Operations on values of earlier versions of redis-om: dates of 1.0, bytes and embedded keys of 0.x."""

import base64
import binascii
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from redstart.errors import MigrationStateError, NotConvertibleError, ValueConversionError
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.value_paths import display
from redstart.migrations.operations.base import (
    ChangedDocument,
    DocumentChange,
    DocumentOperation,
    model_title,
    not_convertible,
)
from redstart.migrations.operations.document import BytesOrJson, Document, JsonObject, is_same
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.fields import RemovedField, codec_of
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.operations.value_types import Segments, ValueType, parse_path, path_of
from redstart.values.lossless_json import JsonNumber
from redstart.values.stored_text import bytes_text
from redstart.values.timestamps import EPOCH, MICROSECOND, microseconds_from_number
from redstart.values.timezones import NaiveTimezone

IfBase64: TypeAlias = Literal["encode", "keep"]
"""What EncodeBytes does with text that is Base64 already: it may be of either version."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class ConvertLocalMidnights(DocumentOperation):
    """Convert dates that redis-om 1.0 stored as midnight in local time to midnight in UTC, as 1.1 and later do.

    Dates at midnight in UTC, and text, stay unchanged.

    Args:
        model: the name of the model.
        name: the field, of the type `date` or of a list or map of dates.
        timezone: the zone in which the application ran: `UTC`, or a name such as `Europe/Berlin`.
        within: the path of the embedded model that has it; "" for the model itself.
    """

    model: str
    name: str
    timezone: str = dataclasses.field(kw_only=True)
    within: str = dataclasses.field(default="", kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        path = path_of(self.name, self.within)
        return (
            f"Convert the dates {path} of {model_title(self.model)} from midnight in {self.timezone} to UTC."
        )

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the same models: only the stored form changes."""
        _ = _field_of(state, self.model, self.name, self.within, "date")
        _ = _zone_of(self.timezone)
        return state

    def inverse(self, before: ProjectState) -> None:
        """Return None: the models are the same."""
        _ = self.apply(before)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        codec = codec_of(self.apply(before).model(self.model))
        zone = _zone_of(self.timezone)

        def forward(value: BytesOrJson) -> BytesOrJson:
            instant = _instant_of(value)
            if instant is None or instant % (_DAY // MICROSECOND) == 0:
                return value
            near = (EPOCH + instant * MICROSECOND).toordinal()
            for ordinal in range(max(near - 1, 1), min(near + 1, date.max.toordinal()) + 1):
                day = date.fromordinal(ordinal)
                if _midnight(day, zone) == instant:
                    return codec.write(day)
            raise ValueConversionError(f"neither midnight in UTC nor in {self.timezone}")

        def backward(value: BytesOrJson) -> BytesOrJson:
            instant = _instant_of(value)
            if instant is None or instant % (_DAY // MICROSECOND):
                return value
            local = _midnight((EPOCH + instant * MICROSECOND).date(), zone)
            try:
                return codec.write(EPOCH + local * MICROSECOND)
            except OverflowError as error:
                raise ValueConversionError(f"midnight in {self.timezone} is out of range") from error

        return _ConvertedLeaves(parse_path(self.within), self.name, forward, backward)


def _instant_of(value: BytesOrJson) -> int | None:
    """Return the microseconds of a stored number; None for other values. Raises ValueConversionError."""
    if isinstance(value, bytes):
        try:
            _ = float(value)
        except ValueError:
            return None
        return microseconds_from_number(value.decode())
    return microseconds_from_number(value) if isinstance(value, JsonNumber) else None


def _zone_of(name: str) -> ZoneInfo:
    """Return a time zone. Raises MigrationStateError for `local`, and ConfigurationError for an unknown name."""
    if name.casefold() == "local":
        raise MigrationStateError(
            "The time zone of ConvertLocalMidnights cannot be 'local': it differs between machines.",
            "Name the zone in which the application ran, such as Europe/Berlin.",
        )
    return ZoneInfo(NaiveTimezone.parse(name).name)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Return midnight as `datetime.timestamp()` does: at a change of the offset, by the offset before it."""
    return (datetime.combine(day, time.min, tzinfo=zone) - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class EncodeBytes(DocumentOperation):
    """Encode bytes that redis-om 0.x stored as text in Base64, as 1.0 and later read them.

    Args:
        model: the name of the model.
        name: the field, of the type `bytes` or of a list or map of bytes.
        if_base64: what to do with text that is Base64 already. `encode`, the default: it is text of 0.x; each document
            is changed once. `keep`: a later version has written it.
        within: the path of the embedded model that has it; "" for the model itself.
    """

    model: str
    name: str
    if_base64: IfBase64 = dataclasses.field(default="encode", kw_only=True)
    within: str = dataclasses.field(default="", kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        kept = "; Base64 stays" if self.if_base64 == "keep" else ""
        path = path_of(self.name, self.within)
        return f"Encode the bytes {path} of {model_title(self.model)} from text to Base64{kept}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the same models: only the stored form changes."""
        _ = _field_of(state, self.model, self.name, self.within, "bytes")
        if self.if_base64 not in ("encode", "keep"):
            raise MigrationStateError(f"if_base64 of {self.model} has to be 'encode' or 'keep'.")
        return state

    def inverse(self, before: ProjectState) -> None:
        """Return None: the models are the same."""
        _ = self.apply(before)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        keeps = self.if_base64 == "keep"

        def forward(value: BytesOrJson) -> BytesOrJson:
            return value if keeps and _decoded(value) is not None else _encoded(value)

        return _ConvertedLeaves(parse_path(self.within), self.name, forward, _plain, decided_by_shape=keeps)


def _encoded(value: BytesOrJson) -> BytesOrJson:
    if isinstance(value, bytes):
        return bytes_text(value).encode()
    if not isinstance(value, str) or isinstance(value, JsonNumber):
        return value
    try:
        return bytes_text(value.encode())
    except UnicodeEncodeError as error:
        raise ValueConversionError("not valid text") from error


def _plain(value: BytesOrJson) -> BytesOrJson:
    """Return the text that redis-om 0.x stores for Base64. Raises ValueConversionError."""
    data = _decoded(value)
    if data is None:
        return value
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueConversionError("redis-om 0.x cannot store bytes that are not UTF-8 text") from error
    return data if isinstance(value, bytes) else text


def _decoded(value: BytesOrJson) -> bytes | None:
    """Return the bytes of Base64; None for other values."""
    if not isinstance(value, str | bytes) or isinstance(value, JsonNumber):
        return None
    text = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data) == text else None


Convert: TypeAlias = Callable[[BytesOrJson], BytesOrJson]
"""Returns the new stored form of a value, or the value itself. Raises ValueConversionError."""


class _ConvertedLeaves(DocumentChange):
    """A field whose single values are converted, also those in lists and maps."""

    def __init__(
        self,
        within: Segments,
        name: str,
        forward: Convert,
        backward: Convert,
        *,
        decided_by_shape: bool = True,
    ) -> None:
        self._within, self._name = within, name
        self._forward, self._backward = forward, backward
        self.reads = self.writes = ((*within, name),)
        self.decided_by_shape = decided_by_shape

    def is_pending(self, document: Document) -> bool:
        return any(self._is_pending(holder) for _, holder in document.holders(self._within))

    def _is_pending(self, holder: JsonObject) -> bool:
        if self._name not in holder:
            return False
        try:
            return not is_same(_mapped(holder[self._name], self._forward), holder[self._name])
        except ValueConversionError:
            return True

    def forward(self, document: Document) -> Document:
        return self.change(document).document

    def change(self, document: Document) -> ChangedDocument:
        changed = document.copy()
        failures: list[NotConvertibleError] = []
        for location, holder in changed.holders(self._within):
            if self._name in holder:
                value = holder[self._name]
                try:
                    holder[self._name] = _mapped(value, self._forward)
                except ValueConversionError as error:
                    failures.append(not_convertible((*location, self._name), value, error.reason))
        return ChangedDocument(changed, failures)

    def backward(self, document: Document) -> Document:
        changed = document.copy()
        for location, holder in changed.holders(self._within):
            if self._name in holder:
                value = holder[self._name]
                try:
                    holder[self._name] = _mapped(value, self._backward)
                except ValueConversionError as error:
                    raise not_convertible((*location, self._name), value, error.reason) from error
        return changed


def _mapped(value: Any, convert: Convert) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(member, convert) for name, member in value.items()}
    if isinstance(value, list):
        return [_mapped(item, convert) for item in value]
    return convert(value)


@dataclass(frozen=True)
class RemoveEmbeddedKey(DocumentOperation):
    """Remove the `pk` that redis-om 0.x stored in each embedded model. Models of 1.0 and later do not read it.

    Args:
        model: the name of the model.
        within: the path of the embedded model, such as `address` or `lines[]`.
    """

    model: str
    within: str

    only_removes: ClassVar[bool] = True

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return f"Remove the key {path_of(DEFAULT_NAME, self.within)} of {model_title(self.model)}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the same models: they do not have the field."""
        fields = state.model(self.model).fields_within(self.within)
        if not self.within or any(one.name == DEFAULT_NAME for one in fields):
            raise MigrationStateError(
                f"{path_of(DEFAULT_NAME, self.within)} is a field of {self.model}: its values are in use.",
                "Remove this operation, or use RemoveField.",
            )
        return state

    def inverse(self, before: ProjectState) -> None:
        """Return None: the models are the same."""
        _ = self.apply(before)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document. Backward, redis-om 0.x makes a new key when it reads the document."""
        _ = self.apply(before)
        return RemovedField(parse_path(self.within), DEFAULT_NAME, None, is_written=False, has_backward=True)


def _field_of(state: ProjectState, model: str, name: str, within: str, kind: str) -> FieldState:
    """Return a field. Raises MigrationStateError if it has no values of a type."""
    field = state.model(model).field_at(name, within)
    if not _has(field.value_type, kind):
        raise MigrationStateError(
            f"{path_of(name, within)} of {model} has the type {field.type}, and no values of the type {kind}."
        )
    return field


def _has(kind: ValueType, name: str) -> bool:
    return kind.name == name or any(_has(one, name) for one in kind.arguments)


class LegacyValues(StrEnum):
    """Values for which a migration file can be written from the models."""

    LOCAL_MIDNIGHTS = "local-midnights"
    BYTES = "bytes"
    EMBEDDED_KEYS = "embedded-keys"


def legacy_operations(
    state: ProjectState, values: LegacyValues, timezone: str | None = None
) -> list[DocumentOperation]:
    """Return the operations on all fields of the models that may have such values.

    Args:
        timezone: of local midnights.
    """
    found: list[DocumentOperation] = []
    for model in state.models.values():
        for within, field in _fields_of(model.fields, ""):
            is_in_use = not within and field.name == model.primary_key
            if values is LegacyValues.LOCAL_MIDNIGHTS and _has(field.value_type, "date") and not is_in_use:
                found.append(
                    ConvertLocalMidnights(model.name, field.name, timezone=timezone or "UTC", within=within)
                )
            elif values is LegacyValues.BYTES and _has(field.value_type, "bytes") and not is_in_use:
                found.append(EncodeBytes(model.name, field.name, within=within))
            elif (
                values is LegacyValues.EMBEDDED_KEYS
                and (place := _place_of(field, within)) is not None
                and all(one.name != DEFAULT_NAME for one in field.fields)
            ):
                found.append(RemoveEmbeddedKey(model.name, place))
    return found


def _fields_of(fields: Sequence[FieldState], within: str) -> Iterator[tuple[str, FieldState]]:
    """Yield all fields, also those of embedded models, each with the path of its embedded model."""
    for field in fields:
        yield within, field
        place = _place_of(field, within)
        if place is not None:
            yield from _fields_of(field.fields, place)


def _place_of(field: FieldState, within: str) -> str | None:
    """Return the path of the embedded model that a field contains; None without one."""
    steps = field.value_type.steps_to_object()
    return None if steps is None else display((*parse_path(within), field.name, *steps))
