"""The conversion of a field to another type: value by value, with a failure mode."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from redstart.errors import MigrationStateError, NotConvertibleError, ValueConversionError
from redstart.mapping.value_paths import Location
from redstart.migrations.failure import MOVED, NOT_MOVED, QUARANTINE_SUFFIX, REPLACED, FailureMode
from redstart.migrations.operations.base import (
    ChangedDocument,
    DocumentChange,
    DocumentOperation,
    Unchanged,
    model_title,
    not_convertible,
)
from redstart.migrations.operations.casts import ConvertedValue, ValueConverter
from redstart.migrations.operations.document import (
    BytesOrJson,
    Document,
    JsonObject,
    copy_value,
    is_same,
    shown,
)
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.fields import changed_model, codec_of, stored_default
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import (
    ARRAYS,
    MOMENTS,
    NUMBERS,
    Segments,
    ValueType,
    parse_path,
    path_of,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage


class StoredShape:
    """Which of two types a stored value has, as far as the value shows it.

    Args:
        before, after: the types.
        is_custom: whether a function of the user makes the new values.
    """

    def __init__(self, before: ValueType, after: ValueType, codec: ValueCodec, *, is_custom: bool) -> None:
        self._before, self._after, self._codec = before, after, codec
        # In a hash all text is a str; but the number of a datetime is not the text that a parser of dates reads.
        self._tells_dates = is_custom and before.name == "str" and after.name in MOMENTS
        self._is_custom = is_custom

    def is_new(self, stored: BytesOrJson) -> bool:
        """Return whether a value is one of the new type and not one of the old type."""
        if not self._codec.is_canonical(self._after, stored):
            return self._reads(self._after, stored) and not self._reads(self._before, stored)
        return self._tells_dates or not self._codec.is_canonical(self._before, stored)

    def is_old(self, stored: BytesOrJson) -> bool:
        """Return whether a value is one of the old type and not one of the new type."""
        if not self._codec.is_canonical(self._before, stored):
            return False
        return not self._codec.is_canonical(self._after, stored)

    @property
    def decides(self) -> bool:
        """Return whether each value that could be of either type is stored alike in both."""
        before, after = _item(self._before), _item(self._after)
        is_json = self._codec.storage is Storage.JSON
        if is_json and _json_kind(self._before) != _json_kind(self._after):
            return True
        if self._is_custom:
            return self._tells_dates
        if "bytes" in (before.name, after.name):
            return False  # text may be base64 by accident
        return is_json or before.name not in MOMENTS or after.name in (*NUMBERS, *MOMENTS)

    @property
    def keeps_numbers(self) -> bool:
        """Return whether numbers in a hash become text that an index of numbers accepts."""
        numbers = ("int", "float", "Decimal")
        return not self._is_custom and self._before.name in numbers and self._after.name in ("str", *numbers)

    def _reads(self, kind: ValueType, stored: BytesOrJson) -> bool:
        try:
            _ = self._codec.read(kind, stored)
        except ValueConversionError:
            return False
        return True


def _item(kind: ValueType) -> ValueType:
    return _item(kind.arguments[0]) if kind.name in ARRAYS and kind.arguments else kind


def _json_kind(kind: ValueType) -> str:
    """Return the kind of JSON value that a type is stored as, as far as values of the types are converted."""
    if kind.name in ARRAYS:
        return f"array of {_json_kind(kind.arguments[0])}" if kind.arguments else "array"
    if kind.name in ("int", "float", "Decimal", "timedelta", *MOMENTS):
        return "number"
    if kind.choices:
        return " or ".join(sorted({"text" if isinstance(one, str) else "number" for one in kind.choices}))
    return "boolean" if kind.name == "bool" else "text"


class ConvertedField(DocumentChange):
    """A field that is converted to another type.

    Args:
        within: the path of the object that contains it.
        name: the field.
        shape: distinguishes converted values from others.
        converter: converts single values.
        on_failure: what to do with a value that cannot be converted.
        replacement: the stored value for the mode `default`; None in a hash is an absent field.
        empty_is_none: whether an empty text in a hash means None. It is removed: a hash stores None as an absent field,
            and a numeric index accepts no empty text.
        absent_is_none: whether both versions read None where the field is absent, and not another default.
    """

    def __init__(
        self,
        within: Segments,
        name: str,
        shape: StoredShape,
        converter: ValueConverter,
        on_failure: FailureMode,
        replacement: BytesOrJson,
        *,
        empty_is_none: bool,
        absent_is_none: bool,
    ) -> None:
        self._within, self._name, self._shape, self._converter = within, name, shape, converter
        self._replacement = replacement
        self._empty_is_none, self._absent_is_none = empty_is_none, absent_is_none
        self.on_failure = on_failure
        self._aside = f"{name}{QUARANTINE_SUFFIX}"
        self.reads = ((*within, name),)
        self.writes = ((*within, self._aside), *self.reads) if self._quarantines else self.reads
        if empty_is_none:
            self.in_place = self.reads  # an index accepts the document only without the empty text
        self.decided_by_shape = shape.decides
        self.has_backward = converter.is_reversible
        self.keeps_numbers = shape.keeps_numbers

    @property
    def _quarantines(self) -> bool:
        return self.on_failure is FailureMode.QUARANTINE

    def is_pending(self, document: Document) -> bool:
        """Return whether a value has to be converted."""
        return any(self._is_pending(holder) for _, holder in document.holders(self._within))

    def _is_pending(self, holder: JsonObject) -> bool:
        value = holder.get(self._name)
        if value is None or (not self._is_empty(value) and self._shape.is_new(value)):
            return False
        try:
            return not is_same(self._converted(value).stored, value)
        except ValueConversionError:
            return True

    def _converted(self, value: BytesOrJson) -> ConvertedValue:
        """Return the converted value; None in a hash is an absent field. Raises ValueConversionError."""
        if not self._is_empty(value):
            return self._converter.convert(value)
        if not self._absent_is_none:
            raise ValueConversionError("an empty text means None, but without it the field has its default")
        return ConvertedValue(None, is_lossy=True)

    def lossy(self, document: Document) -> list[Location]:
        """Return the locations of the values whose old bytes cannot be made from the new ones."""
        found: list[Location] = []
        for location, holder in document.holders(self._within):
            if self._is_pending(holder):
                try:
                    if self._converted(holder[self._name]).is_lossy:
                        found.append((*location, self._name))
                except ValueConversionError:
                    continue
        return found

    def forward(self, document: Document) -> Document:
        """Return the document with converted values."""
        return self.change(document).document

    def change(self, document: Document) -> ChangedDocument:
        """Return the document with converted values, and the failures among them."""
        changed = document.copy()
        failures: list[NotConvertibleError] = []
        for location, holder in changed.holders(self._within):
            if self._is_pending(holder):
                value = holder[self._name]
                try:
                    self._replace(holder, self._converted(value).stored, document.storage)
                except ValueConversionError as error:
                    failure = not_convertible((*location, self._name), value, error.reason)
                    if self.on_failure is FailureMode.FAIL:
                        raise failure from error
                    failures.append(self._failed(failure, holder, document.storage))
        return ChangedDocument(changed, failures)

    def _failed(
        self, failure: NotConvertibleError, holder: JsonObject, storage: Storage
    ) -> NotConvertibleError:
        """Treat a failed value according to the failure mode, and return its failure with its fate."""
        fate = ""
        if self.on_failure is FailureMode.DEFAULT:
            self._replace(holder, self._replacement, storage)
            fate = f"{REPLACED}{shown(self._replacement) or 'no value'}"
        elif self._quarantines and self._aside in holder:
            fate = f"{NOT_MOVED}{self._aside} exists already"
        elif self._quarantines:
            holder[self._aside] = holder[self._name]
            self._replace(holder, None, storage)
            fate = f"{MOVED}{self._aside}"
        return NotConvertibleError(failure.path, failure.value, f"{failure.reason}{fate}")

    def _replace(self, holder: JsonObject, value: BytesOrJson, storage: Storage) -> None:
        if storage is Storage.HASH and value is None:
            del holder[self._name]
        else:
            holder[self._name] = copy_value(value)

    def backward(self, document: Document) -> Document:
        """Return the document with values of the old type. Quarantined values return to their field."""
        changed = document.copy()
        for location, holder in changed.holders(self._within):
            if self._quarantines and self._aside in holder and self._is_none(holder.get(self._name)):
                holder[self._name] = holder.pop(self._aside)
                continue
            value = holder.get(self._name)
            if self._is_none(value) or self._shape.is_old(value):
                continue
            try:
                holder[self._name] = self._converter.convert_back(value)
            except ValueConversionError as error:
                raise not_convertible((*location, self._name), value, error.reason) from error
        return changed

    def _is_none(self, value: BytesOrJson) -> bool:
        return value is None or self._is_empty(value)

    def _is_empty(self, value: BytesOrJson) -> bool:
        """Return whether a value is an empty text that means None."""
        return self._empty_is_none and value == b""


_CHANGED: Final = ("type", "default")
"""What ConvertField may change."""


@dataclass(frozen=True)
class ConvertField(DocumentOperation):
    """Convert the values of a field to another type. None stays None; an empty text that means None is removed.

    Args:
        model: the name of the model.
        before: the field before the change.
        after: the field after the change.
        within: the path of the embedded model that has it; "" for the model itself.
        on_failure: what to do with a value that cannot be converted. `fail` stops the run.
        default: what replaces such a value in the mode `default`; by default the default of the field.
        parse: a function that returns the new value for the old one, in place of the conversion of Redstart.
        format: a function that returns the old value for a new one, if `parse` is given. None: there is no inverse.
        naive_timezone: the zone of datetimes without an offset in text: `UTC`, or a name such as `Europe/Berlin`. None:
            such text cannot be converted.
    """

    model: str
    before: FieldState
    after: FieldState
    within: str = dataclasses.field(default="", kw_only=True)
    on_failure: FailureMode = dataclasses.field(default=FailureMode.LOG_AND_SKIP, kw_only=True)
    default: Any = dataclasses.field(default=NO_DEFAULT, kw_only=True)
    parse: Callable[[Any], Any] | None = dataclasses.field(default=None, kw_only=True)
    format: Callable[[Any], Any] | None = dataclasses.field(default=None, kw_only=True)
    naive_timezone: str | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "on_failure", FailureMode(self.on_failure))
        except ValueError as error:
            modes = ", ".join(FailureMode)
            raise MigrationStateError(f"on_failure of {self.model} has to be one of {modes}.") from error

    @property
    def is_reversible(self) -> bool:
        """Return whether newer values can be converted back."""
        return self.parse is None or self.format is not None

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        path = path_of(self.after.name, self.within)
        return f"Convert {path} of {model_title(self.model)} from {self.before.type} to {self.after.type}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new type."""
        model = changed_model(state, self.model, self.before, self.after, self.within, _CHANGED)
        if not self.within and self.before.name == model.primary_key:
            raise MigrationStateError(
                f"{self.before.name!r} is the primary key of {self.model} and cannot be converted: "
                "the keys contain its text."
            )
        _ = self._converter(codec_of(model))
        return state.with_model(model)

    def inverse(self, before: ProjectState) -> "ConvertField | None":
        """Return the inverse conversion; None if there is only `parse`."""
        _ = self.apply(before)
        if not self.is_reversible:
            return None
        return ConvertField(
            self.model,
            self.after,
            self.before,
            within=self.within,
            on_failure=self.on_failure,
            parse=self.format,
            format=self.parse,
            naive_timezone=self.naive_timezone,
        )

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        model = self.apply(before).model(self.model)
        if self.parse is None and self.after.value_type.includes(self.before.value_type):
            return Unchanged()
        codec = codec_of(model)
        replacement: BytesOrJson = None
        if self.on_failure is FailureMode.DEFAULT:
            value = self.after.default if self.default is NO_DEFAULT else self.default
            if value is NO_DEFAULT:
                raise MigrationStateError(
                    f"The conversion of {self.model}.{path_of(self.after.name, self.within)} has no default for values "
                    "that cannot be converted.",
                    "Add default= to the operation, or choose another mode for on_failure.",
                )
            replacement = None if value is None else stored_default(model, self.after, value)
        return ConvertedField(
            parse_path(self.within),
            self.after.name,
            StoredShape(
                self.before.value_type, self.after.value_type, codec, is_custom=self.parse is not None
            ),
            self._converter(codec),
            self.on_failure,
            replacement,
            empty_is_none=self.before.is_optional,
            absent_is_none=self.before.reads_absent_as_none and self.after.reads_absent_as_none,
        )

    def _converter(self, codec: ValueCodec) -> ValueConverter:
        before, after = self.before.value_type, self.after.value_type
        zone = None if self.naive_timezone is None else NaiveTimezone.parse(self.naive_timezone)
        converter = ValueConverter(before, after, codec, zone=zone, parse=self.parse, format=self.format)
        if before == after or not converter.is_supported:
            raise MigrationStateError(
                f"There is no conversion of {path_of(self.after.name, self.within)} of {self.model} from "
                f"{before} to {after}.",
                "Pass the function that makes the new value as parse=, or use Transform.",
            )
        return converter
