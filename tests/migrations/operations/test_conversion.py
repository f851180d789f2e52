"""ConvertField: a table over all pairs of types, and the failure modes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redstart.errors import MigrationStateError, NotConvertibleError
from redstart.migrations.failure import FailureMode
from redstart.migrations.operations.base import Unchanged
from redstart.migrations.operations.conversion import ConvertedField, ConvertField
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import parse_type
from redstart.values.lossless_json import JsonNumber
from redstart.values.types import Storage
from tests.migrations.operations.strategies import ALL, LISTS, MODEL, STORAGES, document, project, types
from tests.migrations.operations.test_fields import bound, check_forward

storages = pytest.mark.parametrize("storage", STORAGES)

NUMBERS = {"int", "float", "Decimal", "bool"}
MOMENTS = {"datetime", "date"}
LITERALS = {"Literal['new', 'paid']": "str", "Literal[1, 2]": "int"}


def is_supported(before: str, after: str) -> bool:
    """Return whether there is a conversion, stated apart from the code that makes it."""
    before, after = (name[5:-1] if name in LISTS else name for name in (before, after))
    if before == after or "str" in (before, after):
        return True
    if {before, after} <= LITERALS.keys():
        return True
    before, after = (LITERALS.get(name, name) for name in (before, after))
    if "str" in (before, after):
        return True
    if {before, after} <= NUMBERS or {before, after} <= MOMENTS:
        return True
    return {before, after} <= (NUMBERS - {"bool"}) | MOMENTS


def never_fails(before: str, after: str) -> bool:
    """Return whether each value of the one type has a value of the other."""
    if after == "str":
        return before != "bytes" and before not in LISTS
    widened = {"bool": NUMBERS, "int": {"float", "Decimal"}, "float": {"Decimal"}, "Decimal": {"float"}}
    return after in widened.get(before, ()) or (before in MOMENTS and after in MOMENTS | {"float", "Decimal"})


def conversion(storage: Storage, before: str, after: str, **options: Any) -> ConvertedField:
    one, other = FieldState("value", before), FieldState("value", after)
    change = bound(ConvertField(MODEL, one, other, **options), project(storage, one))
    assert isinstance(change, ConvertedField)
    return change


PAIRS = [
    (storage, before, after)
    for storage in STORAGES
    for before, after in product(types(storage), repeat=2)
    if before != after
]


@pytest.mark.sample(44)
@pytest.mark.parametrize(("storage", "before", "after"), PAIRS, ids=str)
@settings(max_examples=12)
@given(data=st.data())
def test_each_pair_converts_exactly_or_notices_the_loss_or_fails(
    storage: Storage, before: str, after: str, data: st.DataObject
) -> None:
    if not is_supported(before, after):
        with pytest.raises(MigrationStateError, match="There is no conversion of value of"):
            conversion(storage, before, after)
        return
    change = conversion(storage, before, after, on_failure="fail", naive_timezone="UTC")
    value = data.draw(ALL[before])
    old = document(storage, {"value": value})
    try:
        new = change.forward(old)
    except NotConvertibleError as failure:
        assert not never_fails(before, after)
        assert failure.path == "value"
        assert failure.reason
        assert change.is_pending(old)
        return
    # The new version reads it.
    codec = ValueCodec(storage)
    assert codec.is_canonical(parse_type(after), new.get(("value",)))
    if change.decided_by_shape:
        check_forward(change, old)
        assert not change.is_pending(document(storage, {"value": data.draw(ALL[after])}))
    is_lossy = bool(change.lossy(old))
    assert change.restores(old) is not is_lossy
    if not is_lossy:
        assert change.backward(new) == old


def stored(storage: Storage, text: str) -> Document:
    """Return a document whose value has this text in a hash; in JSON it is JSON."""
    if storage is Storage.HASH:
        return Document.of_hash({"value": text.encode()})
    return Document.of_json(f'{{"value":{text}}}'.encode())


@pytest.mark.parametrize(
    ("storage", "before", "after", "old", "new", "is_lossy"),
    [
        ("hash", "str", "int", "7", "7", False),
        ("hash", "str", "int", "007", "7", True),
        ("json", "str", "int", '"7"', "7", False),
        ("json", "int", "str", "7", '"7"', False),
        ("hash", "bool", "str", "1", "1", False),
        ("json", "bool", "str", "true", '"true"', False),
        ("hash", "str", "bool", "yes", "1", True),
        ("json", "str", "bool", '"false"', "false", False),
        ("hash", "int", "float", "5", "5.0", False),
        ("hash", "float", "int", "5.0", "5", False),
        ("json", "int", "float", "5", "5.0", False),
        ("json", "int", "float", "9007199254740993", "9007199254740992.0", True),
        ("hash", "str", "Decimal", "1.10", "1.1", True),
        ("json", "str", "Decimal", '"1.5"', "1.5", False),
        ("json", "Decimal", "str", "1.5", '"1.5"', False),
        ("hash", "str", "datetime", "2024-05-01T10:00:00+00:00", "1714557600.0", False),
        ("hash", "str", "datetime", "2024-05-01T12:00:00+02:00", "1714557600.0", True),
        ("hash", "datetime", "str", "1714557600.0", "2024-05-01T10:00:00+00:00", False),
        ("json", "datetime", "str", "1714557600.5", '"2024-05-01T10:00:00.500000+00:00"', False),
        ("json", "str", "date", '"2024-05-01"', "1714521600.0", False),
        ("hash", "datetime", "date", "1714557600.0", "1714521600.0", True),
        ("hash", "int", "datetime", "1714557600", "1714557600.0", False),
        ("json", "datetime", "int", "1714557600.0", "1714557600", False),
        (
            "json",
            "str",
            "UUID",
            '"12345678123456781234567812345678"',
            '"12345678-1234-5678-1234-567812345678"',
            True,
        ),
        ("hash", "str", "bytes", "abc", "YWJj", False),
        ("hash", "str", "Literal['new', 'paid']", "paid", "paid", False),
        ("json", "int", "Literal[1, 2]", "2", "2", False),
        ("json", "Literal[1, 'x']", "Literal[1, 'y']", "1", "1", False),
        ("json", "Literal[1, 2]", "Literal['1', '2']", "1", '"1"', False),
        ("json", "str", "list[str]", '"x"', '["x"]', False),
        ("json", "list[int]", "int", "[3]", "3", False),
        ("json", "list[int]", "list[str]", "[1,2]", '["1","2"]', False),
        ("json", "list[str]", "set[str]", '["a"]', '["a"]', False),
    ],
)
def test_a_value_and_what_it_becomes(
    storage: str, before: str, after: str, old: str, new: str, is_lossy: bool
) -> None:
    change = conversion(Storage(storage), before, after)
    one = stored(Storage(storage), old)
    assert change.forward(one) == stored(Storage(storage), new)
    assert bool(change.lossy(one)) is is_lossy
    if not is_lossy:
        assert change.backward(change.forward(one)) == one


@pytest.mark.parametrize(
    ("storage", "before", "after", "old", "reason"),
    [
        ("hash", "str", "int", "abc", "not a number"),
        ("hash", "str", "int", "1.5", "not an integer"),
        ("hash", "float", "int", "1.5", "not an integer"),
        ("hash", "float", "int", "nan", "not an integer"),
        ("hash", "str", "int", "9" * 1001, "an integer of more than 1000 digits"),
        ("hash", "int", "bool", "2", "neither 0 nor 1"),
        ("hash", "str", "bool", "maybe", "not a boolean"),
        ("hash", "str", "UUID", "1", "not a UUID"),
        (
            "hash",
            "str",
            "datetime",
            "2024-05-01 10:00",
            "without an offset; name its zone with naive_timezone=",
        ),
        ("hash", "str", "date", "31/12/2024", "not a date"),
        ("hash", "str", "Literal['new', 'paid']", "lost", "not one of 'new', 'paid'"),
        ("hash", "float", "Decimal", "x", "not a number"),
        ("hash", "float", "datetime", "inf", "not a finite number"),
        ("json", "float", "datetime", "1e300", "outside the years 1 to 9999"),
        ("json", "str", "int", "[1]", "not text, but a JSON array"),
        ("json", "str", "int", "true", "not text, but a JSON boolean"),
        ("json", "str", "int", '"99999999999999999999"', "more than 64 bits"),
        ("json", "list[int]", "int", "[1,2]", "a list of 2 items instead of one"),
        ("json", "list[str]", "list[int]", '["x"]', "not a number"),
    ],
)
def test_a_value_that_does_not_fit_is_a_failure_with_its_path_and_reason(
    storage: str, before: str, after: str, old: str, reason: str
) -> None:
    change = conversion(Storage(storage), before, after, on_failure=FailureMode.FAIL)
    one = stored(Storage(storage), old)
    assert change.is_pending(one)
    with pytest.raises(NotConvertibleError) as raised:
        change.forward(one)
    assert raised.value.path == "value"
    assert reason in raised.value.reason
    assert len(raised.value.value) <= 80


@storages
def test_none_stays_none(storage: Storage) -> None:
    before = FieldState("value", "str", is_optional=True, default=None)
    after = before.replaced(type="int")
    change = bound(ConvertField(MODEL, before, after), project(storage, before))
    for one in (document(storage, {"value": None}), document(storage, {})):
        assert not change.is_pending(one)
        assert change.forward(one) == one == change.backward(one)


@pytest.mark.parametrize("after", [name for name in types(Storage.HASH) if name != "str"])
def test_an_empty_text_that_means_none_is_removed_from_a_hash(after: str) -> None:
    empty = Document.of_hash({"value": b"", "other": b""})

    def change(default: object, before_default: object = None) -> ConvertedField:
        before = FieldState("value", "str", is_optional=True, default=before_default)
        bound_change = bound(
            ConvertField(MODEL, before, before.replaced(type=after, default=default), on_failure="fail"),
            project(Storage.HASH, before),
        )
        assert isinstance(bound_change, ConvertedField)
        return bound_change

    for default in (None, NO_DEFAULT):
        removal = change(default)
        assert removal.lossy(empty) == [("value",)]
        removed = removal.forward(empty)
        assert removed == Document.of_hash({"other": b""}) == removal.backward(removed)
        assert not removal.is_pending(removed)
    # Without the field, a version would read another default.
    for defaults in ((7, None), (None, "x")):
        with pytest.raises(NotConvertibleError, match="an empty text means None"):
            change(*defaults).forward(empty)


def test_an_empty_text_is_a_default_like_any_other() -> None:
    before, after = FieldState("value", "bytes"), FieldState("value", "str")
    for default, left in (("", {"value": b""}), ("x", {"value": b"x"})):
        operation = ConvertField(MODEL, before, after, on_failure="default", default=default)
        change = operation.bind(project(Storage.HASH, before))
        changed, (_,) = change.change(Document.of_hash({"value": b"gA=="}))
        assert changed == Document.of_hash(left)


@storages
@pytest.mark.parametrize(
    ("mode", "left", "aside", "fate"),
    [
        (FailureMode.SKIP, "abc", None, ""),
        (FailureMode.LOG_AND_SKIP, "abc", None, ""),
        (FailureMode.DEFAULT, 5, None, "; replaced by 5"),
        (FailureMode.QUARANTINE, None, "abc", "; moved to value__invalid"),
    ],
)
def test_a_failed_value_is_treated_as_the_mode_says(
    storage: Storage, mode: FailureMode, left: object, aside: str | None, fate: str
) -> None:
    before, after = FieldState("value", "str"), FieldState("value", "int", default=5)
    operation = ConvertField(MODEL, before, after, on_failure=mode)
    change = operation.bind(project(storage, before))
    old = document(storage, {"value": "abc", "other": "x"})
    changed, failures = change.change(old)
    expected = document(storage, {"value": left, "other": "x"} | ({"value__invalid": aside} if aside else {}))
    assert changed == expected
    assert [(one.path, one.reason) for one in failures] == [("value", f"not a number{fate}")]
    assert change.is_pending(changed) is (left == "abc")
    if aside:
        assert change.backward(changed) == old
        assert change.restores(old)


@storages
def test_a_quarantined_value_does_not_replace_another(storage: Storage) -> None:
    before = FieldState("value", "str")
    change = ConvertField(MODEL, before, FieldState("value", "int"), on_failure=FailureMode.QUARANTINE).bind(
        project(storage, before)
    )
    old = document(storage, {"value": "abc", "value__invalid": "def"})
    changed, (failure,) = change.change(old)
    assert changed == old
    assert failure.reason == "not a number; not moved: value__invalid exists already"


def test_a_default_is_needed_for_the_mode_default() -> None:
    before = FieldState("value", "str")
    operation = ConvertField(MODEL, before, FieldState("value", "int"), on_failure=FailureMode.DEFAULT)
    with pytest.raises(MigrationStateError, match="has no default for values that cannot be converted"):
        operation.bind(project(Storage.HASH, before))
    with pytest.raises(MigrationStateError, match="has to be one of skip, fail, default"):
        ConvertField(MODEL, before, before, on_failure="ignore")  # type: ignore[arg-type]


def day_first(text: str) -> datetime:
    """Return the date of a text such as 31/12/2024."""
    return datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=UTC)


def to_day_first(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y}"


@storages
@given(day=st.dates(date(1970, 1, 1), date(2199, 1, 1)))
def test_a_parser_of_the_project_reads_what_redstart_does_not(storage: Storage, day: date) -> None:
    change = conversion(storage, "str", "datetime", parse=day_first, format=to_day_first)
    old = document(storage, {"value": f"{day:%d/%m/%Y}"})
    assert change.decided_by_shape
    assert change.is_pending(old)
    new = check_forward(change, old)
    assert new == document(storage, {"value": datetime(day.year, day.month, day.day, tzinfo=UTC)})
    assert change.backward(new) == old


@storages
def test_what_a_parser_raises_or_returns_is_a_failure(storage: Storage) -> None:
    old = document(storage, {"value": "99/99/2024"})
    for parse, reason in (
        (day_first, "day_first() raised ValueError: time data"),
        (lambda _: None, "<lambda>() returned None"),
        (lambda _: "text", "not a date"),
        (lambda _: object(), "the type object is not supported"),
    ):
        before, after = FieldState("value", "str"), FieldState("value", "datetime")
        operation = ConvertField(MODEL, before, after, parse=parse, on_failure=FailureMode.FAIL)
        change = operation.bind(project(storage, before))
        assert not operation.is_reversible
        assert operation.inverse(project(storage, before)) is None
        assert not change.has_backward
        with pytest.raises(NotConvertibleError) as raised:
            change.forward(old)
        assert reason in raised.value.reason


@storages
def test_without_an_inverse_new_values_cannot_be_converted_back(storage: Storage) -> None:
    before, after = FieldState("value", "str"), FieldState("value", "datetime")
    change = ConvertField(MODEL, before, after, parse=day_first).bind(project(storage, before))
    with pytest.raises(NotConvertibleError, match="the conversion has no inverse"):
        change.backward(document(storage, {"value": datetime(2024, 1, 1, tzinfo=UTC)}))
    old = document(storage, {"value": "31/12/2024"})
    assert change.backward(old) == old


def test_text_without_an_offset_is_read_in_the_named_zone() -> None:
    change = conversion(Storage.HASH, "str", "datetime", naive_timezone="Europe/Berlin")
    old = Document.of_hash({"value": b"2024-05-01T12:00:00"})
    assert change.forward(old) == Document.of_hash({"value": b"1714557600.0"})
    assert change.backward(change.forward(old)) == old


def test_values_in_lists_of_embedded_models_are_converted() -> None:
    lines = FieldState("lines", "list[object]", fields=[FieldState("count", "str")])
    operation = ConvertField(MODEL, FieldState("count", "str"), FieldState("count", "int"), within="lines[]")
    change = bound(operation, project(Storage.JSON, lines))
    one = Document.of_json(b'{"lines":[{"count":"1"},{"count":2},{"count":"x"},{}]}')
    changed, failures = change.change(one)
    assert changed == Document.of_json(b'{"lines":[{"count":1},{"count":2},{"count":"x"},{}]}')
    assert [failure.path for failure in failures] == ["lines[2].count"]


def test_the_primary_key_is_not_converted() -> None:
    before = FieldState("code", "str")
    with pytest.raises(MigrationStateError, match="cannot be converted: the keys contain its text"):
        ConvertField(MODEL, before, FieldState("code", "int")).apply(
            project(Storage.HASH, before, primary_key="code")
        )


@pytest.mark.parametrize(
    ("storage", "before", "after", "decides"),
    [
        ("hash", "str", "int", True),
        ("hash", "datetime", "str", False),
        ("json", "datetime", "str", True),
        ("hash", "str", "bytes", False),
        ("json", "bytes", "str", False),
        ("json", "list[datetime]", "list[str]", True),
    ],
)
def test_which_conversions_a_document_itself_shows(
    storage: str, before: str, after: str, decides: bool
) -> None:
    assert conversion(Storage(storage), before, after).decided_by_shape is decides


@pytest.mark.parametrize(
    ("before", "after", "is_unchanged"),
    [
        ("Literal['a']", "Literal['a', 'b']", True),
        ("list[Literal['a']]", "list[Literal['a', 'b']]", True),
        ("Literal['a', 'b']", "Literal['a']", False),
        ("Literal['a', 1]", "Literal['a', 1, 2.5]", True),
        ("Literal[1]", "Literal[True, 2]", False),
        ("list[str]", "set[str]", False),
    ],
)
def test_one_more_value_of_an_enum_changes_no_document(before: str, after: str, is_unchanged: bool) -> None:
    one = FieldState("value", before)
    change = bound(ConvertField(MODEL, one, FieldState("value", after)), project(Storage.JSON, one))
    assert isinstance(change, Unchanged) is is_unchanged


def test_json_numbers_keep_their_digits() -> None:
    change = conversion(Storage.JSON, "int", "str")
    one = Document(Storage.JSON, {"value": JsonNumber("9007199254740993")})
    assert change.forward(one).root == {"value": "9007199254740993"}
    assert change.backward(change.forward(one)) == one


@pytest.mark.parametrize("value", [UUID(int=5), timedelta(seconds=1.5), Decimal("1.5")])
@storages
def test_text_of_other_types_is_that_of_a_hash(storage: Storage, value: object) -> None:
    name = type(value).__name__
    change = conversion(storage, name, "str")
    text = ValueCodec(Storage.HASH).write(value)
    assert isinstance(text, bytes)
    assert change.forward(document(storage, {"value": value})) == document(storage, {"value": text.decode()})
