"""What stays on the server between runs: the plan under the journal, counters, and what is applied where."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redstart.commands.keyspace import hgetall, scard
from redstart.commands.streams import xrevrange
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError, StateVersionError, UndoLogCorruptError
from redstart.migrations.data.planned.plan import Plan, PlannedModel
from redstart.migrations.data.state.keys import APPLIED_MIGRATIONS, DATA_RUNS, StateKeys

FORMAT = 2
"""Of all state keys together. The record of format 1 has no counts of other keys: then none is compared."""

_APPLIED = "applied:"

RESTORED, REFORMATTED = "restored", "reformatted"
UNDONE = (RESTORED, REFORMATTED, "undone_documents")
"""Fields of the record: values that a rollback restored, values that it gave the text format, writes of documents."""

CLEARED = "cleared"
"""A field of the record: a run or a rollback wrote documents, its progress was cleared, and none has ended since."""

REPLAYED = "replayed"
"""The milestone of a rollback: the whole journal is undone, so that what is still new is newer."""


def census_taken(generation: int) -> str:
    """The milestone of a run: its census is complete."""
    return f"census of {generation}"


def milestone(keys: StateKeys, name: str) -> list[Argument]:
    """The command that says how far the server is.

    A server that dies may lose its last writes and come back under a program that lives on. What it lost is a
    tail: as long as it has the milestone, it has all that was written before. Edits that need that ask for it.
    """
    return ["HSET", keys.record, "milestone", name]


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """That a key prefix was converted and verified: under which plan, when (server's ms), how many documents."""

    plan_hash: str
    at_ms: int
    documents: int


@dataclass(frozen=True, slots=True)
class Record:
    """The record as read.

    Attributes:
        plan: all paths ever converted since the last rollback; what the census covers. None before the first.
        generation: number of the last run.
        begun: whether a run has begun, if only with the indexes.
        converted, lossy: values changed since the last rollback, counted by the scripts that changed them.
        forgotten: of the converted ones, those that cannot be undone: the undo log was dropped.
        failures_not_kept: failures beyond the 100,000 that are recorded.
        census_values: how many the census holds; None before it is complete.
        milestone: how far the server is, see `milestone`; "" before the first.
        aware_fields: (key prefix, path) of fields whose texts mostly had an offset before the first write.
        applied: by key prefix.
        known_models: by key prefix, every model that a run has worked on, also where the undo log was dropped since.
        undone: by field of `UNDONE`, what the scripts of the rollback have counted.
        journal_entries, journal_last: how many entries the journal has, and the id of the newest; "" in format 1.
        census_members, failures_members, replaced_members: how many entries these keys have; None in format 1.
        unrestored_members: the same of the originals that a rollback has not restored; None where it restored all.
        unfinished: "run" or "rollback" while its progress is saved; else "".
        cleared: "run" or "rollback" if its progress was cleared, so that documents of both formats are left; else "".
        lost: fields that are missing, given those that are there.
    """

    plan: Plan | None
    generation: int
    begun: bool
    converted: int
    lossy: int
    forgotten: int
    failures_not_kept: int
    census_values: int | None
    milestone: str
    aware_fields: frozenset[tuple[str, str]]
    applied: dict[str, AppliedModel]
    known_models: dict[str, PlannedModel]
    undone: dict[str, int]
    journal_entries: int = 0
    journal_last: str = ""
    census_members: int | None = None
    failures_members: int | None = None
    replaced_members: int | None = None
    unrestored_members: int | None = None
    unfinished: str = ""
    cleared: str = ""
    lost: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether no run has begun since the last rollback: all data is in the old form, as far as is known."""
        return self.generation == 0 and not self.begun

    def is_applied(self, model: PlannedModel) -> bool:
        """Whether this model was converted as it is declared today."""
        found = self.applied.get(model.key_prefix)
        return found is not None and found.plan_hash == model.hash

    def unnamed(self, plan: Plan) -> list[PlannedModel]:
        """Return the models that a run has worked on and that a plan does not have."""
        named = {model.key_prefix for model in plan.models}
        return [model for prefix, model in self.known_models.items() if prefix not in named]

    def pending(self, plan: Plan) -> list[PlannedModel]:
        """The models of a plan that still have to be converted."""
        return [model for model in plan.models if not self.is_applied(model)]


def read_record(keys: StateKeys) -> Op[Record]:
    """The record; an empty one when nothing was ever done. One read.

    Raises:
        StateDamagedError: the key holds something that Redstart did not write.
        StateVersionError: a newer version of Redstart wrote it.
    """
    return record_from(keys, (yield from call(hgetall(keys.record))))


def record_from(keys: StateKeys, fields: Mapping[bytes, bytes]) -> Record:
    """Return the record of these fields. Raises as `read_record`."""
    try:
        written = int(fields.get(b"format", 1))
        if written > FORMAT:
            raise StateVersionError(
                f"{keys.record} has format {written}; this version of Redstart reads up to format {FORMAT}.",
                "Use the version of Redstart that wrote it, or a newer one.",
            )
        applied = {
            name.decode().removeprefix(_APPLIED): AppliedModel(*json.loads(data))
            for name, data in fields.items()
            if name.startswith(_APPLIED.encode())
        }
        stored = fields.get(b"plan")
        plan = None if stored is None else Plan.from_json(stored)
        known = [Plan.from_json(fields[b"known_plan"])] if b"known_plan" in fields else []
        return Record(
            plan,
            int(fields.get(b"generation", 0)),
            b"begun" in fields,
            int(fields.get(b"converted", 0)),
            int(fields.get(b"lossy", 0)),
            int(fields.get(b"forgotten", 0)),
            int(fields.get(b"failures_not_kept", 0)),
            int(fields[b"census_values"]) if b"census_values" in fields else None,
            fields.get(b"milestone", b"").decode(),
            frozenset((prefix, path) for prefix, path in json.loads(fields.get(b"aware_fields", b"[]"))),
            applied,
            {model.key_prefix: model for one in (*known, plan) if one is not None for model in one.models},
            {name: int(fields.get(name.encode(), 0)) for name in UNDONE},
            int(fields.get(b"journal_entries", 0)),
            fields.get(b"journal_last", b"").decode(),
            _count(fields, b"census_members"),
            _count(fields, b"failures_members"),
            _count(fields, b"replaced_members"),
            _count(fields, b"unrestored_members"),
            fields.get(b"unfinished", b"").decode(),
            fields.get(CLEARED.encode(), b"").decode(),
            _lost(fields, written),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StateDamagedError(
            f"{keys.record} holds something that Redstart did not write: {exc}.",
            keys.restore_hint(),
        ) from exc


def _count(fields: Mapping[bytes, bytes], name: bytes) -> int | None:
    return int(fields[name]) if name in fields else None


def _lost(fields: Mapping[bytes, bytes], written: int) -> tuple[str, ...]:
    """The fields that are missing: each is written together with another one that is there."""
    needed = set[bytes]()
    if b"format" in fields or b"journal_last" in fields or b"census_members" in fields:
        needed |= {b"format", b"generation", b"census_members", b"failures_members", b"replaced_members"}
    if any(name.startswith(_APPLIED.encode()) for name in fields):
        needed |= {b"generation"}
    if int(fields.get(b"journal_entries", 0)) or b"journal_last" in fields:
        needed |= {b"plan", b"journal_entries"} | ({b"journal_last"} if written > 1 else set())
    if {b"plan", b"census_values", b"aware_fields"} & fields.keys():
        needed |= {b"plan", b"aware_fields", b"census_values", b"milestone", b"generation"}
    return tuple(sorted(name.decode() for name in needed - fields.keys()))


def counted(keys: StateKeys, *parts: str) -> list[list[Argument]]:
    """Return the commands that note in the record how many entries some keys have; only for `Lease.commit`."""
    return [["COUNT", keys.record, f"{part}_members", getattr(keys, part)] for part in parts]


def remember_models(keys: StateKeys, record: Record, zone: str) -> list[Argument]:
    """Return the command that keeps the models of a plan, when the plan goes with its undo log."""
    return ["HSET", keys.record, "known_plan", Plan(tuple(record.known_models.values()), zone).to_json()]


def converted_prefixes(keys: StateKeys, models: Iterable[PlannedModel]) -> Op[set[str]]:
    """The key prefixes of those models whose data is converted as they are declared today. One read."""
    record = yield from read_record(keys)
    return {model.key_prefix for model in models if record.is_applied(model)}


def save_census(
    keys: StateKeys, plan: Plan, aware_fields: frozenset[tuple[str, str]], census_values: int
) -> list[Argument]:
    """The command that ends a census: the plan the journal stands on, and what the census found."""
    return [
        "HSET",
        keys.record,
        *("plan", plan.to_json()),
        *("aware_fields", json.dumps(sorted(aware_fields))),
        *("census_values", census_values),
    ]


def check_census(keys: StateKeys, record: Record) -> Op[None]:
    """Raises UndoLogCorruptError when the census holds fewer values than were recorded. One read."""
    found = yield from call(scard(keys.census))
    if found < (record.census_values or 0):
        raise UndoLogCorruptError(
            f"The census {keys.census} holds {found} values where {record.census_values} were recorded.",
            keys.restore_hint(),
        )


def in_this_format(keys: StateKeys) -> Op[list[list[Argument]]]:
    """Return the commands that bring the state keys of an earlier version to this format. One read."""
    newest = yield from call(xrevrange(keys.journal, before=None, count=1))
    fields: list[Argument] = ["format", FORMAT]
    for entry in newest:
        fields += ["journal_last", entry.id]
    return [["HSET", keys.record, *fields], *counted(keys, "census", "failures", "replaced")]


def end_progress(keys: StateKeys) -> list[list[Argument]]:
    """Return the commands that remove saved progress."""
    return [["REMOVE", "string", keys.checkpoint], ["HDEL", keys.record, "unfinished"]]


def mark_applied(keys: StateKeys, plan: Plan, documents: dict[str, int], at_ms: int) -> list[list[Argument]]:
    """The commands that record a verified run; none if no model has dates.

    Also where redis-om looks for it, if there was any document: on the right data redis-om is not to be kept from it.
    """
    words: list[Argument] = ["HSET", keys.record]
    for model in plan.models:
        entry = json.dumps([model.hash, at_ms, documents.get(model.key_prefix, 0)])
        words += [_APPLIED + model.key_prefix, entry]
    commands = [words] if plan.models else []
    return (
        [*commands, ["SADD", APPLIED_MIGRATIONS, keys.migration_id]] if any(documents.values()) else commands
    )


def count_undone_anew(keys: StateKeys) -> list[Argument]:
    """Return the command that a rollback starts its counts with."""
    return ["HDEL", keys.record, *UNDONE]


def mark_not_applied(keys: StateKeys, record: Record) -> list[list[Argument]]:
    """The commands that take the marks of `mark_applied` away."""
    fields = [_APPLIED + prefix for prefix in record.applied]
    commands: list[list[Argument]] = [["SREM", APPLIED_MIGRATIONS, keys.migration_id]]
    return [["HDEL", keys.record, *fields], *commands] if fields else commands


def forget_runs(keys: StateKeys) -> list[Argument]:
    """Return the command for where no record is expected any more."""
    return ["HDEL", DATA_RUNS, keys.migration_id]


def forget_everything(keys: StateKeys, *, has_unrestored: bool) -> list[list[Argument]]:
    """The commands that end a completed rollback: nothing was ever done, as far as the server knows.

    Args:
        has_unrestored: whether originals stay that it has not restored; then their number stays in the record.
    """
    return [
        [
            "REMOVE",
            *("stream", keys.journal, "set", keys.census, "string", keys.checkpoint),
            *("hash", keys.failures, "hash", keys.replaced, "hash", keys.record),
        ],
        forget_runs(keys),
        ["SREM", APPLIED_MIGRATIONS, keys.migration_id],
        *(counted(keys, "unrestored") if has_unrestored else []),
    ]
