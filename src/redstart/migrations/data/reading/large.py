"""Documents above 1 MB: walked path by path, so that no more is fetched than the planned values.

Fetching 50 MB whole takes the server 400 ms, one path at most 5. The walk takes several requests, between which
the document may change; that is harmless, because each value is written only if it still holds the bytes read.
"""

from typing import Any

from redstart.commands.documents import json_array_length, json_get, json_memory, json_object_keys
from redstart.effects import Op, batch, call, together
from redstart.errors import CommandFailed
from redstart.mapping.paths import Each, TemporalPath
from redstart.migrations.data.planned.documents import StoredDocument, StoredValue
from redstart.migrations.data.planned.jsonpath import Location, path_text
from redstart.migrations.data.planned.plan import PlannedModel
from redstart.values.json_text import json_text, parse_json

_PATHS_PER_BATCH = 1_000


def read_large_document(key: bytes, model: PlannedModel) -> Op[StoredDocument | None]:
    """The planned values of one document; None when it is deleted meanwhile, or replaced by another type.

    Effects: a round trip per list or map on the way, and one per 1,000 values.
    """
    try:
        return (yield from _walk(key, model))
    except CommandFailed:
        (size,) = yield from batch(together([json_memory(key)]))
        if isinstance(size, int) and size > 0:
            raise
        return None


def _walk(key: bytes, model: PlannedModel) -> Op[StoredDocument]:
    values: list[StoredValue] = []
    for path in model.paths:
        locations = yield from _locations(key, path)
        for start in range(0, len(locations), _PATHS_PER_BATCH):
            values.extend((yield from _values(key, path, locations[start : start + _PATHS_PER_BATCH])))
    return StoredDocument(key, model, values, large=True)


def _locations(key: bytes, path: TemporalPath) -> Op[list[Location]]:
    """Every concrete place a path stands for in this document."""
    found: list[Location] = [()]
    for step in path.segments:
        deeper: list[Location] = []
        for location in found:
            if step is Each.ITEM:
                lengths = yield from call(json_array_length(key, path_text(location)))
                deeper.extend((*location, index) for index in range(lengths[0] or 0 if lengths else 0))
            elif step is Each.VALUE:
                names = yield from call(json_object_keys(key, path_text(location)))
                deeper.extend((*location, name.decode()) for name in (names[0] or () if names else ()))
            else:
                deeper.append((*location, step))
        found = deeper
    return found


def _values(key: bytes, path: TemporalPath, locations: list[Location]) -> Op[list[StoredValue]]:
    replies = yield from batch(together([json_get(key, path_text(location)) for location in locations]))
    values: list[StoredValue] = []
    for location, reply in zip(locations, replies, strict=True):
        matches: Any = parse_json(reply) if isinstance(reply, bytes) else []
        values.extend(StoredValue(location, path, json_text(match), match) for match in matches)
    return values
