"""Move aliases to other indexes, and drop indexes that no alias points to: one script each."""

from collections.abc import Iterable, Sequence

from redstart.commands.scripts import Script, load
from redstart.commands.search import name_bytes
from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.lease import PACKAGE as LEASE_PACKAGE
from redstart.migrations.lease import Lease

PACKAGE = "redstart.migrations.indexes"


def swap(lease: Lease, name: str, index: str, *, now: str | None, aliases: Sequence[str] = ()) -> Op[None]:
    """Point the alias `name` to `index`. A real index of that name is dropped; its definition must be recorded.

    Args:
        now: the index that the name pointed to when the caller last read it; None for none.
        aliases: other aliases that follow if they point to the same index.

    Raises:
        LeaseLostError: this run lost its lease; nothing was changed.
        MigrationError: the alias points to another index now, or the index does not exist; nothing was changed.

    Effects: one script, the atomic unit. Safe to repeat.
    """
    outcome, found = yield from lease.run(
        fenced_script("swap.lua"), (), (name, index, name_bytes(now or ""), *aliases)
    )
    if outcome in (b"swapped", b"already"):
        return
    place = found.decode(errors="backslashreplace") or "nothing"
    what = f"{index} does not exist any more" if outcome == b"missing" else f"it points to {place} now"
    raise MigrationError(
        f"Could not switch alias {name} to {index}: {what} (changed by another client).",
        "Check with: om migrate status. Then run the command again.",
    )


def drop(lease: Lease, index: str, serving: Iterable[str]) -> Op[bool]:
    """Drop an index of Redstart unless one of the names points to it; return whether it does not exist any more.

    Effects: one script; never touches a document. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("drop.lua"), (), (index, *serving))
    return outcome != b"serving"


def unname(lease: Lease, name: str) -> Op[bool]:
    """Remove an alias; return whether no index has the name now.

    Effects: one script. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("unname.lua"), (), (name,))
    return outcome != b"index"


def fenced_script(name: str) -> Script:
    """Return a script of this package that begins with fenced.lua, resolve.lua and drop_index.lua."""
    fenced = load(LEASE_PACKAGE, "fenced.lua").source
    return Script.of(fenced + load(PACKAGE, "resolve.lua", "drop_index.lua", name).source)
