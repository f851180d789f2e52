"""The state of each index: the only transitions between states, and its record on the server.

Key names, and names of built indexes, are here, too.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha1
from typing import Any

from redstart.commands.keyspace import get, hgetall
from redstart.commands.search import name_bytes
from redstart.display import shortened, shown_value
from redstart.effects import Argument, Op, call
from redstart.errors import MigrationError, StateDamagedError, StateVersionError
from redstart.migrations.state_keys import LeaseKeys, of_other_types, require_none
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo
from redstart.search.schema import FieldKind, Index, IndexField, VectorSettings, create_arguments
from redstart.values.types import Storage


class IndexState(StrEnum):
    """The progress of the migration of one index, as recorded.

    A record is written before the change that it announces is used, and after the change that it confirms. So a process
    that ends between the two leaves a state from which the same command continues.
    """

    # The final definition is recorded. The previous index is active, or a dual-format index that was just activated.
    PLANNED = "planned"
    # A dual-format index is active; the final index is built next to it.
    EXPANDED = "expanded"
    # The final index is active; redis-om's keys match it.
    CUT_OVER = "cut over"
    # As CUT_OVER, and the unused indexes are dropped.
    CONTRACTED = "contracted"
    # A rollback was started: a dual-format index is active, or about to be.
    ROLLING_BACK = "rolling back"


class IndexEvent(StrEnum):
    """What changes the state of an index."""

    PLAN = "plan"
    REDEFINE = "redefine"
    EXPAND = "expand"
    CUT_OVER = "cut over"
    CONTRACT = "contract"
    REOPEN = "reopen"
    ROLL_BACK = "roll back"
    ABANDON_ROLLBACK = "abandon the rollback"
    REFUSE_ROLLBACK = "refuse the rollback"
    RESTORE = "restore"
    KEEP_CREATED = "keep"
    DROP_CREATED = "drop"


_S = IndexState
_E = IndexEvent

TRANSITIONS: dict[tuple[IndexState | None, IndexEvent], IndexState | None] = {
    # PLAN. `om migrate run` records the previous and the final definition: commit.lua. Nothing is built yet.
    (None, _E.PLAN): _S.PLANNED,
    # Again, for an index that did not exist before Redstart, or that had no changing attributes: another tool has
    # created one with text in them, and the data is not converted. That index is the previous one from now on.
    (_S.PLANNED, _E.PLAN): _S.PLANNED,
    (_S.EXPANDED, _E.PLAN): _S.PLANNED,
    (_S.CUT_OVER, _E.PLAN): _S.PLANNED,
    (_S.CONTRACTED, _E.PLAN): _S.PLANNED,
    (_S.ROLLING_BACK, _E.PLAN): _S.PLANNED,
    # REDEFINE. The model requires another definition than the recorded one: commit.lua. The active index stays, and an
    # index of the new definition is built from the start.
    (_S.PLANNED, _E.REDEFINE): _S.PLANNED,
    (_S.EXPANDED, _E.REDEFINE): _S.PLANNED,
    (_S.CUT_OVER, _E.REDEFINE): _S.PLANNED,
    (_S.CONTRACTED, _E.REDEFINE): _S.PLANNED,
    # A rollback restores the previous index, whatever the final one is.
    (_S.ROLLING_BACK, _E.REDEFINE): _S.ROLLING_BACK,
    # EXPAND. The alias points to a dual-format index that contains every document (swap.lua), and the final index is
    # built; then commit.lua. The data is not converted.
    (_S.PLANNED, _E.EXPAND): _S.EXPANDED,
    (_S.EXPANDED, _E.EXPAND): _S.EXPANDED,
    # Another tool has replaced the final index by one with text in changing attributes.
    (_S.CUT_OVER, _E.EXPAND): _S.EXPANDED,
    # `om migrate run` beside a rollback does not end it.
    (_S.ROLLING_BACK, _E.EXPAND): _S.ROLLING_BACK,
    # CUT_OVER. The alias points to the final index (swap.lua), which contains every document of the active one, except
    # those that the user accepted; then commit.lua, with redis-om's keys in the same step.
    (_S.PLANNED, _E.CUT_OVER): _S.CUT_OVER,
    (_S.EXPANDED, _E.CUT_OVER): _S.CUT_OVER,
    # Repeated where another tool has replaced the final index.
    (_S.CUT_OVER, _E.CUT_OVER): _S.CUT_OVER,
    # The final index is active and the data is not converted: a rollback ended before it moved the alias, or no
    # document has the value that is indexed for the first time. `om migrate run` does not end the rollback.
    (_S.ROLLING_BACK, _E.CUT_OVER): _S.ROLLING_BACK,
    # CONTRACT. `om migrate cleanup` has dropped the unused indexes: drop.lua for each; then commit.lua.
    (_S.CUT_OVER, _E.CONTRACT): _S.CONTRACTED,
    (_S.CONTRACTED, _E.CONTRACT): _S.CONTRACTED,
    # REOPEN. Another tool has changed, replaced or dropped the final index: commit.lua. Then an index is built again,
    # so there may be unused indexes again.
    (_S.CONTRACTED, _E.REOPEN): _S.CUT_OVER,
    # ROLL_BACK. A dual-format index is built and contains every document of the active one. First commit.lua, then the
    # alias moves to it (swap.lua): while both are not done, queries on changing attributes are to stop.
    (_S.EXPANDED, _E.ROLL_BACK): _S.ROLLING_BACK,
    (_S.CUT_OVER, _E.ROLL_BACK): _S.ROLLING_BACK,
    (_S.CONTRACTED, _E.ROLL_BACK): _S.ROLLING_BACK,
    # First swap.lua, then commit.lua: until the alias moves, the previous index is active, which is drift in the state
    # that follows.
    (_S.PLANNED, _E.ROLL_BACK): _S.ROLLING_BACK,
    # ABANDON_ROLLBACK. The data is converted, or is about to be: commit.lua.
    (_S.ROLLING_BACK, _E.ABANDON_ROLLBACK): _S.EXPANDED,
    # REFUSE_ROLLBACK. The previous index would lose documents, or the created one: the dual-format index stays active;
    # commit.lua.
    (_S.ROLLING_BACK, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    # Only of an index that did not exist before Redstart; of others, these states stay.
    (_S.PLANNED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.EXPANDED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.CUT_OVER, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.CONTRACTED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    # RESTORE. The data is rolled back. The alias points to an index of the previous definition that contains every
    # document (swap.lua), unused indexes are dropped (drop.lua), the active one is marked (mark_settled.lua); then
    # commit.lua removes the record, and restores redis-om's keys in the same step.
    (_S.PLANNED, _E.RESTORE): None,
    (_S.EXPANDED, _E.RESTORE): None,
    (_S.CUT_OVER, _E.RESTORE): None,
    (_S.CONTRACTED, _E.RESTORE): None,
    (_S.ROLLING_BACK, _E.RESTORE): None,
    # KEEP_CREATED. The data is rolled back, and there was no index before Redstart: the alias points to the final
    # index, which contains every document of the active one (swap.lua); then commit.lua.
    (_S.PLANNED, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.EXPANDED, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.CUT_OVER, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.CONTRACTED, _E.KEEP_CREATED): _S.CONTRACTED,
    (_S.ROLLING_BACK, _E.KEEP_CREATED): _S.CUT_OVER,
    # DROP_CREATED. As before, with `--drop-created`: the alias is removed (remove_alias.lua), all indexes that were
    # built for it are dropped (drop.lua); then commit.lua removes the record.
    (_S.PLANNED, _E.DROP_CREATED): None,
    (_S.EXPANDED, _E.DROP_CREATED): None,
    (_S.CUT_OVER, _E.DROP_CREATED): None,
    (_S.CONTRACTED, _E.DROP_CREATED): None,
    (_S.ROLLING_BACK, _E.DROP_CREATED): None,
}
"""The state after each event; None is the state without a record."""


def next_state(name: str, state: IndexState | None, event: IndexEvent) -> IndexState | None:
    """Return the state of an index after an event.

    Raises:
        MigrationError: the event is not possible in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        described = "has no record" if state is None else f"is recorded as {state.value}"
        raise MigrationError(
            f"Cannot {event.value} the index {name}: it {described}. Its record was not changed.",
            Hint("Show the indexes with: ", Command("migrate status"), ". Then run the command again."),
        ) from None


LEASE = LeaseKeys("redstart:indexes:fence", "redstart:indexes:lease")
RECORDS = "redstart:indexes:records"
"""Hash: for each name that queries use, the previous and the final definition."""

SCRATCH = "redstart:indexes:probe:index"
"""An index that is created and dropped within one script, to test a definition."""

DIGEST_LETTERS = 8
_DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_LETTERS}}}")


def built_name(name: str, index: Index, attempt: int = 0) -> str:
    """Return the name of the index built for `name` with this definition: the same each time, so a build is repeatable.

    Args:
        attempt: a number for another name, if an index of another definition has the first.
    """
    words = [*create_arguments(index, name=""), *([str(attempt)] if attempt else [])]
    digest = sha1("\0".join(words).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()[
        :DIGEST_LETTERS
    ]
    return f"{name}@{digest}"


def is_built_name(name: str, index: str) -> bool:
    """Return whether an index was built for `name` by Redstart, according to its name."""
    head, mark, digest = index.rpartition("@")
    return bool(mark) and head == name and _DIGEST.fullmatch(digest) is not None


def served_name(index: str) -> str | None:
    """Return the name that Redstart built an index for, according to its own name; None for any other index."""
    head = index.rpartition("@")[0]
    return head if head and is_built_name(head, index) else None


def settled_alias(index: str) -> str:
    """Return the alias that marks an index of Redstart that no longer needs a record."""
    return f"redstart:settled:{index}"


def is_text(name: str) -> bool:
    """Return whether a name on the server is UTF-8, like the index of a model: others may be any bytes."""
    return name.encode(errors="ignore").decode() == name


def shown(name: str) -> str:
    """Return the name of an index for a message: names on the server may contain anything."""
    return shown_value(name_bytes(name))


def hash_key(name: str) -> str:
    """Return the key in which redis-om stores the hash of the schema."""
    return f"{name}:hash"


def schema_key(name: str) -> str:
    """Return the key in which redis-om 1.x stores the text of the schema."""
    return f"{name}:schema"


FORMAT = 5
"""Format of a record. Format 1 has no number, format 2 no superseded definitions, format 3 no state, format 4 no
`lacking`."""

_FORMAT_WITHOUT_LACKING = 4
"""Written if `lacking` is empty, because earlier versions read it. Older formats are upgraded when they are read."""


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """The record of one name that queries use.

    Attributes:
        key_prefix: of its documents.
        legacy: the index before Redstart; if there was none, the index of the model before 1.0.
        legacy_hash, legacy_schema: the values of the keys of redis-om for it.
        final: the index to cut over to.
        final_hash, final_schema: the values of the keys of redis-om 1.x for it.
        changing: the changing attributes.
        state: only write_record changes it.
        accepted_unindexed: documents that were accepted as missing at the cutover.
        missing_before: documents missing from the old index before the first change; None if they were not counted.
        created: whether no index existed before Redstart.
        aliases: other aliases of the index, which follow when it is replaced.
        superseded: digests of the definitions that the final one has replaced, oldest first (see record_writer.py).
        lacking: digests of definitions whose active index lacked documents, each with their number, oldest first.
    """

    name: str
    key_prefix: str
    legacy: Index
    legacy_hash: str | None
    legacy_schema: str | None
    final: Index
    final_hash: str
    final_schema: str
    changing: tuple[str, ...]
    state: IndexState = IndexState.PLANNED
    accepted_unindexed: int = 0
    missing_before: int | None = None
    created: bool = False
    aliases: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    lacking: tuple[tuple[str, int], ...] = ()

    @property
    def is_cut_over(self) -> bool:
        """Return whether the alias was moved to the final index."""
        return self.state in (IndexState.CUT_OVER, IndexState.CONTRACTED)

    def save(self) -> list[Argument]:
        """Return the command that stores the record."""
        data = {"format": FORMAT, **asdict(self)}
        if not self.lacking:
            del data["lacking"]
            data["format"] = _FORMAT_WITHOUT_LACKING
        return ["HSET", RECORDS, self.name, json.dumps(data, separators=(",", ":"))]

    def remove(self) -> list[Argument]:
        """Return the command that deletes the record, if no index that was built for the name is kept."""
        return ["HDEL", RECORDS, self.name]

    def keys_of_final(self) -> list[list[Argument]]:
        """Return the commands that store the keys of redis-om 1.x for the final index."""
        return [
            ["SET", hash_key(self.name), self.final_hash],
            ["SET", schema_key(self.name), self.final_schema],
        ]

    def keys_of_legacy(self) -> list[list[Argument]]:
        """Return the commands that restore the keys of redis-om."""
        commands: list[list[Argument]] = []
        for key, value in (
            (hash_key(self.name), self.legacy_hash),
            (schema_key(self.name), self.legacy_schema),
        ):
            commands.append(["REMOVE", "string", key] if value is None else ["SET", key, value])
        return commands


def previous_index(record: IndexRecord | None, active: IndexInfo | None) -> Index | None:
    """Return the index before Redstart; None if there was none.

    Args:
        record: of the name; None before the first `om migrate run`.
        active: the active index.
    """
    if record is not None:
        return record.legacy
    return None if active is None else active.index


def read_records() -> Op[dict[str, IndexRecord]]:
    """Return all records by name. One read.

    Raises:
        StateDamagedError: the key has unexpected content.
        StateVersionError: a newer version of Redstart wrote it.
    """
    return records_from((yield from call(hgetall(RECORDS))))


def records_from(fields: Mapping[bytes, bytes]) -> dict[str, IndexRecord]:
    """Return the records of these fields by name. Raises as `read_records`."""
    records: dict[str, IndexRecord] = {}
    for name, data in fields.items():
        shown = shortened(name.decode(errors="backslashreplace"))
        try:
            record = json.loads(data)
            written = record.pop("format", 1)
            if written not in range(1, FORMAT + 1):
                raise StateVersionError(
                    f"The record of the index {shown} in {RECORDS} has format {written}; "
                    f"this version of Redstart reads up to format {FORMAT}.",
                    "Use the version of Redstart that wrote it, or a newer one.",
                )
            records[name.decode()] = _record(
                record if written >= _FORMAT_WITHOUT_LACKING else _upgraded(record)
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise StateDamagedError(
                f"The record of the index {shown} in {RECORDS} cannot be read: {exc}.",
                f"Restore it from a backup. See it with: redis-cli HGETALL {RECORDS}",
            ) from exc
    return records


def read_redis_om_keys(name: str) -> Op[tuple[str | None, str | None]]:
    """Return the hash and the schema text that redis-om stores for an index. Three reads.

    Raises:
        StateDamagedError: another program has written one of the two keys.
    """
    beside = [(f"beside {name}", key, "string") for key in (hash_key(name), schema_key(name))]
    require_none((yield from of_other_types(beside)))
    kept_hash = yield from call(get(hash_key(name)))
    kept_schema = yield from call(get(schema_key(name)))
    return _text(kept_hash), _text(kept_schema)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _upgraded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record of an earlier format, whose state was four flags, in those of the present one.

    Every combination of the flags could be written: a rollback kept the flags of the states before it, and a changed
    definition that of a cleanup.
    """
    flags = {
        name: fields.pop(name, False) for name in ("expanded", "cut_over", "stepping_back", "contracted")
    }
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, not true or false")
    if flags["stepping_back"]:
        state = IndexState.ROLLING_BACK
    elif flags["cut_over"]:
        state = IndexState.CONTRACTED if flags["contracted"] else IndexState.CUT_OVER
    else:
        state = IndexState.EXPANDED if flags["expanded"] else IndexState.PLANNED
    renamed = {"changing": fields.pop("moving"), "missing_before": fields.pop("unserved", None)}
    return fields | renamed | {"state": state}


def _record(fields: dict[str, Any]) -> IndexRecord:
    fields["legacy"] = _index(fields["legacy"])
    fields["final"] = _index(fields["final"])
    fields["state"] = IndexState(fields["state"])
    tuples = {name: tuple(fields.get(name, ())) for name in ("changing", "aliases", "superseded")}
    lacking = tuple((str(digest), int(count)) for digest, count in fields.get("lacking", ()))
    return IndexRecord(**fields | tuples | {"lacking": lacking})


def _index(data: dict[str, Any]) -> Index:
    fields = tuple(_field(field) for field in data["fields"])
    return Index(
        data["name"], Storage(data["storage"]), tuple(data["prefixes"]), fields, tuple(data["options"])
    )


def _field(data: dict[str, Any]) -> IndexField:
    vector = data["vector"]
    if vector is not None:
        vector = VectorSettings(
            vector["algorithm"], tuple((name, value) for name, value in vector["attributes"])
        )
    return IndexField(
        **data | {"kind": FieldKind(data["kind"]), "vector": vector, "options": tuple(data["options"])}
    )
