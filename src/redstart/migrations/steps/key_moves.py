"""Move the documents of a model to keys with another prefix or suffix, and back. Nothing is overwritten."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from redstart.commands.scripts import load
from redstart.display import printable
from redstart.effects import Op
from redstart.errors import MigrationError, MigrationStateError
from redstart.migrations.context import Context
from redstart.migrations.data.failures import FailureLog, failure_at, place_name
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.steps.key_passes import KeyPattern, Left, existing_keys, handle_keys
from redstart.migrations.steps.record import BEGUN, mark, read_steps

TAKEN = "there is a document with its new key {} already"


@dataclass(frozen=True, slots=True)
class MoveResult:
    """The result of a move.

    Attributes:
        model: the name of the model.
        moved: number of documents moved in this direction, interrupted runs included.
        stopped: why it is not complete; None if it is.
        failures: documents that cannot be moved.
    """

    model: str
    moved: int
    stopped: str | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyMove:
    """A move of the documents of a model.

    Attributes:
        before, after: the model with the old and the new keys.
        exclude_prefixes: longer key prefixes whose keys stay.
    """

    before: ModelState
    after: ModelState
    exclude_prefixes: tuple[str, ...] = ()

    @property
    def source(self) -> KeyPattern:
        """The old keys."""
        return KeyPattern.of(self.before)

    @property
    def target(self) -> KeyPattern:
        """The new keys. The storage of documents does not change."""
        return KeyPattern(self.after.key_prefix, self.after.key_suffix, self.before.storage)

    @property
    def index_names(self) -> list[str]:
        """The names of the indexes before and after it."""
        return [one.index.name for one in (self.before, self.after) if one.index is not None]

    def back(self) -> "KeyMove":
        """Return the move back."""
        return KeyMove(self.after, self.before, self.exclude_prefixes)

    def is_old(self, key: bytes) -> bool:
        """Return whether a key has to move. Of nested patterns, the narrower one decides."""
        if not self.source.matches(key) or self.source.leaves_out(key, self.exclude_prefixes):
            return False
        return not (self.target.is_within(self.source) and self.target.matches(key))

    def new_key(self, key: bytes) -> bytes:
        """Return the new key of a document."""
        (before, after), (prefix, suffix) = self.source.ends, self.target.ends
        return prefix + key[len(before) : len(key) - len(after)] + suffix


def key_moves(
    before: ProjectState,
    after: ProjectState,
    original: Mapping[str, str],
    exclude_prefixes: tuple[str, ...] = (),
) -> tuple[KeyMove, ...]:
    """Return the moves between two states.

    Args:
        original: for each name of a model its name before.
        exclude_prefixes: see `KeyMove`.

    Raises:
        MigrationStateError: the old and the new keys, or those of two models, could not be distinguished, or the index
            would not contain the new keys.
    """
    found: list[KeyMove] = []
    for name, model in after.models.items():
        former = before.models.get(original.get(name, name))
        if former is None:
            continue
        if (former.key_prefix, former.key_suffix) == (model.key_prefix, model.key_suffix):
            continue
        move = KeyMove(former, model, exclude_prefixes)
        _require_distinct(move, [*before.models.values(), *after.models.values()])
        found.append(move)
    return tuple(found)


def _require_distinct(move: KeyMove, models: Iterable[ModelState]) -> None:
    source, target = move.source, move.target
    nested = source.is_within(target) or target.is_within(source)
    if source.overlaps(target) and not nested:
        raise MigrationStateError(
            f"Documents of {move.before.name} cannot move from {source} to {target}: a key can match both.",
            "Move them in two migration files, to keys of their own in between.",
        )
    for other in models:
        if other in (move.before, move.after) or other.name in (move.before.name, move.after.name):
            continue
        pattern = KeyPattern.of(other)
        if pattern.overlaps(source) or pattern.overlaps(target):
            raise MigrationStateError(
                f"Documents of {move.before.name} cannot move from {source} to {target}: keys of {other.name} "
                f"({pattern}) could be among them.",
                "Choose a key prefix that no other model has.",
            )
    index = move.after.index
    if index is not None and not any(target.prefix.startswith(prefix) for prefix in index.prefixes):
        raise MigrationStateError(
            f"The index {index.name} of {move.after.name} would not contain the keys {target}.",
            "Add AlterIndex with the new key prefix after ChangeKeyPrefix.",
        )


def field_of_move(move: KeyMove) -> str:
    """Return the field of the record that says that a move has begun."""
    return f"move:{move.before.name}"


def begin_move(context: Context, move: KeyMove, other_keys: Collection[bytes]) -> Op[None]:
    """Record that a move was started, unless a key that it needs exists already.

    Args:
        other_keys: keys under the new prefix that are not documents, such as those of redis-om for an index.

    Raises:
        MigrationError: a key with the new prefix exists; nothing was written.
        LeaseHeldError: another run is in progress.

    Effects: reads the keys with the new prefix; writes one field. Safe to repeat.
    """
    field = field_of_move(move)

    def work(lease: Lease) -> Op[None]:
        if field in (yield from read_steps(context.keys)).fields:
            return
        count, taken = yield from existing_keys(
            lease,
            move.target,
            move.exclude_prefixes,
            of_any_type=True,
            is_wanted=lambda key: not move.is_old(key) and key not in other_keys,
        )
        if taken:
            shown = ", ".join(printable(key) for key in taken[:3])
            raise MigrationError(
                f"{count:,} keys {move.target} exist already, such as {shown}. Documents of {move.before.name} "
                "would move to these keys. Nothing was changed.",
                "Remove or rename these keys, or choose another key prefix.",
            )
        yield from lease.commit([mark(context.keys, field, BEGUN)])

    yield from context.under_lease(work)


def move_keys(context: Context, move: KeyMove) -> Op[MoveResult]:
    """Move all documents, in passes until none has an old key. A key that exists already is never overwritten.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: a script for each 500 documents. Expiries of keys and fields stay. Documents that cannot move are recorded
        as failures. Safe to repeat.
    """
    keys = context.keys
    field = f"moved:{move.before.key_prefix}*{move.before.key_suffix}"

    def work(lease: Lease) -> Op[MoveResult]:
        def handle(page: Sequence[bytes]) -> Op[Left]:
            left = {key: f"its new key {printable(move.new_key(key))} is an old key, too" for key in page
                    if move.is_old(move.new_key(key))}  # fmt: skip
            movable = [key for key in page if key not in left]
            pairs = msgpack.packb(
                [part for key in movable for part in (key, move.new_key(key))], use_bin_type=False
            )
            script = load("fenced.lua", "move_keys.lua")
            taken = yield from lease.run(script, (keys.steps,), (move.source.storage.key_type, field, pairs))
            for number in taken:
                key = movable[number - 1]
                left[key] = TAKEN.format(printable(move.new_key(key)))
            return left

        stage = f"moving {move.source} to {move.target}"
        result = yield from handle_keys(context, lease, move.source, stage, handle, move.is_old)
        stopped = result.stopped
        if stopped is None and result.left:
            number = len(result.left)
            what = "1 document cannot" if number == 1 else f"{number:,} documents cannot"
            stopped = f"{what} move from {move.source} to {move.target}"
        failures = tuple(failure_at(key, "", b"", reason) for key, reason in sorted(result.left.items()))
        yield from _record(context, lease, move, failures, is_whole=result.stopped is None)
        moved = (yield from read_steps(keys)).count(field)
        return MoveResult(move.before.name, moved, stopped, failures)

    return (yield from context.under_lease(work))


def _record(
    context: Context, lease: Lease, move: KeyMove, failures: Sequence[Failure], *, is_whole: bool
) -> Op[None]:
    """Record documents that cannot move.

    Args:
        is_whole: whether these are all; then the records of others are removed.
    """
    log = FailureLog(context.keys)
    if is_whole:
        recorded = yield from log.names_by_key(move.is_old)
        # Only those of whole documents: the others are values that the file could not change.
        former = {name for key, names in recorded.items() for name in names if name == place_name(key, ())}
        yield from log.remove(lease, list(former - {one.name for one in failures}))
    _ = yield from log.record(lease, list(failures))
