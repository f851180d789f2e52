"""Remove the documents of a model, each with a copy on the server that restores every byte, and restore them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgpack

from redstart.commands.scripts import load
from redstart.display import printable
from redstart.effects import Op
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.failures import failure_at
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.operations.state import ModelState
from redstart.migrations.steps.key_passes import KeyPattern, Left, handle_keys
from redstart.migrations.steps.record import REMOVED, RESTORED_DOCUMENTS, read_steps

PAGE_BYTES = 4_000_000
"""Size of documents after which a script ends; a larger document has a script of its own."""

PAGE_ENTRIES = 100
"""Limit of documents that one script restores."""


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The result of the removal of the documents of a model.

    Attributes:
        model: its name.
        documents: number removed, interrupted runs included.
        stopped: why it is not complete; None if it is.
        owner: the name of a model that has documents with such keys now; then none is removed. "" without one.
    """

    model: str
    documents: int
    stopped: str | None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result of a restoration.

    Attributes:
        documents: number restored, interrupted rollbacks included.
        stopped: why it is not complete; None if it is.
        failures: documents that cannot be restored.
    """

    documents: int
    stopped: str | None
    failures: tuple[Failure, ...] = ()


def owner_of_documents(removed: ModelState, models: Iterable[ModelState]) -> ModelState | None:
    """Return a model whose documents could have keys of the removed one, so that none of them is removed."""
    pattern = KeyPattern.of(removed)
    return next((one for one in models if KeyPattern.of(one).overlaps(pattern)), None)


def remove_documents(
    context: Context, model: ModelState, exclude_prefixes: tuple[str, ...] = ()
) -> Op[RemovalResult]:
    """Remove all documents of a model, in passes until there is none.

    Args:
        exclude_prefixes: longer key prefixes whose keys stay.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: scripts that copy documents with their expiries into a stream and remove them, as one step. Safe to
        repeat.
    """
    keys = context.keys
    pattern = KeyPattern.of(model)
    field = f"{REMOVED}{model.name}"

    def work(lease: Lease) -> Op[RemovalResult]:
        def handle(page: Sequence[bytes]) -> Op[Left]:
            while page:
                packed = msgpack.packb(list(page), use_bin_type=False)
                handled: int = yield from lease.run(
                    load("fenced.lua", "document_state.lua", "remove_documents.lua"),
                    (keys.removed, keys.steps),
                    (pattern.storage.key_type, model.name, field, PAGE_BYTES, packed),
                )
                page = page[handled:]
            return {}

        def is_wanted(key: bytes) -> bool:
            return not pattern.leaves_out(key, exclude_prefixes)

        result = yield from handle_keys(context, lease, pattern, f"removing {pattern}", handle, is_wanted)
        return RemovalResult(model.name, (yield from read_steps(keys)).count(field), result.stopped)

    return (yield from context.under_lease(work))


def restore_documents(context: Context) -> Op[RestoreResult]:
    """Restore all removed documents of a migration. A key that exists is never overwritten.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: a script for each 100 documents, or 4 MB of them. Safe to repeat.
    """
    keys = context.keys
    field = RESTORED_DOCUMENTS

    def work(lease: Lease) -> Op[RestoreResult]:
        script = load("fenced.lua", "restore_documents.lua")
        taken: list[bytes] = []
        after = b"0"
        stopped: str | None = None
        while after and stopped is None:
            arguments = (after, PAGE_ENTRIES, PAGE_BYTES, field)
            after, *existing = yield from lease.run(script, (keys.removed, keys.steps), arguments)
            taken += existing
            done = (yield from read_steps(keys)).count(field)
            yield from lease.keep(Activity("restoring documents", done))
            context.monitor.progress(Progress("restoring documents", 0, done, 0, len(taken)))
            if context.monitor.stop_requested():
                stopped = "interrupted"
        if stopped is None and taken:
            stopped = f"{len(taken):,} removed documents cannot be restored: their keys exist"
        failures = tuple(
            failure_at(key, "", b"", f"the key {printable(key)} exists already") for key in taken
        )
        if stopped is None:
            yield from lease.commit([["REMOVE", "stream", keys.removed]])
        return RestoreResult((yield from read_steps(keys)).count(field), stopped, failures)

    return (yield from context.under_lease(work))
