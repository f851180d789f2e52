"""The way back of an index: before the data is undone, and after it."""

from dataclasses import replace

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.migrations.indexes.build import Waiting, find_index
from redstart.migrations.indexes.damage import settle
from redstart.migrations.indexes.keys import is_built_name
from redstart.migrations.indexes.records import IndexRecord
from redstart.migrations.indexes.swap import drop, unname
from redstart.migrations.indexes.switch import Switched, switch
from redstart.migrations.indexes.tolerant import stand_in
from redstart.migrations.lease import Lease


def before_undo(
    lease: Lease,
    record: IndexRecord,
    *,
    understands_filters: bool,
    waiting: Waiting,
    most_missing: float = 0,
) -> Op[Switched]:
    """Let an index serve that accepts both forms.

    Args:
        most_missing: how many documents that are found now it may lack.

    Effects: see `switch`.
    """
    if not record.moving:
        return Switched(None, True)
    wanted = stand_in(record.legacy, record.moving, understands_filters=understands_filters)
    stepping = replace(record, cut_over=False, stepping_back=True)
    if stepping != record:
        yield from lease.commit([stepping.save()])
    return (yield from switch(lease, record, wanted, waiting=waiting, most_missing=most_missing))


def after_undo(lease: Lease, record: IndexRecord, *, waiting: Waiting, most_missing: float) -> Op[Switched]:
    """Let an index with the old definition serve, and forget the rest; redis-om's keys are as they were.

    Args:
        most_missing: how many documents that are found now the old definition may lack.

    Effects: see `switch`; then drops what was built beside. Safe to repeat.
    """
    switched = yield from switch(lease, record, record.legacy, waiting=waiting, most_missing=most_missing)
    if not switched.done:
        yield from lease.commit([replace(record, stepping_back=False).save()])
        return switched
    _ = yield from drop_unused(lease, record)
    # Where Redstart made the first index, it stays Redstart's: `remove_created` takes it away.
    stays = replace(record, expanded=False, cut_over=False, stepping_back=False)
    kept = stays.save() if record.created else record.remove()
    if not record.created:
        yield from settle(lease, record.name)
    yield from lease.commit([*record.keys_of_legacy(), kept])
    return switched


def remove_created(lease: Lease, record: IndexRecord) -> Op[Switched]:
    """Take an index away where there was none before Redstart. Safe to repeat."""
    _ = yield from unname(lease, record.name)
    _ = yield from drop_unused(lease, record)
    yield from lease.commit([*record.keys_of_legacy(), record.remove()])
    return Switched(None, True)


def unused(name: str) -> Op[list[str]]:
    """Return the indexes that were built for a name and that it does not point to. Two reads."""
    active = yield from find_index(name)
    return [
        index
        for index in sorted((yield from call(ft_list())))
        if is_built_name(name, index) and (active is None or active.name != index)
    ]


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
