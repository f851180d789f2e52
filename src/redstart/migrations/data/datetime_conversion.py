"""The data migration of dates: text of an instant becomes a number of seconds, and back.

Nothing is guessed. Text of one instant is converted; a number that reads back is left unchanged; everything else is
left unchanged, too, with the reason. The rules are the same for hashes and JSON, except for null and for numbers
inside JSON strings, which are text.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from redstart.errors import PlanChangedError, StateDamagedError, ValueConversionError
from redstart.mapping.base_model import model_name
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.temporal_paths import temporal_paths
from redstart.mapping.type_tree import Shape, ShapeReader
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.state_keys import BUILT_IN_MIGRATION, StateKeys
from redstart.migrations.transformation import (
    CONVERTED,
    DEFAULT_STYLE,
    NULL,
    OTHER_STYLE,
    Classification,
    Conversion,
    PlainConverter,
    PlainValues,
    RecordedSettings,
    Texts,
    Transformation,
)
from redstart.next_steps import Command, Hint
from redstart.values.datetime_parser import (
    MAX_CHARACTERS,
    WHITE_SPACE,
    are_naive_texts,
    number_of_written_text,
    numbers_of_uniform_texts,
    read_temporal_number,
    read_temporal_text,
)
from redstart.values.lossless_json import JsonNumber, JsonValue, restores_exactly
from redstart.values.timestamps import (
    ALWAYS_EXACT_MICROSECONDS,
    END_SECOND,
    EPOCH,
    FIRST_SECOND,
    NUMBER,
    exact_microseconds,
    microseconds_from_number,
    number_text,
    reads_back,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind

DATETIME_MIGRATION = BUILT_IN_MIGRATION
"""The id of the migration, the same as in redis-om."""

SECONDS_PER_DAY = 86_400.0

DEFAULT_NUMBER = b"0.0"
"""The number that failure mode `default` writes: 1970-01-01."""

_MAX_ROUNDING_MICROSECONDS = 64
"""How much RedisJSON may change a number far from 1970: it rounds the last digit."""

_ZONE = "naive_timezone"

_new = tuple.__new__  # calling the class of a named tuple takes twice as long, for millions of values

# Looking up a member of an enum costs as much as parsing a date.
_DATE = TemporalKind.DATE
_CONVERTIBLE = Classification.CONVERTIBLE

_ALREADY = Conversion(Classification.ALREADY)
_NULL = Conversion(Classification.NULL)


def _unconvertible(reason: str) -> Conversion:
    return Conversion(Classification.UNCONVERTIBLE, reason=reason)


_NOT_UTF8 = _unconvertible("not valid UTF-8")
_EMPTY = _unconvertible("empty string")
_EMPTY_JSON_STRING = _unconvertible('empty string (use null for "no value" in JSON)')
_NOT_READABLE = _unconvertible("out of range: would round past year 9999")
_NOT_RESTORABLE = _unconvertible("a number that the server could not restore exactly")
_JSON_BOOLEAN = _unconvertible("not a date: JSON boolean")
_JSON_OBJECT = _unconvertible("not a date: JSON object")
_JSON_ARRAY = _unconvertible("not a date: JSON array")


def _convert_json_string(value: str, kind: TemporalKind, naive_timezone: NaiveTimezone) -> Conversion:
    if value.isascii():  # else it may hold a lone surrogate, which has no bytes
        written = number_of_written_text(value.encode(), kind, naive_timezone)
        if written is not None:
            return Conversion(_CONVERTIBLE, written[0], None, written[1])
    return _convert_text(value, kind, naive_timezone, numbers_are_stored_form=False)


def _convert_text(
    text: str, kind: TemporalKind, naive_timezone: NaiveTimezone, *, numbers_are_stored_form: bool
) -> Conversion:
    if len(text) <= MAX_CHARACTERS and NUMBER.fullmatch(number := text.strip(WHITE_SPACE)) is not None:
        is_stored_form = numbers_are_stored_form and len(number) == len(text)
        return _convert_number(number, kind, is_stored_form=is_stored_form)
    try:
        microseconds, naive, exact = read_temporal_text(text, kind, naive_timezone)
    except ValueConversionError as error:
        return _unconvertible(error.reason)
    return _converted(microseconds, exact=exact, naive=naive)


def _convert_number(text: str, kind: TemporalKind, *, is_stored_form: bool) -> Conversion:
    """Convert a number of seconds or milliseconds.

    Args:
        text: a match of NUMBER.
        kind: the declared type of the field.
        is_stored_form: whether the number is stored like one in numeric format; if it reads back it stays unchanged.
    """
    if is_stored_form:
        if kind is not _DATE and exact_microseconds(text) is not None:
            return _ALREADY
        seconds = float(text)
        if FIRST_SECOND <= seconds < END_SECOND and (kind is not _DATE or seconds % SECONDS_PER_DAY == 0):
            return _ALREADY
    try:
        microseconds, _, exact = read_temporal_number(text, kind)
    except ValueConversionError as error:
        return _unconvertible(error.reason)
    return _converted(microseconds, exact=exact, naive=None)


def _converted(microseconds: int, *, exact: bool, naive: bool | None) -> Conversion:
    text = number_text(microseconds)
    if not -ALWAYS_EXACT_MICROSECONDS <= microseconds <= ALWAYS_EXACT_MICROSECONDS:
        if not FIRST_SECOND <= float(text) < END_SECOND:
            return _NOT_READABLE
        if not reads_back(text, microseconds):
            return Conversion(
                Classification.LOSSY,
                text.encode(),
                "rounded: a float has no such microsecond so far from 1970",
                naive,
            )
    if not exact:
        return Conversion(Classification.LOSSY, text.encode(), "rounded: digits below the microsecond", naive)
    return Conversion(_CONVERTIBLE, text.encode(), None, naive)


def legacy_text(
    number: str, *, kind: TemporalKind, storage: Storage, naive: bool, naive_timezone: NaiveTimezone
) -> bytes | None:
    """Return a stored number of seconds in text format, as bytes of a hash value or as JSON text.

    Args:
        number: the stored number.
        kind: the declared type of the field.
        storage: 0.3.5 wrote the offset of UTC as `+00:00` in hashes and as `Z` in JSON.
        naive: write a datetime without an offset, in local time of `naive_timezone`. If that time is ambiguous, or its
            year is not 1 to 9999, it is written in UTC and with its offset.
        naive_timezone: the zone of a datetime without an offset.

    Returns:
        The text; None for what is not a number of seconds in the years 1 to 9999.
    """
    try:
        if kind is TemporalKind.DATE:
            text = (EPOCH + timedelta(microseconds=microseconds_from_number(number))).date().isoformat()
        else:
            microseconds = microseconds_from_number(number)
            shown = naive_timezone.naive_datetime(microseconds) if naive else None
            text = _utc_text(microseconds, storage) if shown is None else shown.isoformat()
    except ValueConversionError:
        return None
    return f'"{text}"'.encode() if storage is Storage.JSON else text.encode()


def _utc_text(microseconds: int, storage: Storage) -> str:
    text = (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    return text.removesuffix("+00:00") + "Z" if storage is Storage.JSON else text


def conflicting_types(name: str, paths: Iterable[ValuePath], other: type[RedisModel]) -> Iterator[str]:
    """Return a description of each date of a model that another model declares with another type."""
    shape = ShapeReader().read(other)
    kinds = {path.segments: path.kind for path in temporal_paths(other).planned}
    for path in paths:
        declared = _shape_at(shape, path)
        if declared is None or kinds.get(path.segments) == path.kind:
            continue
        types = [str(kind) for kind in set(declared.temporal.values())] + declared.others
        what = " or ".join(dict.fromkeys(types)) or "an object"
        yield f"{path} is {path.kind} in {name} and {what} in {model_name(other)}"


def _shape_at(shape: Shape, path: ValuePath) -> Shape | None:
    """Return what may stand at a path; None if it is not declared."""
    declared: Shape | None = shape
    for segment in path.segments:
        declared = None if declared is None else declared.steps.get(segment)
    return declared


@dataclass(frozen=True, slots=True)
class DatetimeConversion(Transformation):
    """Converts text of dates and datetimes to numbers.

    Attributes:
        naive_timezone: the zone of datetimes without an offset. Text without one is the default style.
    """

    naive_timezone: NaiveTimezone

    migration_id: ClassVar[str] = DATETIME_MIGRATION
    title: ClassVar[str] = "Convert dates and datetimes stored as text to numbers"
    changes_indexes: ClassVar[bool] = True
    texts: ClassVar[Texts] = Texts(
        values="dates",
        unconverted="still in text format",
        preexisting="pre-existing number",
        no_inverse="no equivalent in text format",
        may_be_default="ambiguous: a date, or a 0 that replaced a failed value",
        default="0",
        undeclared="a converted date in a field that {model} no longer declares",
        plan_changed="The models or the naive time zone have changed since the interrupted run was started.",
    )

    @classmethod
    def of_zone(cls, name: str) -> "DatetimeConversion":
        """Return the conversion with the zone of this name. Raises ConfigurationError."""
        return cls(NaiveTimezone.parse(name))

    @property
    def settings(self) -> RecordedSettings:
        """The name of the zone."""
        return ((_ZONE, self.naive_timezone.name),)

    @classmethod
    def of(cls, settings: RecordedSettings) -> "DatetimeConversion":
        """Return the conversion with the settings of a plan.

        Raises:
            ConfigurationError: the zone is another local time zone than that of this process, or unknown.
            StateDamagedError: there is no zone among the settings.
        """
        zone = dict(settings).get(_ZONE)
        if zone is None:
            raise _not_of_this_migration(f"has no {_ZONE}")
        return cls.of_zone(zone)

    def as_recorded(self, settings: RecordedSettings, kinds: Collection[str]) -> "DatetimeConversion":
        """Return the conversion as the runs of a stored plan used it."""
        for kind in kinds:
            _ = _kind_of(kind)
        return self.of(settings)

    def settings_error(self, stored: RecordedSettings, current: RecordedSettings) -> PlanChangedError:
        """Return the error for a run with another zone."""
        before, now = dict(stored).get(_ZONE), dict(current).get(_ZONE)
        return PlanChangedError(
            f"Values without an offset were interpreted in the time zone {before}, and would now be "
            f"interpreted in {now}.",
            Hint(
                f"Restore the setting {_ZONE}, or roll back first with: ",
                Command("migrate-data rollback", self.migration_id),
            ),
        )

    def paths(self, declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        """Return the paths of dates and datetimes."""
        return tuple(
            ValuePath(path.segments, path.kind, path.optional, siblings=path.siblings)
            for path in declaration.paths.planned
        )

    def conflicts(self, name: str, paths: Sequence[ValuePath], other: type[RedisModel]) -> Iterator[str]:
        """Yield the dates that another model declares with another type."""
        return conflicting_types(name, paths, other)

    def convert_hash(self, raw: bytes, path: ValuePath) -> Conversion:
        """Classify and convert the value of a hash field. Never raises for a value.

        If the field may be None, that is an empty value in a hash.
        """
        kind = path.kind
        if type(kind) is not TemporalKind:
            kind = _kind_of(kind)
        written = number_of_written_text(raw, kind, self.naive_timezone)
        if written is not None:
            return _new(Conversion, (_CONVERTIBLE, written[0], None, written[1], None))
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return _NOT_UTF8
        if not text:
            return _NULL if path.optional else _EMPTY
        return _convert_text(text, kind, self.naive_timezone, numbers_are_stored_form=True)

    def convert_json(self, value: JsonValue, path: ValuePath) -> Conversion:
        """Classify and convert a value inside a JSON document. Never raises for a value.

        A null is left unchanged whether the field may be None or not; an empty string is never null.
        """
        kind = path.kind
        if type(kind) is not TemporalKind:
            kind = _kind_of(kind)
        if isinstance(value, JsonNumber):
            conversion = _convert_number(value, kind, is_stored_form=True)
            return (
                _NOT_RESTORABLE if conversion.new is not None and not restores_exactly(value) else conversion
            )
        if isinstance(value, str):
            if not value:
                return _EMPTY_JSON_STRING if path.optional else _EMPTY
            return _convert_json_string(value, kind, self.naive_timezone)
        if value is None:
            return _NULL
        if isinstance(value, bool):
            return _JSON_BOOLEAN
        return _JSON_OBJECT if isinstance(value, dict) else _JSON_ARRAY

    def plain_converter(self, kind: str, storage: Storage) -> PlainConverter:
        """Return the converter of text as isoformat() writes it; numbers in seconds stay, and so do nulls in JSON.

        It takes a quarter of the time of a full classification.
        """
        known, zone = _kind_of(kind), self.naive_timezone
        columns = _Columns(known, zone, is_json=storage is Storage.JSON)
        return PlainConverter(columns.convert, columns.classify)

    def convert_back(
        self, raw: bytes, path: ValuePath, storage: Storage, *, is_default_style: bool
    ) -> bytes | None:
        """Return the text that redis-om 0.3.5 would have stored."""
        return legacy_text(
            raw.decode(),
            kind=_kind_of(path.kind),
            storage=storage,
            naive=is_default_style,
            naive_timezone=self.naive_timezone,
        )

    def default(self, storage: Storage) -> bytes:  # noqa: ARG002 - the same in hashes and JSON
        """Return the number 0."""
        return DEFAULT_NUMBER

    def is_default(self, stored: bytes) -> bool:
        """Return whether a stored value is the number 0."""
        try:
            return NUMBER.fullmatch(stored.decode()) is not None and float(stored) == 0
        except UnicodeDecodeError:
            return False

    def index_attribute(self, path: ValuePath) -> str:
        """Return the attribute of the date, which becomes numeric."""
        return path.attribute

    def is_same(self, stored: bytes, sent: bytes) -> bool:
        """Return whether two numbers are equal but for rounding."""
        if stored == sent:
            return True
        distance = microseconds_from_number(stored.decode()) - microseconds_from_number(sent.decode())
        return abs(distance) <= _MAX_ROUNDING_MICROSECONDS


_is_near_number = re.compile(rb"-?[0-9]{1,10}(?:\.[0-9]{1,6})?").fullmatch
# Possessive quantifiers: without backtracking, a match takes less than half the time.
_are_near_numbers = re.compile(rb"(?:-?[0-9]{1,10}+(?:\.[0-9]{1,6}+)?+\n)++").fullmatch


@dataclass(frozen=True, slots=True)
class _Columns:
    """Converts many values of one kind; together, if all of them are numbers, or texts of one form."""

    kind: TemporalKind
    zone: NaiveTimezone
    is_json: bool

    def convert(self, values: Sequence[bytes]) -> PlainValues:
        """Return all of some values."""
        count = len(values)
        if self._are_numbers(values):
            return PlainValues([CONVERTED] * count, [None] * count, [None] * count)
        found = numbers_of_uniform_texts(self._texts(values), self.kind, self.zone)
        # Below one second, servers may write an exponent.
        if found is not None and not (self.is_json and found.times is None):
            style = DEFAULT_STYLE if found.is_naive else OTHER_STYLE
            return PlainValues([style] * count, found.numbers, found.times or [None] * count)
        each = [self._one(value) for value in values]
        return PlainValues([one[0] for one in each], [one[1] for one in each], [None] * count)

    def classify(self, values: Sequence[bytes]) -> Sequence[int | None]:
        """Return the kinds of some values."""
        if self._are_numbers(values):
            return [CONVERTED] * len(values)
        is_naive = are_naive_texts(self._texts(values), self.kind, self.zone)
        if is_naive is None:
            return [self._one(value)[0] for value in values]
        return [DEFAULT_STYLE if is_naive else OTHER_STYLE] * len(values)

    def _are_numbers(self, values: Sequence[bytes]) -> bool:
        joined = b"%b\n" % b"\n".join(values)
        is_match = self.kind is not _DATE and _are_near_numbers(joined) is not None
        return is_match and joined.count(b"\n") == len(values)

    def _texts(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return the texts of all values; none if some of them are not text."""
        if not self.is_json:
            return values
        joined = b"\n%b\n" % b"\n".join(values)
        if joined.count(b'"\n"') != len(values) - 1 or joined[1:2] != b'"' or joined[-2:-1] != b'"':
            return ()
        return [value[1:-1] for value in values]

    def _one(self, value: bytes) -> tuple[int | None, bytes | None]:
        """Return what a value is, and the number that replaces it."""
        if self.is_json:
            if value == b"null":
                return NULL, None
            if value[:1] != b'"':
                return (CONVERTED if _is_plainly_converted(value, self.kind) else None), None
            value = value[1:-1]
        written = number_of_written_text(value, self.kind, self.zone)
        if written is None:
            is_converted = not self.is_json and _is_plainly_converted(value, self.kind)
            return (CONVERTED if is_converted else None), None
        number, is_naive = written
        if (
            self.is_json
            and number != b"0.0"
            and (number[:2] == b"0." or number[:3] == b"-0." or b"e" in number)
        ):
            return None, None
        return (DEFAULT_STYLE if is_naive else OTHER_STYLE), number


def _is_plainly_converted(raw: bytes, kind: TemporalKind) -> bool:
    """Return whether a value of a hash is a number in seconds, in an easy case: `_convert_number` has the last word."""
    if _is_near_number(raw) is None:
        return False
    return kind is not _DATE or float(raw) % SECONDS_PER_DAY == 0


def _kind_of(kind: str) -> TemporalKind:
    """Return the type of a path; that of a stored plan is plain text."""
    try:
        return TemporalKind(kind)
    except ValueError as exc:
        raise _not_of_this_migration(f"has a path of the type {kind!r}") from exc


def _not_of_this_migration(what: str) -> StateDamagedError:
    keys = StateKeys(DATETIME_MIGRATION)
    return StateDamagedError(f"Unexpected content in {keys.record}: its plan {what}.", keys.restore_hint())
