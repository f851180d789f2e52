"""Check that the keys of the index migrations are complete and readable."""

from functools import partial

from redstart.commands.keyspace import hgetall
from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import StateDamagedError
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.state import (
    LEASE,
    RECORDS,
    hash_key,
    is_built_name,
    is_text,
    read_records,
    records_from,
    schema_key,
    served_name,
    settled_alias,
)
from redstart.migrations.indexes.swap import fenced_script
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import lease_damage
from redstart.migrations.state_keys import APPLIED_SCHEMA_MIGRATIONS, Damage, confirmed, of_other_types
from redstart.next_steps import Hint

_NAMED = 5


def find_index_damage(restore_hint: Hint) -> Op[list[Damage]]:
    """Return the damage of the keys of the index migrations. Some reads; twice if there is any.

    Args:
        restore_hint: the hint for a lost record, which a rollback of the data needs.
    """
    return (yield from confirmed(partial(_look, restore_hint)))


def _look(restore_hint: Hint) -> Op[list[Damage]]:
    found = yield from of_other_types(
        [
            ("index fence", LEASE.fence, "string"),
            ("index lease", LEASE.lease, "hash"),
            ("index records", RECORDS, "hash"),
            ("applied", APPLIED_SCHEMA_MIGRATIONS, "set"),
        ]
    )
    if found:
        return found
    lease = yield from call(hgetall(LEASE.lease))
    if lease:
        found += lease_damage(LEASE, lease)
    try:
        names = yield from unrecorded()
        recorded = yield from read_records()
    except StateDamagedError as exc:
        return [*found, Damage("index records", exc.message, exc.next_step, type(exc))]
    if names:
        others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        found.append(
            Damage(
                "index records",
                f"{RECORDS} has no record of {', '.join(names[:_NAMED])}{others}, "
                "for which Redstart has built an index: the previous definition cannot be restored.",
                restore_hint,
            )
        )
    kept = [
        (f"beside {name}", key, "string") for name in recorded for key in (hash_key(name), schema_key(name))
    ]
    return found + (yield from of_other_types(kept))


def unrecorded() -> Op[list[str]]:
    """Return the names without a record that point to an index built by Redstart.

    Effects: two reads, and one or two for each name without a record for which an index was built, as after a rollback.

    Raises:
        See `read_records`.
    """
    indexes = yield from call(ft_list())
    # Behind the list: a record is saved before its index is built.
    fields = yield from call(hgetall(RECORDS))
    _ = records_from(fields)
    known = {field.decode(errors="surrogateescape") for field in fields}
    names = {name for name in map(served_name, indexes) if name is not None and is_text(name)} - known
    lost = []
    for name in sorted(names):
        if (yield from _has_lost_its_record(name)):
            lost.append(name)
    return lost


def _has_lost_its_record(name: str) -> Op[bool]:
    found = yield from find_index(name)
    if found is None or not is_built_name(name, found.name):
        return False  # what was active before is active, or nothing
    marked = yield from find_index(settled_alias(found.name))
    return marked is None or marked.name != found.name


def mark_settled(lease: Lease, name: str) -> Op[None]:
    """Mark the indexes that were built for a name: they need no record. The mark is an alias, dropped with its index.

    Effects: a script for each. Safe to repeat.
    """
    script = fenced_script("mark_settled.lua")
    for index in sorted((yield from call(ft_list()))):
        if is_built_name(name, index):
            yield from lease.run(script, (), (settled_alias(index), index))
