"""How far an unfinished run or rollback is: a few hundred bytes, saved after the work they cover, never before.

Absent, unreadable and of another version are three different things: the first means "start", the others stop,
because starting over beside progress that cannot be read could lose track of what is undoable.
"""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from redstart.commands.keyspace import get
from redstart.effects import Argument, Op, call
from redstart.errors import CheckpointCorruptError, CheckpointVersionError
from redstart.migrations.data.state.keys import StateKeys

FORMAT = 2

START_OVER = "To start over from the beginning (nothing converted is lost): om migrate-data clear-progress"
"""The hint where saved progress cannot be used."""


class Stage(StrEnum):
    """What is being done. The census writes nothing to documents; an undo replays the journal, then scans."""

    CENSUS = "census"
    CONVERT = "convert"
    REPLAY = "replay"
    SWEEP = "sweep"

    @property
    def undoes(self) -> bool:
        """Whether this is a part of a rollback."""
        return self in (Stage.REPLAY, Stage.SWEEP)


@dataclass(slots=True)
class Checkpoint:
    """Progress.

    Attributes:
        plan_hash: of the plan the run began with.
        generation: number of the run; a resumed run keeps it.
        number: of the pass over the keyspace, from 1.
        cursor: where the pass goes on: a SCAN cursor, or (replay) the id of the last entry undone.
        run_id: of the server the cursor came from; under another one it is void.
        whole: whether this pass began at its beginning and has met no restart.
        changed: documents changed in this pass.
        done, total: documents met in this pass, and in all as far as known, else 0; of a replay, entries of the log.
        beyond: documents met after these, in the page at the cursor: a stop cut it short, and it is looked at again.
        stopped_by: the name, as hexadecimal digits, of the failure at which mode `fail` stopped; or "".
        counts: what the final report sums up, by name.
        replaced: of a rollback, where a run wrote a default in place of failed values: key prefixes and paths.
        moved: the same of where it quarantined them.
        started_ms, saved_ms: server's clock.
    """

    stage: Stage
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
    replaced: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    started_ms: int = 0
    saved_ms: int = 0

    @property
    def met(self) -> int:
        """Documents met in this pass, up to the one at which it stopped."""
        return self.done + self.beyond

    def add(self, **numbers: int) -> None:
        """Add to the counts."""
        for name, number in numbers.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def command(self, keys: StateKeys) -> list[Argument]:
        """The command that saves it; without expiry."""
        return ["SET", keys.checkpoint, json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))]


_POSITION = {"stage", "plan_hash", "generation", "number", "cursor", "run_id", "done"}
"""Fields that say where to go on; the others may be missing, as an earlier version did not save all of them."""


def load_checkpoint(keys: StateKeys) -> Op[Checkpoint | None]:
    """Saved progress, or None. One read.

    Raises:
        CheckpointCorruptError: it is damaged, or not ours.
        CheckpointVersionError: another version of Redstart saved it.
    """
    text = yield from call(get(keys.checkpoint))
    return None if text is None else checkpoint_from(keys, text)


def checkpoint_from(keys: StateKeys, text: bytes) -> Checkpoint:
    """Return the progress that was saved as this text. Raises as `load_checkpoint`."""
    try:
        data = json.loads(text)
        saved_format = data.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as exc:
        raise CheckpointCorruptError(
            f"The saved progress in {keys.checkpoint} cannot be read: {exc}.", START_OVER
        ) from exc
    if saved_format != FORMAT:
        raise CheckpointVersionError(
            f"The saved progress in {keys.checkpoint} has format {saved_format}; this version reads format {FORMAT}.",
            START_OVER,
        )
    try:
        if missing := _POSITION - data.keys():
            raise KeyError(", ".join(sorted(missing)))  # a default would be another place to go on from
        places = {
            name: [(prefix, path) for prefix, path in data.get(name, ())] for name in ("replaced", "moved")
        }
        checkpoint = Checkpoint(**{**data, "stage": Stage(data["stage"]), **places})
        _ = int(checkpoint.cursor.partition("-")[0] or 0)
        _require_types(checkpoint)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CheckpointCorruptError(
            f"The saved progress in {keys.checkpoint} cannot be read: {exc}.", START_OVER
        ) from exc
    return checkpoint


def _require_types(checkpoint: Checkpoint) -> None:
    """Raise TypeError or ValueError where a damaged value would fail only later, in the middle of a run."""
    numbers = [
        checkpoint.generation,
        checkpoint.number,
        checkpoint.changed,
        checkpoint.done,
        checkpoint.total,
    ]
    numbers += [checkpoint.beyond, checkpoint.started_ms, checkpoint.saved_ms, *checkpoint.counts.values()]
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("a count is not a number")
    texts = [
        checkpoint.plan_hash,
        checkpoint.run_id,
        *(text for place in (*checkpoint.replaced, *checkpoint.moved) for text in place),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is not a text")
    _ = bytes.fromhex(checkpoint.stopped_by)
