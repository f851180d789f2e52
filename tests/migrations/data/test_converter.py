from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.transformation import Classification, Conversion
from redstart.values.lossless_json import JsonNumber, JsonValue, parse_json
from redstart.values.timestamps import FIRST_MICROSECOND, LAST_MICROSECOND, microseconds_from_number
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

DATETIME, DATE = TemporalKind.DATETIME, TemporalKind.DATE
UTC, BERLIN = NaiveTimezone.parse("UTC"), NaiveTimezone.parse("Europe/Berlin")
kinds = st.sampled_from([DATETIME, DATE])
zones = st.sampled_from([UTC, BERLIN, NaiveTimezone.parse("local")])


def json_value(value: JsonValue, kind: TemporalKind, optional: bool, zone: NaiveTimezone) -> Conversion:
    return DatetimeConversion(zone).convert_json(value, ValuePath(("at",), kind, optional))


def in_hash(
    raw: bytes | str, kind: TemporalKind = DATETIME, optional: bool = False, zone: NaiveTimezone = UTC
) -> Conversion:
    raw = raw if isinstance(raw, bytes) else raw.encode()
    return DatetimeConversion(zone).convert_hash(raw, ValuePath(("at",), kind, optional))


def in_json(
    text: bytes | str, kind: TemporalKind = DATETIME, optional: bool = False, zone: NaiveTimezone = UTC
) -> Conversion:
    value = parse_json(text if isinstance(text, bytes) else text.encode())
    return json_value(value, kind, optional, zone)


def in_string(text: str, kind: TemporalKind = DATETIME, zone: NaiveTimezone = UTC) -> Conversion:
    return json_value(text, kind, False, zone)


# Every class of dirty text in the corpus: the text, its number as a datetime and as a date (None: none).
DIRTY = {
    "bad_date": ("2023-13-45", None, None),
    "date_only": ("2021-02-03", b"1612310400.0", b"1612310400.0"),
    "epoch_ms_str": ("1700000000123", b"1700000000.123", b"1699920000.0"),
    "huge_year": ("12023-01-01T00:00:00", None, None),
    "na": ("N/A", None, None),
    "rfc2822": ("Tue, 03 Jan 2023 10:20:30 +0200", b"1672734030.0", b"1672704000.0"),
    "space_sep": ("2023-01-01 12:00:00", b"1672574400.0", b"1672531200.0"),
    "trailing_z": ("2023-05-06T07:08:09Z", b"1683356889.0", b"1683331200.0"),
}


@pytest.mark.parametrize("kind", [DATETIME, DATE])
@pytest.mark.parametrize("name", DIRTY)
def test_dirty_text(name: str, kind: TemporalKind) -> None:
    text, as_datetime, as_date = DIRTY[name]
    new = as_datetime if kind is DATETIME else as_date
    for conversion in (in_hash(text, kind), in_string(text, kind)):
        assert conversion.new == new
        assert conversion.outcome is (Classification.CONVERTIBLE if new else Classification.UNCONVERTIBLE)
        assert (conversion.reason is None) is (new is not None)


def test_dirty_seconds_as_text() -> None:
    assert in_hash("1700000000").outcome is Classification.ALREADY
    assert in_hash("1700000000", DATE) == Conversion(Classification.CONVERTIBLE, b"1699920000.0", None, None)
    assert in_string("1700000000") == Conversion(Classification.CONVERTIBLE, b"1700000000.0", None, None)
    assert in_string("1700000000", DATE) == Conversion(
        Classification.CONVERTIBLE, b"1699920000.0", None, None
    )


def test_dirty_values_that_were_migrated_before() -> None:
    assert in_hash("1701435022.5").outcome is Classification.ALREADY
    assert in_json("1701435022.5").outcome is Classification.ALREADY
    assert in_hash("1672531200.0", DATE).outcome is Classification.ALREADY
    assert in_json("1672531200", DATE).outcome is Classification.ALREADY


def test_dirty_empty_and_null() -> None:
    assert in_hash("", optional=True).outcome is Classification.NULL
    assert in_hash("", optional=False) == Conversion(Classification.UNCONVERTIBLE, None, "empty string", None)
    assert in_json('""', optional=False) == Conversion(
        Classification.UNCONVERTIBLE, None, "empty string", None
    )
    assert in_json('""', optional=True).outcome is Classification.UNCONVERTIBLE
    assert in_json("null", optional=True).outcome is Classification.NULL
    assert in_json("null", optional=False).outcome is Classification.NULL
    assert in_hash("  ", optional=True) == Conversion(
        Classification.UNCONVERTIBLE, None, "only white space", None
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("true", "not a date: JSON boolean"),
        ("false", "not a date: JSON boolean"),
        ("{}", "not a date: JSON object"),
        ('["2023-01-01"]', "not a date: JSON array"),
    ],
)
def test_json_that_is_not_a_scalar_date(text: str, reason: str) -> None:
    for kind in TemporalKind:
        assert in_json(text, kind) == Conversion(Classification.UNCONVERTIBLE, None, reason, None)


def test_hash_values_that_are_not_text() -> None:
    assert in_hash(b"\xff2023-01-01") == Conversion(
        Classification.UNCONVERTIBLE, None, "not valid UTF-8", None
    )
    assert in_hash(b"\xed\xa0\x80").reason == "not valid UTF-8"


@pytest.mark.parametrize("kind", [DATETIME, DATE])
@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "Infinity", "1_0", "0x10", "1e", "--5", "+"])
def test_what_only_looks_like_a_number(text: str, kind: TemporalKind) -> None:
    assert in_hash(text, kind) == Conversion(Classification.UNCONVERTIBLE, None, "not a date", None)
    assert in_string(text, kind) == Conversion(Classification.UNCONVERTIBLE, None, "not a date", None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("253402300800", "outside the years 1 to 9999"),
        ("-62135596801", "outside the years 1 to 9999"),
        ("253402300799.9999999", "outside the years 1 to 9999"),
        ("299999999999", "outside the years 1 to 9999"),
        ("253402300800000", "outside the years 1 to 9999"),
        ("-62135596800001", "outside the years 1 to 9999"),
        ("1e300", "outside the years 1 to 9999"),
        ("1e999", "outside the years 1 to 9999"),
        ("1700000000123456", "microseconds"),
        ("-1700000000123456", "microseconds"),
        ("1700000000123456789", "nanoseconds"),
    ],
)
def test_numbers_out_of_range(text: str, reason: str) -> None:
    for kind in TemporalKind:
        conversions = [in_hash(text, kind), in_string(text, kind), in_hash(f" {text}", kind)]
        conversions.append(json_value(JsonNumber(text), kind, True, UTC))
        for conversion in conversions:
            assert conversion.outcome is Classification.UNCONVERTIBLE
            assert conversion.new is None
            assert reason in (conversion.reason or "")


@pytest.mark.parametrize(
    "text", ["0", "-0.0", "1e9", "+17", ".5", "1.", "-62135596800", "253402300799", "1e-06"]
)
def test_numbers_that_read_back_stay_as_they_are_spelled(text: str) -> None:
    assert in_hash(text) == Conversion(Classification.ALREADY, None, None, None)


@pytest.mark.parametrize(
    ("text", "as_datetime", "as_date"),
    [
        ("1700000000123", b"1700000000.123", b"1699920000.0"),
        ("+1700000000123", b"1700000000.123", b"1699920000.0"),
        ("-1700000000123", b"-1700000000.123", b"-1700006400.0"),
        ("1700000000123.456", b"1700000000.123456", b"1699920000.0"),
        ("8000000000000", b"8000000000.0", b"7999948800.0"),
        ("1000000000000", b"1000000000.0", b"999993600.0"),
        ("1.7e12", b"1700000000.0", b"1699920000.0"),
    ],
)
def test_milliseconds(text: str, as_datetime: bytes, as_date: bytes) -> None:
    for conversion in (in_hash(text), in_string(text), in_hash(f"\t{text}\n")):
        assert conversion == Conversion(Classification.CONVERTIBLE, as_datetime, None, None)
    for conversion in (in_hash(text, DATE), in_string(text, DATE), in_string(f"{text} ", DATE)):
        assert conversion == Conversion(Classification.CONVERTIBLE, as_date, None, None)
    number = JsonNumber(text)
    assert json_value(number, DATETIME, False, UTC).new == as_datetime
    assert json_value(number, DATE, False, UTC).new == as_date


def test_a_number_in_white_space_becomes_canonical() -> None:
    assert in_hash(" 1700000000 ") == Conversion(Classification.CONVERTIBLE, b"1700000000.0", None, None)
    assert in_hash("\t1672531200.0\r\n", DATE) == Conversion(
        Classification.CONVERTIBLE, b"1672531200.0", None, None
    )
    assert in_string(" 1700000000.5") == Conversion(Classification.CONVERTIBLE, b"1700000000.5", None, None)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1701435022.5", b"1701388800.0"),
        ("1701388800.000001", b"1701388800.0"),
        ("1701432000.0", b"1701388800.0"),  # noon
        ("1701388801", b"1701388800.0"),
        ("1701475199", b"1701388800.0"),
        ("-1", b"-86400.0"),
        ("-0.5", b"-86400.0"),
        ("253402300799", b"253402214400.0"),
        ("-62135596799", b"-62135596800.0"),
    ],
)
def test_a_number_in_a_date_field_is_its_utc_day(text: str, day: bytes) -> None:
    assert in_hash(text, DATE) == Conversion(Classification.CONVERTIBLE, day, None, None)
    assert in_json(text, DATE) == Conversion(Classification.CONVERTIBLE, day, None, None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1700000000123.4568", DATETIME),
        ("1700000000123.4568", DATE),
        ("9999999999.123455", DATE),
        ("5e-324", DATE),
    ],
)
def test_a_json_number_that_could_not_come_back_is_left(text: str, kind: TemporalKind) -> None:
    assert in_json(text, kind).reason == "a number that the server could not restore exactly"
    assert in_hash(text, kind).new is not None  # bytes of a hash always come back


def test_an_unchanged_json_number_needs_no_rollback() -> None:
    assert in_json("9999999999.123455").outcome is Classification.ALREADY


@pytest.mark.parametrize(
    ("text", "new", "reason"),
    [
        ("2023-01-01T12:00:00.1234567", b"1672574400.123456", "digits below"),
        ("2023-01-01T12:00:00.0000001Z", b"1672574400.0", "digits below"),
        ("1700000000123.4567", b"1700000000.123457", "digits below"),
        (" 1700000000.1234567", b"1700000000.123457", "digits below"),
        ("2500-01-01T00:00:00.123456", b"16725225600.123455", "no such microsecond"),
        ("0001-01-01T00:00:00.000001", b"-62135596800.0", "no such microsecond"),
        ("9999-12-31T23:59:59.9999", b"253402300799.9999", "no such microsecond"),
        ("9999999999999", b"9999999999.999", "no such microsecond"),
    ],
)
def test_values_that_lose_digits(text: str, new: bytes, reason: str) -> None:
    for conversion in (in_hash(text), in_string(text)):
        assert conversion.outcome is Classification.LOSSY
        assert conversion.new == new
        assert reason in (conversion.reason or "")
    assert in_hash(text, DATE).outcome is Classification.CONVERTIBLE  # the digits are not of the date


def test_what_could_not_be_read_back_at_all_is_left() -> None:
    conversion = in_hash("9999-12-31T23:59:59.999999")
    assert conversion == Conversion(
        Classification.UNCONVERTIBLE,
        None,
        "out of range: would round past year 9999",
        None,
    )
    assert in_hash("9999-12-31T23:59:59.999999", DATE).new == b"253402214400.0"
    assert in_hash("-62135596800.0001 ", DATE).outcome is Classification.UNCONVERTIBLE


def test_naive_is_reported_for_text_only() -> None:
    assert in_hash("2023-01-01T12:00:00").is_default_style is True
    assert in_hash("2023-01-01").is_default_style is True
    assert in_hash("2023-01-01T12:00:00Z").is_default_style is False
    assert in_hash("1700000000123").is_default_style is None
    assert in_hash("1700000000").is_default_style is None
    assert in_hash("N/A").is_default_style is None


def test_the_naive_zone() -> None:
    assert in_hash("2023-07-01T12:00:00", zone=BERLIN).new == b"1688205600.0"
    assert in_hash("2023-07-01T12:00:00+00:00", zone=BERLIN).new == b"1688212800.0"
    assert in_hash("2023-07-01", DATE, zone=BERLIN).new == b"1688169600.0"
    for text, title in (("2023-10-29T02:30:00", "ambiguous"), ("2023-03-26T02:30:00", "nonexistent")):
        conversion = in_hash(text, zone=BERLIN)
        assert conversion.outcome is Classification.UNCONVERTIBLE
        assert title in (conversion.reason or "")
        assert in_hash(text, DATE, zone=BERLIN).outcome is Classification.CONVERTIBLE


def test_a_very_long_value_is_left_at_once() -> None:
    for raw in (
        b"1" * 5_000_000,
        b"1700000000." + b"0" * 1_000,
        b" " * 5_000_000,
        b"2023-01-01T12:00:00." + b"1" * 9_999,
    ):
        assert in_hash(raw).reason == "not a date: longer than 1000 characters"
    assert in_hash(b"1700000000123." + b"0" * 900).new == b"1700000000.123"


# Laws

instants = st.integers(FIRST_MICROSECOND, LAST_MICROSECOND)
date_like = st.one_of(
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.dates().map(str),
    st.floats(-1e13, 1e13).map(repr),
    st.integers(-(10**19), 10**19).map(str),
    st.decimals(-(10**13), 10**13, places=3).map(str),
    st.from_regex(r"\A\s?[+-]?[0-9]{1,20}(\.[0-9]{0,9})?([eE][+-]?[0-9]{1,3})?\s?\Z"),
    st.from_regex(r"\A[0-9]{4}(-[0-9]{2}){2}[T ][0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?(Z|[+-][0-9]{4})?\Z"),
)
raw_values = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | date_like.map(str.encode)
)
json_values: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.text(st.characters()),
    date_like,
    (st.floats(allow_nan=False, allow_infinity=False) | st.integers()).map(repr).map(JsonNumber),
    st.lists(st.just("2023-01-01"), max_size=2),
    st.dictionaries(st.text(max_size=2), st.just("2023-01-01"), max_size=2),
)


def check_law(conversion: Conversion, again: Conversion | None) -> None:
    """Check the laws of a conversion, and of the conversion of its result."""
    writes = conversion.outcome in (Classification.CONVERTIBLE, Classification.LOSSY)
    assert writes is (conversion.new is not None)
    assert (conversion.outcome in (Classification.LOSSY, Classification.UNCONVERTIBLE)) is (
        conversion.reason is not None
    )
    if conversion.new is not None:
        microseconds_from_number(conversion.new.decode())
        assert again == Conversion(Classification.ALREADY, None, None, None)


@given(raw_values, kinds, st.booleans(), zones)
@example(b"9999-12-31T23:59:59.999999", DATETIME, False, UTC)
def test_converting_a_hash_value_never_raises_and_is_idempotent(
    raw: bytes, kind: TemporalKind, optional: bool, zone: NaiveTimezone
) -> None:
    conversion = in_hash(raw, kind, optional, zone)
    check_law(conversion, None if conversion.new is None else in_hash(conversion.new, kind, optional, zone))


@given(json_values, kinds, st.booleans(), zones)
def test_converting_a_json_value_never_raises_and_is_idempotent(
    value: JsonValue, kind: TemporalKind, optional: bool, zone: NaiveTimezone
) -> None:
    conversion = json_value(value, kind, optional, zone)
    check_law(conversion, None if conversion.new is None else in_json(conversion.new, kind, optional, zone))


@given(date_like, kinds, zones)
def test_text_means_the_same_in_a_hash_and_in_a_json_string(
    text: str, kind: TemporalKind, zone: NaiveTimezone
) -> None:
    hashed, quoted = in_hash(text, kind, zone=zone), in_string(text, kind, zone)
    if hashed.outcome is Classification.ALREADY:
        assert quoted.outcome in (Classification.CONVERTIBLE, Classification.LOSSY)
    else:
        assert quoted == hashed


@given(instants)
def test_seconds_and_milliseconds_of_one_instant_agree(microseconds: int) -> None:
    seconds = Decimal(microseconds).scaleb(-6)
    milliseconds = Decimal(microseconds).scaleb(-3)
    if 10**12 <= abs(milliseconds) < 10**13:
        expected = in_string(f"{seconds:f}")
        assert in_hash(f"{milliseconds:f}") == expected
        assert expected.new == repr(microseconds / 10**6).encode()


@given(st.datetimes())
def test_a_datetime_keeps_its_microsecond_or_is_reported_as_rounded(moment: datetime) -> None:
    microseconds = (moment - datetime(1970, 1, 1)) // (datetime.resolution)
    conversion = in_hash(moment.isoformat())
    if conversion.new is None:
        assert microseconds > LAST_MICROSECOND - 100
    else:
        kept = microseconds_from_number(conversion.new.decode()) == microseconds
        assert conversion.outcome is (Classification.CONVERTIBLE if kept else Classification.LOSSY)
