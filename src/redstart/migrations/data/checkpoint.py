"""The checkpoint of an unfinished run or rollback: a few hundred bytes, saved after the work that they cover.

A missing, an unreadable and an incompatible checkpoint are different cases. Only the first one means a new start:
to start again next to unreadable progress could lose the record of what can be rolled back.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from zlib import crc32

from redstart.commands.keyspace import get
from redstart.effects import Argument, Op, call
from redstart.errors import CheckpointCorruptError, CheckpointVersionError
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command

FORMAT = 2


class RunStage(StrEnum):
    """The stage of a run or rollback. A rollback replays the undo log, then scans the keyspace (`sweep`)."""

    CENSUS = "census"
    CONVERT = "convert"
    REPLAY = "replay"
    SWEEP = "sweep"

    @property
    def undoes(self) -> bool:
        """Whether this is a stage of a rollback."""
        return self in (RunStage.REPLAY, RunStage.SWEEP)


@dataclass(slots=True)
class Checkpoint:
    """The saved position of a run or rollback.

    Attributes:
        plan_hash: hash of the plan that the run was started with.
        generation: number of the run; a resumed run keeps it.
        number: number of the pass over the keyspace, from 1.
        cursor: where the pass continues: a SCAN cursor, or (replay) the id of the last undone entry.
        run_id: run id of the server of the cursor; with another one, the cursor is void.
        whole: whether this pass started at the beginning, with no restart of the server since.
        changed: documents changed in this pass.
        done, total: documents of this pass, and of the keyspace if known, else 0; of a replay, entries of the undo log.
        beyond: documents after these, in the page at the cursor, up to a stop; they are read again.
        stopped_by: name of the failure at which mode `fail` stopped, as hexadecimal digits; or "".
        counts: numbers for the final report, by name.
        surveyed: of a run, documents in the initial scan, by key prefix.
        resumed_by: the command of `om` that resumes it: its name, its arguments and options. Empty if not known.
        replaced: of a rollback: the fields in which a run replaced failed values, as key prefixes and paths.
        moved: the same for quarantined values.
        started_ms, saved_ms: times by the server's clock.
    """

    stage: RunStage
    plan_hash: str
    generation: int
    number: int = 1
    cursor: str = "0"
    run_id: str = ""
    whole: bool = True
    changed: int = 0
    done: int = 0
    total: int = 0
    beyond: int = 0
    stopped_by: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    surveyed: dict[str, int] = field(default_factory=dict)
    resumed_by: list[str] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    started_ms: int = 0
    saved_ms: int = 0

    def missing(self, documents: Mapping[str, int]) -> Mapping[str, int]:
        """Return how many documents of the initial scan are missing now, by key prefix.

        Args:
            documents: the present numbers, by key prefix. Documents that were created since hide missing ones.
        """
        return Counter(self.surveyed) - Counter(documents)

    def disappeared(self, documents: Mapping[str, int]) -> Mapping[str, int]:
        """Return the documents of the initial scan, by key prefix, of models that have none now."""
        return {
            prefix: count for prefix, count in self.surveyed.items() if count and not documents.get(prefix)
        }

    @property
    def met(self) -> int:
        """Documents of this pass, up to the one at which it stopped."""
        return self.done + self.beyond

    @property
    def resume_command(self) -> Command | None:
        """The command that resumes it, with the options that were typed; None if that is not known."""
        return Command(*self.resumed_by) if self.resumed_by else None

    def record_command(self, command: Command | None) -> None:
        """Record the command that resumes it, in place of the recorded one."""
        self.resumed_by = [] if command is None else [command.name, *command.arguments]

    def add(self, **numbers: int) -> None:
        """Add to the counts."""
        for name, number in numbers.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def command(self, keys: StateKeys) -> list[Argument]:
        """Return the command that saves the checkpoint, without expiry."""
        data = {"format": FORMAT, **asdict(self)}
        return ["SET", keys.checkpoint, _compact({**data, "checksum": _checksum(data)})]


def _compact(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _checksum(data: dict[str, Any]) -> int:
    """Return the checksum of a checkpoint: a changed digit of a cursor would make a run skip documents."""
    return crc32(_compact(data).encode())


_POSITION = {"stage", "plan_hash", "generation", "number", "cursor", "run_id", "done"}
"""Fields of the position. The others may be missing, because an earlier version did not save all of them."""


def load_checkpoint(keys: StateKeys) -> Op[Checkpoint | None]:
    """Return the checkpoint, or None. One read.

    Raises:
        CheckpointCorruptError: the key is damaged, or was not written by Redstart.
        CheckpointVersionError: another version of Redstart wrote it.
    """
    text = yield from call(get(keys.checkpoint))
    return None if text is None else checkpoint_from(keys, text)


def checkpoint_from(keys: StateKeys, text: bytes) -> Checkpoint:
    """Return the checkpoint that was saved as this text. Raises like `load_checkpoint`."""
    try:
        data = json.loads(text)
        checksum = data.pop("checksum", None)
        is_whole = checksum in (None, _checksum(data))  # an earlier version saved none
        saved_format = data.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as exc:
        raise CheckpointCorruptError(
            f"The checkpoint {keys.checkpoint} cannot be read: {exc}.", keys.start_over_hint()
        ) from exc
    if saved_format != FORMAT:
        raise CheckpointVersionError(
            f"The checkpoint {keys.checkpoint} has format {saved_format}; "
            f"this version of Redstart reads format {FORMAT}.",
            keys.start_over_hint(),
        )
    try:
        if not is_whole:
            raise ValueError("its checksum does not match")
        if missing := _POSITION - data.keys():
            raise KeyError(", ".join(sorted(missing)))  # a default would be another position
        places = {
            name: [(prefix, path) for prefix, path in data.get(name, ())] for name in ("replaced", "moved")
        }
        checkpoint = Checkpoint(**{**data, "stage": RunStage(data["stage"]), **places})
        _ = int(checkpoint.cursor.partition("-")[0] or 0)
        _require_types(checkpoint)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CheckpointCorruptError(
            f"The checkpoint {keys.checkpoint} cannot be read: {exc}.", keys.start_over_hint()
        ) from exc
    return checkpoint


def _require_types(checkpoint: Checkpoint) -> None:
    """Raise TypeError or ValueError for a damaged value that would otherwise fail later, in the middle of a run."""
    numbers = [
        checkpoint.generation,
        checkpoint.number,
        checkpoint.changed,
        checkpoint.done,
        checkpoint.total,
    ]
    numbers += [checkpoint.beyond, checkpoint.started_ms, checkpoint.saved_ms]
    numbers += [*checkpoint.counts.values(), *checkpoint.surveyed.values()]
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("a count is not a number")
    texts = [
        checkpoint.plan_hash,
        checkpoint.run_id,
        *checkpoint.resumed_by,
        *(text for place in (*checkpoint.replaced, *checkpoint.moved) for text in place),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is not a string")
    _ = bytes.fromhex(checkpoint.stopped_by)
