"""The record between runs: the plan of the undo log, counters, and the applied models."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from redstart.commands.keyspace import hgetall, scard, sismember, xrevrange
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError, StateVersionError, UndoLogCorruptError
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, DATA_RUNS, StateKeys
from redstart.migrations.transformation import RecordedSettings

FORMAT = 2
"""Format of all state keys. The record of format 1 has no counts of other keys, so none are compared."""

_APPLIED = "applied:"
_MEMBERS = "members:"

OTHER_STYLE_FIELDS = "aware_fields"
"""Field of the record for `Record.other_style_fields`; its name is from the first data migration."""

RESTORED, REFORMATTED = "restored", "reformatted"
UNDONE = (RESTORED, REFORMATTED, "undone_documents")
"""Fields of the record: values that a rollback restored, values rewritten in the old format, and writes of
documents."""

CLEARED = "cleared"
"""Field of the record: a run or rollback wrote documents, its progress was cleared, and none was completed since."""

PROCESSED, REVERTED, MARKS = "processed", "reverted", "marks"
"""Fields of the record: sets of documents, as `token.bits`; see `processed_documents`."""

REPLAYED = "replayed"
"""Milestone of a rollback: the whole undo log is replayed, so that the remaining converted values are newer."""


def census_taken(generation: int) -> str:
    """Return the milestone of a run: its initial scan is complete."""
    return f"census of {generation}"


def milestone(keys: StateKeys, name: str) -> list[Argument]:
    """Return the command that records a milestone.

    A server that crashes may lose its last writes while the program continues. The loss is at the end: as long as the
    server has the milestone, it has everything that was written before. Edits that need this check for it.
    """
    return ["HSET", keys.record, "milestone", name]


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """A converted and verified key prefix: hash of its plan, time (server's ms), number of documents."""

    plan_hash: str
    at_ms: int
    documents: int


@dataclass(frozen=True, slots=True)
class Record:
    """The record as read.

    Attributes:
        plan: all paths converted since the last rollback, which the census covers. None before the first run.
        generation: number of the last run.
        is_started: whether a run was started, even if only for the indexes.
        converted, lossy: values changed since the last rollback, counted by the scripts that changed them.
        without_undo_log: converted values that cannot be rolled back, because the undo log was dropped.
        failures_not_kept: number of failures beyond the 100,000 recorded ones.
        census_values: number of values in the census; None before it is complete.
        milestone: see `milestone`; "" before the first one.
        other_style_fields: (key prefix, path) of fields whose values mostly did not have the default style of the old
            format before the first write.
        applied: applied models, by key prefix.
        known_models: all models that a run has processed, by key prefix; kept when the undo log is dropped.
        undone: counts of the scripts of a rollback, by field of `UNDONE`.
        journal_entries, journal_last: number of entries of the undo log, and id of the newest; "" in format 1.
        census_members, failures_members, replaced_members: numbers of entries of these keys; None in format 1.
        unrestored_members: the same for unrestored originals; None if all are restored.
        unfinished: "run" or "rollback" while there is a checkpoint; else "".
        cleared: "run" or "rollback" if its progress was cleared, so that both formats are present; else "". Also
            "run" after a rollback of the runs since the undo log was dropped.
        processed: the token and the size of the set of documents that an unfinished run has processed; "" without one.
        reverted: the same for a rollback.
        marks: the same for the marks of documents, which stay until the rollback or until the undo log is dropped.
        members: the numbers of members of these three sets, by `ProcessedDocuments.counted_as`; earlier versions did
            not count them.
        lost: missing fields that must exist next to the existing ones.
    """

    plan: Plan | None
    generation: int
    is_started: bool
    converted: int
    lossy: int
    without_undo_log: int
    failures_not_kept: int
    census_values: int | None
    milestone: str
    other_style_fields: frozenset[tuple[str, str]]
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
    processed: str = ""
    reverted: str = ""
    marks: str = ""
    members: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether no run was started since the last rollback, so that no data is converted as far as recorded."""
        return self.generation == 0 and not self.is_started

    def is_applied(self, model: PlannedModel) -> bool:
        """Return whether this model was converted as it is declared now."""
        found = self.applied.get(model.key_prefix)
        return found is not None and found.plan_hash == model.hash

    def unnamed(self, plan: Plan) -> list[PlannedModel]:
        """Return the models that a run has processed and that are not in the plan."""
        named = {model.key_prefix for model in plan.models}
        return [model for prefix, model in self.known_models.items() if prefix not in named]

    def pending(self, plan: Plan) -> list[PlannedModel]:
        """Return the models of a plan that still have to be converted."""
        return [model for model in plan.models if not self.is_applied(model)]


def sets_of(keys: StateKeys, record: Record) -> list[ProcessedDocuments]:
    """Return the sets of documents that exist now."""
    found = (
        processed_documents(keys, stored) for stored in (record.processed, record.reverted, record.marks)
    )
    return [one for one in found if one is not None]


def processed_documents(keys: StateKeys, stored: str) -> ProcessedDocuments | None:
    """Return the set of documents that a field of the record names; None without one."""
    token, _, bits = stored.partition(".")
    return ProcessedDocuments(keys.processed(token), int(bits)) if stored else None


def read_record(keys: StateKeys) -> Op[Record]:
    """Return the record; an empty one if there is none. One read.

    Raises:
        StateDamagedError: the key has content that Redstart did not write.
        StateVersionError: a newer version of Redstart wrote it.
    """
    return record_from(keys, (yield from call(hgetall(keys.record))))


def record_from(keys: StateKeys, fields: Mapping[bytes, bytes]) -> Record:
    """Return the record of these fields. Raises like `read_record`."""
    try:
        written = int(fields.get(b"format", 1))
        if written > FORMAT:
            raise StateVersionError(
                f"{keys.record} has format {written}; this version of Redstart reads up to format {FORMAT}.",
                "Use the version of Redstart that wrote the record, or a newer one.",
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
            frozenset(
                (prefix, path) for prefix, path in json.loads(fields.get(OTHER_STYLE_FIELDS.encode(), b"[]"))
            ),
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
            fields.get(PROCESSED.encode(), b"").decode(),
            fields.get(REVERTED.encode(), b"").decode(),
            fields.get(MARKS.encode(), b"").decode(),
            {
                name.decode(): int(value)
                for name, value in fields.items()
                if name.startswith(_MEMBERS.encode())
            },
            _lost(fields, written),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StateDamagedError(
            f"Unexpected content in {keys.record}: {exc}.",
            keys.restore_hint(),
        ) from exc


def _count(fields: Mapping[bytes, bytes], name: bytes) -> int | None:
    return int(fields[name]) if name in fields else None


def _lost(fields: Mapping[bytes, bytes], written: int) -> tuple[str, ...]:
    """Return the missing fields: each is always written together with an existing one."""
    needed = set[bytes]()
    if b"format" in fields or b"journal_last" in fields or b"census_members" in fields:
        needed |= {b"format", b"generation", b"census_members", b"failures_members", b"replaced_members"}
    if any(name.startswith(_APPLIED.encode()) for name in fields):
        needed |= {b"generation"}
    if int(fields.get(b"journal_entries", 0)) or b"journal_last" in fields:
        needed |= {b"plan", b"journal_entries"} | ({b"journal_last"} if written > 1 else set())
    if {b"plan", b"census_values", OTHER_STYLE_FIELDS.encode()} & fields.keys():
        needed |= {b"plan", OTHER_STYLE_FIELDS.encode(), b"census_values", b"milestone", b"generation"}
    return tuple(sorted(name.decode() for name in needed - fields.keys()))


def counted(keys: StateKeys, *parts: str) -> list[list[Argument]]:
    """Return the commands that record the number of entries of some keys; only for `Lease.commit`."""
    return [["COUNT", keys.record, f"{part}_members", getattr(keys, part)] for part in parts]


def remember_models(keys: StateKeys, record: Record, settings: RecordedSettings) -> list[Argument]:
    """Return the command that keeps the models of a plan, when it is dropped with its undo log."""
    return ["HSET", keys.record, "known_plan", Plan(tuple(record.known_models.values()), settings).to_json()]


def is_recorded_without_state(keys: StateKeys, record: Record) -> Op[bool]:
    """Return whether redis-om's record has the migration as applied, and no state of a run exists. One read.

    The state was lost, or redis-om ran the migration: both leave the same record.
    """
    return record.is_new and (yield from call(sismember(APPLIED_MIGRATIONS, keys.migration_id)))


def converted_prefixes(keys: StateKeys, models: Iterable[PlannedModel]) -> Op[set[str]]:
    """Return the key prefixes of models whose data is converted as they are declared now. One read."""
    record = yield from read_record(keys)
    return {model.key_prefix for model in models if record.is_applied(model)}


def save_census(
    keys: StateKeys, plan: Plan, other_style_fields: frozenset[tuple[str, str]], census_values: int
) -> list[Argument]:
    """Return the command that ends the initial scan: the plan of the undo log, and the result of the scan."""
    return [
        "HSET",
        keys.record,
        *("plan", plan.to_json()),
        *(OTHER_STYLE_FIELDS, json.dumps(sorted(other_style_fields))),
        *("census_values", census_values),
    ]


def check_census(keys: StateKeys, record: Record) -> Op[None]:
    """Raise UndoLogCorruptError if the census holds fewer values than were recorded. One read."""
    found = yield from call(scard(keys.census))
    if found < (record.census_values or 0):
        raise UndoLogCorruptError(
            f"The census {keys.census} has {found} values; {keys.record} counts {record.census_values}.",
            keys.restore_hint(),
        )


def in_this_format(keys: StateKeys) -> Op[list[list[Argument]]]:
    """Return the commands that convert the state keys of an earlier version to this format. One read."""
    newest = yield from call(xrevrange(keys.journal, before=None, count=1))
    fields: list[Argument] = ["format", FORMAT]
    for entry in newest:
        fields += ["journal_last", entry.id]
    return [["HSET", keys.record, *fields], *counted(keys, "census", "failures", "replaced")]


def end_progress(keys: StateKeys) -> list[list[Argument]]:
    """Return the commands that remove the checkpoint."""
    return [["REMOVE", "string", keys.checkpoint], ["HDEL", keys.record, "unfinished"]]


def mark_applied(
    keys: StateKeys, plan: Plan, documents: dict[str, int], at_ms: int, *, for_redis_om: bool
) -> list[list[Argument]]:
    """Return the commands that record a verified run; none if no model has values to convert.

    If there were documents, also for redis-om. Without any, redis-om must stay able to run on the right database.
    """
    command: list[Argument] = ["HSET", keys.record]
    for model in plan.models:
        entry = json.dumps([model.hash, at_ms, documents.get(model.key_prefix, 0)])
        command += [_APPLIED + model.key_prefix, entry]
    commands = [command] if plan.models else []
    if for_redis_om and any(documents.values()):
        commands.append(["SADD", APPLIED_MIGRATIONS, keys.migration_id])
    return commands


def count_undone_anew(keys: StateKeys) -> list[Argument]:
    """Return the command that resets the counts of a rollback."""
    return ["HDEL", keys.record, *UNDONE]


def mark_not_applied(keys: StateKeys, record: Record) -> list[list[Argument]]:
    """Return the commands that remove the records of `mark_applied`."""
    fields = [_APPLIED + prefix for prefix in record.applied]
    commands: list[list[Argument]] = [["SREM", APPLIED_MIGRATIONS, keys.migration_id]]
    return [["HDEL", keys.record, *fields], *commands] if fields else commands


def remove_run_number(keys: StateKeys) -> list[Argument]:
    """Return the command for a server on which no record is expected any more."""
    return ["HDEL", DATA_RUNS, keys.migration_id]


def end_rollback(
    keys: StateKeys, record: Record, settings: RecordedSettings, *, has_unrestored: bool
) -> list[list[Argument]]:
    """Return the commands that end a completed rollback: they remove all state.

    If an undo log was dropped before, the record of the values that stay converted is kept: how many, of which models.

    Args:
        settings: those of the plan that was rolled back.
        has_unrestored: whether unrestored originals stay; then their number stays in the record.
    """
    return [
        [
            "REMOVE",
            *("stream", keys.journal, "set", keys.census, "string", keys.checkpoint),
            *("hash", keys.failures, "hash", keys.replaced, "hash", keys.record),
        ],
        remove_run_number(keys),
        ["SREM", APPLIED_MIGRATIONS, keys.migration_id],
        *(_keep_values_without_undo_log(keys, record, settings) if record.without_undo_log else []),
        *(counted(keys, "unrestored") if has_unrestored else []),
    ]


def _keep_values_without_undo_log(
    keys: StateKeys, record: Record, settings: RecordedSettings
) -> list[list[Argument]]:
    kept: list[Argument] = ["generation", record.generation, "converted", record.without_undo_log]
    kept += ["forgotten", record.without_undo_log, CLEARED, "run"]
    return [
        ["HSET", keys.record, *kept],
        remember_models(keys, record, settings),
        ["HSET", DATA_RUNS, keys.migration_id, record.generation],
    ]
