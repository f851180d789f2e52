"""Path text of RedisJSON for a concrete location in a JSON document.

RedisJSON 2.8 reads a key with a quote or backslash if it is escaped, but JSON.SET on such a path adds a key instead
of changing one. `can_be_set` tells them apart; `JSON.MERGE` can write the others. No path reads a key that begins
with a space: the space is dropped, and the path may match another key.
"""

import json
import re

Location = tuple[str | int, ...]
"""A concrete location: names of members and positions in lists."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def path_text(location: Location) -> str:
    """Return the path that reads this location."""
    return "$" + "".join(map(_step, location))


def siblings_path(location: Location) -> str:
    """Return the path that reads this location in every item of the lists above it."""
    return "$" + "".join("[*]" if isinstance(step, int) else _step(step) for step in location)


def can_be_read(location: Location) -> bool:
    """Return whether `path_text` reads this location and no other."""
    for step in location:  # noqa: SIM110  # called for every JSON value, and all() takes three times as long
        if step.__class__ is str and step[:1] == " ":
            return False
    return True


def can_be_set(location: Location) -> bool:
    """Return whether JSON.SET on this path changes the value, instead of adding a key or changing another."""
    return can_be_read(location) and all(
        isinstance(step, int) or not _needs_escape(step) for step in location
    )


def in_list(location: Location) -> bool:
    """Return whether the location is inside a list, whose items can shift."""
    return any(isinstance(step, int) for step in location)


def can_be_merged(text: bytes) -> bool:
    """Return whether JSON.MERGE can write this value: it takes null, also inside an object, as a removal."""
    return text != b"null" and not text.startswith(b"{")


def merge_patch(changes: list[tuple[Location, bytes]]) -> bytes:
    """Return one JSON.MERGE document (RFC 7396) that sets all these locations, none of them inside a list."""
    tree: dict[str, object] = {}
    for location, text in changes:
        node = tree
        for step in location[:-1]:
            node = node.setdefault(str(step), {})  # type: ignore[assignment]  # inner nodes are dicts
        node[str(location[-1])] = text
    return _rendered(tree).encode()


def _rendered(node: object) -> str:
    if isinstance(node, bytes):
        return node.decode()
    assert isinstance(node, dict)
    return (
        "{"
        + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_rendered(value)}" for key, value in node.items())
        + "}"
    )


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    if "'" not in step and "\\" not in step and '"' in step:
        return f"['{step}']"
    escaped = step.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def _needs_escape(step: str) -> bool:
    return "\\" in step or ('"' in step and "'" in step)
