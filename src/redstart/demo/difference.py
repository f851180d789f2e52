"""Compare two snapshots of a database."""

from collections.abc import Iterator
from typing import Any

from redstart.demo.snapshot import NO_EXPIRY, Content, Entry, Snapshot

EXCERPT_BYTES = 40


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """Return a line for each key, field or expiry that differs."""
    lines: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        name = _show(key)
        if key not in after:
            lines.append(f"{name}: is missing")
        elif key not in before:
            lines.append(f"{name}: is new")
        else:
            lines += [f"{name}: {line}" for line in _entry_difference(before[key], after[key])]
    return lines


def _entry_difference(before: Entry, after: Entry) -> Iterator[str]:
    if before.type != after.type:
        yield f"was a {_show(before.type)}, is a {_show(after.type)}"
        return
    if isinstance(before.content, dict) and isinstance(after.content, dict):
        yield from _field_difference(before.content, after.content, "")
    elif before.content != after.content:
        yield _content_difference(before.content, after.content)
    if before.expires_at_milliseconds != after.expires_at_milliseconds:
        yield (
            f"expired at {_moment(before.expires_at_milliseconds)}, "
            f"expires at {_moment(after.expires_at_milliseconds)}"
        )
    yield from _field_difference(before.field_expiries, after.field_expiries, "expiry of ")


def _field_difference(before: dict[bytes, Any], after: dict[bytes, Any], what: str) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{what}field {_show(name)} is missing, was {_show(before[name])}"
        elif name not in before:
            yield f"{what}field {_show(name)} is new: {_show(after[name])}"
        elif before[name] != after[name]:
            yield f"{what}field {_show(name)} was {_show(before[name])}, is {_show(after[name])}"


def _content_difference(before: Content, after: Content) -> str:
    if not isinstance(before, bytes) or not isinstance(after, bytes):
        return f"was {before!r}, is {after!r}"
    shared = min(len(before), len(after))
    at = next((index for index in range(shared) if before[index] != after[index]), shared)
    window = slice(max(0, at - EXCERPT_BYTES), at + EXCERPT_BYTES)
    return f"differs at byte {at}: was {_show(before[window])}, is {_show(after[window])}"


def _moment(milliseconds: int) -> str:
    return "no time" if milliseconds == NO_EXPIRY else f"{milliseconds} ms"


def _show(value: object) -> str:
    """Return printable text as it is, and other bytes as Python writes them."""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return repr(value)
        return text if text.isprintable() and text else repr(text)
    return str(value)
