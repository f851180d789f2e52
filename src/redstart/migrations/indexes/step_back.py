"""The way back of an index: before the data is undone, and after it."""

from dataclasses import replace

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.migrations.indexes.keys import is_built_name
from redstart.migrations.indexes.records import IndexRecord
from redstart.migrations.indexes.swap import drop, unname
from redstart.migrations.indexes.switch import Switched, Waiting, switch
from redstart.migrations.indexes.tolerant import accepts_both_forms, bridge_index, tolerant_index
from redstart.migrations.lease import Lease
from redstart.search.index import Index


def stand_in(record: IndexRecord, *, understands_filters: bool) -> Index | None:
    """The index that may serve while the data is undone: it accepts both forms. None if nothing served before."""
    if record.legacy is None:
        return None
    if accepts_both_forms(record.legacy, record.moving):
        return record.legacy
    return (tolerant_index if understands_filters else bridge_index)(record.legacy, record.moving)


def before_undo(
    lease: Lease, record: IndexRecord, *, understands_filters: bool, waiting: Waiting
) -> Op[Switched]:
    """Let an index serve that accepts both forms. Effects: see `switch`."""
    wanted = stand_in(record, understands_filters=understands_filters)
    if wanted is None or not record.moving:
        return Switched(None, True)
    if record.cut_over:
        yield from lease.commit([replace(record, cut_over=False).save()])
    return (yield from switch(lease, record, wanted, waiting=waiting))


def after_undo(lease: Lease, record: IndexRecord, *, waiting: Waiting) -> Op[Switched]:
    """Let an index with the old definition serve, and forget the rest; redis-om's keys are as they were.

    Effects: see `switch`; then drops what was built beside. Safe to repeat.
    """
    switched = Switched(None, True)
    if record.legacy is None:
        _ = yield from unname(lease, record.name)
    else:
        # What the old definition does not hold now, it did not hold before: it serves as it did.
        switched = yield from switch(lease, record, record.legacy, waiting=waiting, accept_missing=True)
    _ = yield from drop_unused(lease, record)
    yield from lease.commit([*record.keys_of_legacy(), record.remove()])
    return switched


def drop_unused(lease: Lease, record: IndexRecord) -> Op[list[str]]:
    """Drop the indexes that were built for a name and do not serve. Those dropped.

    All of them, by their names: also those of definitions that the models have had meanwhile.

    Effects: a script for each, which looks itself whether the index serves. Safe to repeat.
    """
    dropped = []
    for name in sorted((yield from call(ft_list()))):
        if is_built_name(record.name, name) and (yield from drop(lease, name, (record.name,))):
            dropped.append(name)
    return dropped
