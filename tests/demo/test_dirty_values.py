"""Every dirty class: what is written, and what must become of it. Answers worked out by hand."""

from random import Random

import pytest

from redstart.demo.dirty_values import DIRTY_CLASSES, classes_for
from redstart.demo.slots import Slot
from redstart.values.types import Storage, TemporalKind

SLOTS = [
    Slot(storage, kind, optional)
    for storage in Storage
    for kind in TemporalKind
    for optional in (False, True)
]
DAY = 86_400_000_000


@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_each_class_makes_what_its_storage_can_hold(slot: Slot) -> None:
    random = Random(7)
    for one in classes_for(slot):
        for _ in range(20):
            raw, expected, dirty = one.value(slot, random)
            assert dirty == one.name
            if slot.storage is Storage.HASH:
                assert isinstance(raw, str | bytes)
            else:
                assert not isinstance(raw, bytes)
            if isinstance(expected, int) and slot.kind is TemporalKind.DATE:
                assert expected % DAY == 0


def test_every_class_occurs_somewhere() -> None:
    occurring = {one.name for slot in SLOTS for one in classes_for(slot)}
    assert occurring == {one.name for one in DIRTY_CLASSES}
    assert len(occurring) == len(DIRTY_CLASSES)


def test_the_classes_the_storages_do_not_share() -> None:
    def names(storage: Storage) -> set[str]:
        return {one.name for slot in SLOTS if slot.storage is storage for one in classes_for(slot)}

    only_json = {"null", "boolean", "object", "epoch_seconds_number", "epoch_milliseconds_number"}
    assert names(Storage.JSON) - names(Storage.HASH) == only_json
    assert names(Storage.HASH) - names(Storage.JSON) == {"not_utf8", "far_microseconds"}


@pytest.mark.parametrize(
    ("storage", "optional", "expected"),
    [
        (Storage.HASH, True, "null"),
        (Storage.HASH, False, "unconvertible"),
        (Storage.JSON, True, "unconvertible"),
        (Storage.JSON, False, "unconvertible"),
    ],
)
def test_an_empty_text_is_null_only_in_an_optional_hash_field(
    storage: Storage, optional: bool, expected: str
) -> None:
    empty = next(one for one in DIRTY_CLASSES if one.name == "empty")
    slot = Slot(storage, TemporalKind.DATETIME, optional)
    assert empty.value(slot, Random(1)) == ("", expected, "empty")


@pytest.mark.parametrize(
    ("name", "kind", "raw", "expected"),
    [
        ("year_1", TemporalKind.DATETIME, "0001-01-01T00:00:00", -62_135_596_800_000_000),
        ("year_1", TemporalKind.DATE, "0001-01-01", -62_135_596_800_000_000),
        ("year_9999", TemporalKind.DATETIME, "9999-12-31T23:59:59", 253_402_300_799_000_000),
        ("year_9999", TemporalKind.DATE, "9999-12-31", 253_402_214_400_000_000),
        ("last_microsecond", TemporalKind.DATETIME, "9999-12-31T23:59:59.999999", "unconvertible"),
        ("before_year_1", TemporalKind.DATETIME, "0001-01-01T00:00:00+05:30", "unconvertible"),
        ("five_digit_year", TemporalKind.DATE, "12023-01-01T00:00:00", "unconvertible"),
        ("not_available", TemporalKind.DATE, "N/A", "unconvertible"),
    ],
)
def test_fixed_values(name: str, kind: TemporalKind, raw: str, expected: int | str) -> None:
    one = next(one for one in DIRTY_CLASSES if one.name == name)
    assert one.value(Slot(Storage.JSON, kind), Random(1)) == (raw, expected, name)


def test_a_time_in_a_date_field_is_the_day_its_clock_shows() -> None:
    date = Slot(Storage.HASH, TemporalKind.DATE)
    # 2023-01-01T20:00Z is already the 2nd at +05:30, and still the 1st at -07:00.
    evening = 1_672_603_200_000_000
    assert date.instant_of(evening, 330) == 1_672_617_600_000_000
    assert date.instant_of(evening, -420) == date.instant_of(evening) == 1_672_531_200_000_000
    assert Slot(Storage.HASH, TemporalKind.DATETIME).instant_of(evening, 330) == evening
