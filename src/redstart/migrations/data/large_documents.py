"""Reading of documents above 1 MB path by path, so that only the planned values are fetched.

Fetching 50 MB as a whole takes the server 400 ms, one path at most 5. The document may change between the requests;
that is harmless, because each value is written only if it still holds the bytes that were read.
"""

from collections.abc import Iterable
from typing import Any

from redstart.commands.documents import json_array_length, json_get, json_memory, json_object_keys
from redstart.effects import Op, batch, gather
from redstart.errors import CommandError
from redstart.mapping.value_paths import Each, Location, Segment, ValuePath, path_text
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.plan import PlannedModel
from redstart.values.lossless_json import json_text, parse_json

_PATHS_PER_BATCH = 1_000


def read_large_document(key: bytes, model: PlannedModel) -> Op[StoredDocument | None]:
    """Return the planned values of one document; None if it has been deleted, or replaced by another type.

    Effects: a round trip per 1,000 lists or maps on the way, and one per 1,000 values; a few more where items of a list
        lack a value.
    """
    try:
        return (yield from _walk(key, model))
    except CommandError:
        (size,) = yield from batch(gather([json_memory(key)]))
        if isinstance(size, int) and size > 0:
            raise
        return None


def _walk(key: bytes, model: PlannedModel) -> Op[StoredDocument]:
    values: list[StoredValue] = []
    for path in model.paths:
        locations = yield from _locations(key, path)
        for start in range(0, len(locations), _PATHS_PER_BATCH):
            values.extend((yield from _values(key, path, locations[start : start + _PATHS_PER_BATCH])))
    return StoredDocument(key, model, values, size=sum(len(value.raw) for value in values), large=True)


def _locations(key: bytes, path: ValuePath) -> Op[list[Location]]:
    """Return every concrete location of a path in this document."""
    found: list[Location] = [()]
    for step in path.segments:
        deeper: list[Location] = []
        for start in range(0, len(found), _PATHS_PER_BATCH):
            deeper += yield from _one_step(key, found[start : start + _PATHS_PER_BATCH], step)
        found = deeper
    return found


def _one_step(key: bytes, locations: list[Location], step: Segment) -> Op[list[Location]]:
    """Return the locations one step further. One round trip for lists and maps; none for a name or a position."""
    if not isinstance(step, Each):
        return [(*location, step) for location in locations]
    command = json_array_length if step is Each.ITEM else json_object_keys
    replies = yield from batch(gather([command(key, path_text(location)) for location in locations]))
    deeper: list[Location] = []
    for location, reply in zip(locations, replies, strict=True):
        if isinstance(reply, CommandError):
            raise reply
        inside = reply[0] if reply else None
        if step is Each.ITEM:
            deeper.extend((*location, index) for index in range(inside or 0))
        else:
            deeper.extend((*location, name.decode()) for name in inside or ())
    return deeper


def _values(key: bytes, path: ValuePath, locations: list[Location]) -> Op[list[StoredValue]]:
    """Return the values at some locations, in any order; one command for each run of items of a list.

    Where items of a run lack the value, the reply does not show which items have it: these are read one by one.
    """
    values: list[StoredValue] = []
    unclear: list[Location] = []
    runs = list(_runs(locations))
    while runs:
        replies = yield from batch(gather([json_get(key, _path_of_run(run)) for run in runs]))
        for run, reply in zip(runs, replies, strict=True):
            matches: Any = parse_json(reply) if isinstance(reply, bytes) else []
            if len(matches) == len(run):
                found = zip(run, matches, strict=True)
                values += [StoredValue(location, path, json_text(match), match) for location, match in found]
            elif len(run) > 1 and matches:
                unclear += run
        runs, unclear = [[location] for location in unclear], []
    return values


def _runs(locations: list[Location]) -> Iterable[list[Location]]:
    """Group the locations; each group is one location in consecutive items of one list."""
    run: list[Location] = []
    for location in locations:
        if run and _follows(run[-1], location):
            run.append(location)
            continue
        if run:
            yield run
        run = [location]
    if run:
        yield run


def _follows(before: Location, location: Location) -> bool:
    """Whether a place is that of the next item of the innermost list."""
    at = _innermost(before)
    if at is None or _innermost(location) != at:
        return False
    return location == (*before[:at], int(before[at]) + 1, *before[at + 1 :])


def _innermost(location: Location) -> int | None:
    """Return the number of the last step that is a position."""
    return next((at for at in range(len(location) - 1, -1, -1) if isinstance(location[at], int)), None)


def _path_of_run(run: list[Location]) -> str:
    location = run[0]
    at = _innermost(location)
    if at is None or len(run) == 1:
        return path_text(location)
    first = int(location[at])
    return f"{path_text(location[:at])}[{first}:{first + len(run)}]{path_text(location[at + 1 :])[1:]}"
