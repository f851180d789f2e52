"""Records of earlier versions, whose state was four flags, and records with a state that cannot be read."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.indexes.record_writer import definition_digest, with_lacking
from redstart.migrations.indexes.state import FORMAT, RECORDS, IndexRecord, IndexState, records_from
from tests.migrations.indexes.conftest import perform
from tests.migrations.indexes.index_states import (
    NAME,
    Step,
    before_undo,
    converted,
    cut_over,
    finish,
    finish_rollback,
    record,
    rolling_back,
    undone,
)
from tests.migrations.indexes.test_crash_indexes import begin, end_of, station

__all__ = ["record", "station"]  # fixtures

FLAGS = ("expanded", "cut_over", "stepping_back", "contracted")

STATE_OF_FLAGS = {
    "planned": ("", "X"),
    "expanded": ("E", "EX"),
    "cut over": ("C", "EC"),
    "contracted": ("CX", "ECX"),
    "rolling back": ("B", "EB", "CB", "ECB", "BX", "EBX", "CBX", "ECBX"),
}


def as_format(data: bytes, number: int, flags: dict[str, object]) -> str:
    """The record as a version of Redstart wrote it that had flags instead of a state."""
    fields = json.loads(data)
    del fields["state"]
    fields |= {"moving": fields.pop("changing"), "unserved": fields.pop("missing_before")}
    if number == 1:
        del fields["format"]
    else:
        fields["format"] = number
    if number < 3:
        del fields["superseded"]
    return json.dumps(fields | flags)


@pytest.mark.sample(13)
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("letters", [one for some in STATE_OF_FLAGS.values() for one in some])
def test_records_with_flags_are_read(record: IndexRecord, number: int, letters: str) -> None:
    flags: dict[str, object] = {name: letter in letters for name, letter in zip(FLAGS, "ECBX", strict=True)}
    data = as_format(bytes(str(record.save()[3]), "utf-8"), number, flags)
    read = records_from({NAME.encode(): data.encode()})[NAME]
    (state,) = (state for state, some in STATE_OF_FLAGS.items() if letters in some)
    superseded = record.superseded if number == 3 else ()
    assert read == replace(record, state=IndexState(state), superseded=superseded)
    assert json.loads(str(read.save()[3]))["format"] == 4


def test_what_an_index_lacks_is_in_the_last_format_only(record: IndexRecord) -> None:
    """Earlier versions read a record with nothing lacking."""
    data = str(record.save()[3]).encode()
    assert (json.loads(data)["format"], "lacking" in json.loads(data)) == (4, False)
    lacking = replace(record, lacking=(("0123456789abcdef", 3),))
    saved = str(lacking.save()[3]).encode()
    assert json.loads(saved)["format"] == FORMAT
    assert records_from({NAME.encode(): data, b"other": saved}) == {NAME: record, "other": lacking}


def test_the_last_number_of_lacking_documents_is_kept(record: IndexRecord) -> None:
    digest = definition_digest(record.final)
    before = replace(record, lacking=((digest, 3), ("0123456789abcdef", 2)))
    assert with_lacking(before, None) == before
    assert with_lacking(before, 5).lacking == (("0123456789abcdef", 2), (digest, 5))
    assert with_lacking(before, 0).lacking == (("0123456789abcdef", 2),)


def test_all_combinations_of_flags_are_named() -> None:
    named = [frozenset(letters) for some in STATE_OF_FLAGS.values() for letters in some]
    assert len(named) == len(set(named)) == 2 ** len(FLAGS)


@pytest.mark.sample(10)
@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [1, "yes", None])
def test_a_flag_that_is_none_is_damage(record: IndexRecord, name: str, value: object) -> None:
    data = as_format(bytes(str(record.save()[3]), "utf-8"), 3, {name: value})
    with pytest.raises(StateDamagedError, match=f"cannot be read: {name} is") as caught:
        records_from({NAME.encode(): data.encode()})
    assert "Restore it from a backup" in (caught.value.hint or "")


@pytest.mark.parametrize("state", ["", "begun", None, 1])
def test_an_unknown_state_is_damage(record: IndexRecord, state: object) -> None:
    fields = json.loads(str(record.save()[3])) | {"state": state}
    with pytest.raises(StateDamagedError, match="cannot be read"):
        records_from({NAME.encode(): json.dumps(fields).encode()})


@pytest.mark.sample(3)
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(
    ("reach", "flags", "operation"),
    [
        (converted, {"expanded": True}, finish),
        (cut_over, {"expanded": True, "cut_over": True}, before_undo),
        (undone(rolling_back), {"expanded": True, "stepping_back": True}, finish_rollback),
    ],
    ids=["expanded", "cut over", "rolling back"],
)
def test_a_migration_of_an_earlier_version_goes_on(
    station: redis.Redis,
    url: str,
    reach: Step,
    flags: dict[str, object],
    operation: Callable[[], Op[object]],
    number: int,
) -> None:
    ends = []
    for is_earlier in (False, True):
        begin(station)
        reach(station, url)
        for name, data in station.hgetall(RECORDS).items():
            kept = data if number == 3 else json.dumps(json.loads(data) | {"superseded": []})
            station.hset(RECORDS, name, as_format(data, number, flags) if is_earlier else kept)
        perform(url, operation())
        ends.append(end_of(station))
    assert ends[0] == ends[1]
