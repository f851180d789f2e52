"""The conversion of a field to another type."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from redstart.errors import MigrationStateError
from redstart.migrations.failure import FailureMode
from redstart.migrations.operations.base import DocumentChange, DocumentOperation, Unchanged, model_title
from redstart.migrations.operations.casts import ValueConverter
from redstart.migrations.operations.converted_field import ConvertedField, StoredShape
from redstart.migrations.operations.document import StoredValue
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.fields import changed_model, codec_of, stored_default
from redstart.migrations.operations.paths import parse_path, path_of
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.values.timezones import NaiveTimezone

_CHANGED: Final = ("type", "default")
"""What ConvertField may change."""


@dataclass(frozen=True)
class ConvertField(DocumentOperation):
    """Convert the values of a field to another type. None stays None; an empty text that means None is removed.

    Args:
        model: the name of the model.
        before: the field as it was.
        after: the field as it becomes.
        within: the path of the embedded model that has it; "" for the model itself.
        on_failure: what to do with a value that cannot be converted. `fail` stops the run.
        default: what replaces such a value in the mode `default`; by default the default of the field.
        parse: makes the new value from the old one, instead of the conversion that Redstart knows.
        format: makes the old value from a new one, if `parse` is given. Without it there is no inverse.
        naive_timezone: the zone of datetimes without an offset in text: `UTC` or as `Europe/Berlin`. None: such text
            cannot be converted.
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
        """Return one sentence."""
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
        """Return the conversion back; None if only `parse` knows it."""
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
        replacement: StoredValue = None
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
