"""Saved progress: what is saved comes back; absent, damaged and of another version are three things."""

import json
from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import CheckpointCorruptError, CheckpointVersionError
from redstart.migrations.data.checkpoint import FORMAT, Checkpoint, RunStage, load_checkpoint
from tests.support.migration import KEYS


def loaded(text: bytes | None) -> Checkpoint | None:
    """What is made of the server's answer."""
    operation = load_checkpoint(KEYS)
    _ = next(operation)
    with pytest.raises(StopIteration) as ended:
        operation.send(text)
    found = ended.value.value
    assert found is None or isinstance(found, Checkpoint)
    return found


def saved(checkpoint: Checkpoint) -> bytes:
    command, key, text = checkpoint.command(KEYS)
    assert (command, key) == ("SET", KEYS.checkpoint)
    return str(text).encode()


@given(st.builds(Checkpoint, number=st.integers(1), stopped_by=st.binary(max_size=9).map(bytes.hex)))
def test_what_is_saved_comes_back(checkpoint: Checkpoint) -> None:
    assert loaded(saved(checkpoint)) == checkpoint


def test_none_is_none() -> None:
    assert loaded(None) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b'{"format": %d}' % FORMAT,
        b'{"format": %d, "stage": "lunch", "plan_hash": "", "generation": 1}' % FORMAT,
        b'{"format": %d, "stage": "census", "plan_hash": "", "generation": 1, "colour": 1}' % FORMAT,
        b'{"format": %d, "stage": "convert", "plan_hash": "", "generation": 1, "stopped_by": ["a"]}' % FORMAT,
        b'{"format": %d, "stage": "convert", "plan_hash": "", "generation": 1, "stopped_by": "zz"}' % FORMAT,
    ],
)
def test_a_damaged_checkpoint_is_refused_with_a_hint(data: bytes) -> None:
    with pytest.raises(CheckpointCorruptError) as refused:
        loaded(data)
    assert KEYS.checkpoint in refused.value.message
    assert "om migrate-data clear-progress" in (refused.value.hint or "")


def test_another_version_is_not_damage() -> None:
    text = json.dumps({"format": FORMAT + 1, "whatever": "comes"}).encode()
    with pytest.raises(
        CheckpointVersionError, match=f"format {FORMAT + 1}; this version of Redstart reads format {FORMAT}"
    ):
        loaded(text)


def test_progress_that_an_earlier_build_saved_can_be_read() -> None:
    """Fields that are added need a default: a stopped run must survive an update."""
    data: dict[str, Any] = asdict(Checkpoint(RunStage.CONVERT, "plan", 3))
    needed = {"stage", "plan_hash", "generation", "number", "cursor", "run_id", "done"}
    for name in needed:
        with pytest.raises(CheckpointCorruptError, match=name):
            loaded(json.dumps({"format": FORMAT, **{k: v for k, v in data.items() if k != name}}).encode())
    for name in {field.name for field in fields(Checkpoint)} - needed:
        found = loaded(
            json.dumps({"format": FORMAT, **{k: v for k, v in data.items() if k != name}}).encode()
        )
        assert found == Checkpoint(RunStage.CONVERT, "plan", 3)


def test_counts_add_up() -> None:
    checkpoint = Checkpoint(RunStage.CONVERT, "plan", 1)
    checkpoint.add(documents=2, values=3)
    checkpoint.add(documents=5)
    assert checkpoint.counts == {"documents": 7, "values": 3}


def test_only_a_rollback_undoes() -> None:
    assert [stage for stage in RunStage if stage.undoes] == [RunStage.REPLAY, RunStage.SWEEP]
