"""Path text of RedisJSON for a concrete location in a JSON document.

RedisJSON 2.8 reads a key with a quote or backslash if it is escaped, but JSON.SET on such a path adds a key instead
of changing one. `can_be_set` tells them apart; `JSON.MERGE` can write the others. No path reads a key that begins
with a space: the space is dropped, and the path may match another key.
"""

import json
import re

from redstart.mapping.value_paths import Location
from redstart.search.json_paths import readable_member

_QUOTE = re.compile("['\"]")
_SLICE = re.compile(r"""\A([^'"]*?)\[([0-9]+):([0-9]+)\]""")


def path_text(location: Location) -> str:
    """Return the path that reads this location."""
    return "$" + "".join(map(_step, location))


def siblings_path(location: Location) -> str:
    """Return the path that reads this location in every item of the lists above it."""
    return "$" + "".join("[*]" if isinstance(step, int) else _step(step) for step in location)


def slice_path(location: Location, start: int, stop: int) -> str:
    """Return the path that reads this place in the items `start` to `stop` of the outermost list on the way.

    Of a path with a quote: as `siblings_path`, for in quotes a name may look like a slice.
    """
    path = siblings_path(location)
    return path if _QUOTE.search(path) else path.replace("[*]", f"[{start}:{stop}]", 1)


def sliced_list(path: str) -> str | None:
    """Return the path of the list of which a path of `slice_path` reads a part; None for another path."""
    found = _SLICE.match(path)
    return None if found is None else found[1]


def slice_bounds(path: str) -> tuple[int, int] | None:
    """Return where the slice of a path of `slice_path` starts and stops; None for another path."""
    found = _SLICE.match(path)
    return None if found is None else (int(found[2]), int(found[3]))


def is_read_by(path: str, location: Location) -> bool:
    """Whether a path of `siblings_path` or `slice_path` reads this place."""
    if whole_list_path(path) != siblings_path(location):
        return False
    bounds = slice_bounds(path)
    if bounds is None:
        return True
    return bounds[0] <= next(step for step in location if isinstance(step, int)) < bounds[1]


def whole_list_path(path: str) -> str:
    """Return the path that reads all items of which a path of `slice_path` reads some; another path as it is."""
    return _SLICE.sub(r"\1[*]", path)


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
    return f"[{step}]" if isinstance(step, int) else readable_member(step)


def _needs_escape(step: str) -> bool:
    return "\\" in step or ('"' in step and "'" in step)
