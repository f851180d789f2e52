"""Letting names lead to other indexes, and dropping indexes that no name leads to: each one script."""

from collections.abc import Iterable, Sequence

from redstart.commands.scripts import Script, load
from redstart.commands.search import name_bytes
from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.lease import PACKAGE as LEASE_PACKAGE
from redstart.migrations.lease import Lease

PACKAGE = "redstart.migrations.indexes"


def swap(lease: Lease, name: str, index: str, *, now: str | None, aliases: Sequence[str] = ()) -> Op[None]:
    """Let `name` lead to `index`. A real index of that name goes; its definition must have been kept.

    Args:
        now: where the name leads, as the caller last saw it; None for nowhere.
        aliases: other names that follow, as far as they lead to the same index.

    Raises:
        LeaseLostError: another run took over; nothing was changed.
        MigrationError: the name leads elsewhere by now, or the index is gone; nothing was changed.

    Effects: one script, the atomic unit. Safe to repeat.
    """
    outcome, found = yield from lease.run(
        fenced_script("swap.lua"), (), (name, index, name_bytes(now or ""), *aliases)
    )
    if outcome in (b"swapped", b"already"):
        return
    place = found.decode(errors="backslashreplace") or "nothing"
    what = f"{index} is gone" if outcome == b"missing" else f"it points to {place} now"
    raise MigrationError(
        f"{name} was not switched to {index}: {what}. Another client changed it.",
        "Look with: om migrate status. Then run the command again.",
    )


def drop(lease: Lease, index: str, serving: Iterable[str]) -> Op[bool]:
    """Drop an index of ours unless one of the names that queries use leads to it. Whether it is gone.

    Effects: one script; never touches a document. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("drop.lua"), (), (index, *serving))
    return outcome != b"serving"


def unname(lease: Lease, name: str) -> Op[bool]:
    """Take an alias away. Whether the name leads nowhere now.

    Effects: one script. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("unname.lua"), (), (name,))
    return outcome != b"index"


def fenced_script(name: str) -> Script:
    """A script of this package that begins with fenced.lua, resolve.lua and drop_index.lua."""
    fenced = load(LEASE_PACKAGE, "fenced.lua").source
    return Script.of(fenced + load(PACKAGE, "resolve.lua", "drop_index.lua", name).source)
