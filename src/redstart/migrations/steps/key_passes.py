"""Passes over the keys of a model, until a whole pass on an unchanged server finds none that is left to handle.

The keys of a model are a pattern: a prefix and a suffix.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from redstart.commands.keyspace import scan_all, scan_type
from redstart.effects import Op, call
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.scanner import MAX_PASSES, scanned_share, server_run_id
from redstart.migrations.failure import MAX_EXAMPLES
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.operations.state import ModelState
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """The keys of the documents of a model."""

    prefix: str
    suffix: str
    storage: Storage

    @classmethod
    def of(cls, model: ModelState) -> "KeyPattern":
        """Return the pattern of a model."""
        return cls(model.key_prefix, model.key_suffix, model.storage)

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """The bytes before and after the primary key."""
        return _bytes(self.prefix), _bytes(self.suffix)

    def matches(self, key: bytes) -> bool:
        """Return whether a key is one of these."""
        before, after = self.ends
        return len(key) >= len(before) + len(after) and key.startswith(before) and key.endswith(after)

    def leaves_out(self, key: bytes, exclude_prefixes: Iterable[str]) -> bool:
        """Return whether one of some longer key prefixes excludes a key."""
        longer = (one for one in exclude_prefixes if one != self.prefix and one.startswith(self.prefix))
        return key.startswith(tuple(map(_bytes, longer)))

    def is_within(self, other: "KeyPattern") -> bool:
        """Return whether the other pattern matches all of these keys."""
        return self.prefix.startswith(other.prefix) and self.suffix.endswith(other.suffix)

    def overlaps(self, other: "KeyPattern") -> bool:
        """Return whether a document could belong to both."""
        prefixes = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        suffixes = self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix)
        return prefixes and suffixes and self.storage is other.storage

    def __str__(self) -> str:
        return f"{self.prefix}*{self.suffix}"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


SCANNED_KEYS = 1_000
"""Keys for each step of a scan."""

PAGE_KEYS = 500
"""Keys for each script."""

SECONDS_PER_DOCUMENT = 30e-6
"""Measured on a local server: a document that is moved to another key, or into the stream of removed ones."""

Left = Mapping[bytes, str]
"""Keys that cannot be handled, with the reason of each."""


@dataclass(frozen=True, slots=True)
class PassesResult:
    """The result of all passes.

    Attributes:
        stopped: why they ended before all keys were handled; None if they are.
        left: the keys that could not be handled.
    """

    stopped: str | None
    left: Left


def handle_keys(
    context: Context,
    lease: Lease,
    pattern: KeyPattern,
    stage: str,
    handle: Callable[[Sequence[bytes]], Op[Left]],
    is_wanted: Callable[[bytes], bool] = lambda _: True,
) -> Op[PassesResult]:
    """Handle the keys of a pattern, in passes. There is no checkpoint: keys that are handled are not found again.

    Args:
        stage: what is being done, for the progress display.
        handle: handles a page of keys, so that a scan does not find them again; returns those that it could not handle.
        is_wanted: which keys of the pattern are handled.

    Effects: a SCAN for each 1,000 keys of the keyspace, and those of `handle`.
    """
    number, done = 0, 0
    while True:
        number += 1
        run_id = yield from server_run_id()
        left: dict[bytes, str] = {}
        found, cursor = 0, -1
        while cursor:
            cursor, keys = yield from scan_page(pattern, cursor)
            wanted = [key for key in keys if pattern.matches(key) and is_wanted(key)]
            for start in range(0, len(wanted), PAGE_KEYS):
                page = wanted[start : start + PAGE_KEYS]
                refused = yield from handle(page)
                left |= refused
                found += len(page) - len(refused)
            yield from lease.keep(Activity(stage, done + found))
            share = scanned_share(cursor)
            context.monitor.progress(Progress(stage, number, done + found, 0, len(left), share=share))
            if context.monitor.stop_requested():
                return PassesResult("interrupted", left)
        done += found
        if not found and (yield from server_run_id()) == run_id:
            return PassesResult(None, left)
        if number >= MAX_PASSES:
            return PassesResult(
                f"keys {pattern} still appear after {MAX_PASSES} passes, because an old version of the application "
                "still writes; stop it first",
                left,
            )


def scan_page(pattern: KeyPattern, cursor: int, *, of_any_type: bool = False) -> Op[tuple[int, list[bytes]]]:
    """Return the next cursor, and a page of keys of a pattern, each once.

    Two pages can have the same key, if the server shrinks its table of keys in between.

    Args:
        cursor: -1 to begin.
        of_any_type: whether to include keys of other types than that of the pattern.

    Effects: one read.
    """
    start, prefix, suffix = max(cursor, 0), pattern.prefix, pattern.suffix
    if of_any_type:
        page = scan_all(start, prefix=prefix, suffix=suffix, count=SCANNED_KEYS)
    else:
        kind = pattern.storage.key_type
        page = scan_type(start, prefix=prefix, suffix=suffix, kind=kind, count=SCANNED_KEYS)
    cursor, keys = yield from call(page)
    return cursor, list(dict.fromkeys(keys))


def existing_keys(
    lease: Lease,
    pattern: KeyPattern,
    exclude_prefixes: tuple[str, ...],
    *,
    of_any_type: bool = False,
    is_wanted: Callable[[bytes], bool] = lambda _: True,
) -> Op[tuple[int, list[bytes]]]:
    """Return the number of keys of a pattern, and the first of them, up to `MAX_EXAMPLES`.

    Args:
        exclude_prefixes: longer key prefixes whose keys do not count.
        of_any_type: see `scan_page`.
        is_wanted: which keys of the pattern count.

    Effects: reads only, one for each 1,000 keys of the keyspace; renews the lease when it is due.
    """
    found: list[bytes] = []
    count, cursor = 0, -1
    while cursor:
        cursor, keys = yield from scan_page(pattern, cursor, of_any_type=of_any_type)
        existing = [key for key in keys if _is_counted(key, pattern, exclude_prefixes) and is_wanted(key)]
        count += len(existing)
        found += existing[: MAX_EXAMPLES - len(found)]
        yield from lease.keep()
    return count, found


def count_keys(patterns: Iterable[KeyPattern], exclude_prefixes: tuple[str, ...]) -> Op[int]:
    """Return the number of documents of some patterns, without those of some longer key prefixes.

    It is for estimates: no key is kept in memory, so that a key in two pages of a scan is counted twice.

    Effects: reads only, for each pattern one for each 1,000 keys of the keyspace.
    """
    count = 0
    before: list[KeyPattern] = []
    for pattern in dict.fromkeys(patterns):
        of_type = [one for one in before if one.storage is pattern.storage]
        cursor = -1
        while cursor:
            cursor, keys = yield from scan_page(pattern, cursor)
            count += sum(
                _is_counted(key, pattern, exclude_prefixes)
                and not any(_is_counted(key, one, exclude_prefixes) for one in of_type)
                for key in keys
            )
        before.append(pattern)
    return count


def _is_counted(key: bytes, pattern: KeyPattern, exclude_prefixes: tuple[str, ...]) -> bool:
    return pattern.matches(key) and not pattern.leaves_out(key, exclude_prefixes)
