"""Blocking values: the fields that keep documents out of a new index, and the reasons."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redstart.commands.documents import hget, json_get
from redstart.effects import Call, Op, batch, call, gather
from redstart.errors import CommandError
from redstart.mapping.value_paths import Location, path_text
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.edits import StoredValue
from redstart.migrations.data.failures import failure_at, failure_of, key_and_location
from redstart.migrations.data.plan import Plan, path_of, router, router_of_many
from redstart.migrations.data.reader import read_documents
from redstart.migrations.failure import Failure
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.state import read_records
from redstart.migrations.transformation import Classification, Conversion, Transformation
from redstart.search.json_paths import Selector, Wildcard, selectors
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.lossless_json import json_text
from redstart.values.types import Storage

_ACCEPTED = {FieldKind.NUMERIC: "numbers", FieldKind.TAG: "text", FieldKind.TEXT: "text"}
EMPTY = "empty string, not a number"
STILL_TEXT = "still text"
NO_MODEL = "in the active index, but its key belongs to no model in --models"
DOES_NOT_FIT = "rejected by the index: a field has the wrong type"
UNEXPLAINED = "rejected by the index: its converted values are numeric, but another field has the wrong type"


def blocking_values(
    keys: Sequence[bytes],
    key_prefix: str,
    plan: Plan,
    changing: Sequence[str],
    transformation: Transformation,
    index: Index,
) -> Op[list[Failure]]:
    """Return why an index does not contain some documents.

    Args:
        keys: of documents that are missing from it.
        key_prefix: of the model of the index.
        changing: the changing attributes.
        index: which does not contain them.

    Returns:
        At least one entry for each that still exists.

    Effects: a read of all of them.
    """
    routed = router_of_many(plan)(keys)
    known = {key for key, _ in routed}
    # A plan has only models with values to convert: a key of another model is not routed, either.
    own = key_prefix.encode()
    failures: list[Failure] = []
    for key in keys:
        if key not in known and key.startswith(own):
            failures += yield from _rejected_or(DOES_NOT_FIT, key, index)
        elif key not in known:
            failures.append(failure_at(key, "", b"", NO_MODEL))
    for document in (yield from read_documents(routed)):
        reasons = [
            failure_of(document, value, reason)
            for value, conversion in classify(document, transformation)
            if transformation.index_attribute(value.path) in changing
            and (reason := blocking_reason(value, conversion, document.model.storage)) is not None
        ]
        failures += reasons or (yield from _rejected_or(UNEXPLAINED, document.key, index))
    return failures


def _rejected_or(reason: str, key: bytes, index: Index) -> Op[list[Failure]]:
    """Return the values that the types of an index reject; if there are none, the reason."""
    return (yield from rejected_values([key], index)) or [failure_at(key, "", b"", reason)]


def rejected_values(keys: Sequence[bytes], index: Index) -> Op[list[Failure]]:
    """Return the values because of which an index does not contain some documents, as far as its types tell.

    Effects: a read of each.
    """
    failures: list[Failure] = []
    for key in keys:
        for field in index.fields:
            for location, value in (yield from _values_at(key, field, index.storage)):
                if not _accepts(field, value, index.storage):
                    failures.append(failure_at(key, location, value, reason_of_rejection(field)))
    return failures


def rejected_members(
    root: Mapping[str, Any], field: IndexField, storage: Storage
) -> list[tuple[Location, bytes]]:
    """Return the values of a document in memory that a field of an index does not accept. Reads nothing.

    Args:
        root: the fields of a hash, or the members of a JSON object.
    """
    if field.kind not in _ACCEPTED:
        return []
    if storage is Storage.HASH:
        value = root.get(field.identifier)
        rejects = value is not None and not _accepts(field, value, storage)
        return [((field.identifier,), value)] if rejects and value is not None else []
    steps = _plain_steps(field.identifier)
    return [
        (location, text)
        for location, value in (() if steps is None else _selected(root, steps, ()))
        if not _accepts(field, text := json_text(value), storage)
    ]


def reason_of_rejection(field: IndexField) -> str:
    """Return why an index does not accept a value."""
    return f"the index accepts only {_ACCEPTED[field.kind]}"


_VALUES_PER_READ = 500


MAX_REJECTED = 100
"""Documents of an index that are read to find values that its previous definition does not accept."""


def rejected_by_previous(
    refused: Mapping[str, Coverage | None], *, is_converted: bool
) -> Op[dict[str, list[Failure]]]:
    """Return, by name, the values that the previous definitions of indexes do not accept.

    Args:
        refused: the coverage checks because of which these indexes were not rolled back.
        is_converted: whether the data is not rolled back. Then all changing attributes have new values, which are not
            the reason.

    Effects: one read, and for each index a read of up to 100 documents.
    """
    records = yield from read_records()
    rejected = {}
    for name, coverage in refused.items():
        record = records.get(name)
        if record is None or coverage is None:
            continue
        previous = record.legacy
        if is_converted:
            kept = tuple(field for field in previous.fields if field.attribute not in record.changing)
            previous = replace(previous, fields=kept)
        rejected[name] = yield from rejected_values(coverage.examples[:MAX_REJECTED], previous)
    return rejected


def rejected_keys(keys: Sequence[bytes], fields: Sequence[IndexField], storage: Storage) -> Op[list[bytes]]:
    """Return the keys of documents that an index with these fields does not contain, as far as its types tell.

    Effects: a read of each, some hundred values in one round trip.
    """
    fields = [one for one in fields if one.kind in _ACCEPTED and not _accepts_everything(one, storage)]
    rejected: dict[bytes, None] = {}
    wanted = [(key, one) for key in keys for one in fields]
    for start in range(0, len(wanted), _VALUES_PER_READ):
        part = wanted[start : start + _VALUES_PER_READ]
        requests = [
            hget(key, one.identifier) if storage is Storage.HASH else json_get(key, one.identifier)
            for key, one in part
        ]
        for (key, one), reply in zip(part, (yield from batch(gather(requests))), strict=True):
            # An error: the key has another type now.
            if isinstance(reply, bytes) and not _accepts_reply(one, reply, storage):
                rejected[key] = None
    return list(rejected)


def _accepts_reply(field: IndexField, reply: bytes, storage: Storage) -> bool:
    """Return whether an index accepts a hash field, or the values at a path as the server returns them."""
    if storage is Storage.HASH:
        return _accepts(field, reply, storage)
    values = json.loads(reply)
    if not field.identifier.startswith("$"):  # a path of RedisJSON 1 selects one value
        values = [values]
    return all(_accepts_parsed(field.kind, value) for value in values)


def _accepts_everything(field: IndexField, storage: Storage) -> bool:
    return storage is Storage.HASH and field.kind is not FieldKind.NUMERIC


def _values_at(key: bytes, field: IndexField, storage: Storage) -> Op[list[tuple[Location, bytes]]]:
    """Return a hash field, or the values that the JSON path of a field selects. One read, or none."""
    if field.kind not in _ACCEPTED:
        return []
    if storage is Storage.HASH:
        value = yield from _reply_or_none(hget(key, field.identifier))
        return [] if value is None else [((field.identifier,), value)]
    steps = _plain_steps(field.identifier)
    if steps is None:
        return []
    first = next((at for at, step in enumerate(steps) if step is Wildcard.ANY), len(steps))
    head = tuple(step for step in steps[:first] if not isinstance(step, Wildcard))
    reply = yield from _reply_or_none(json_get(key, path_text(head)))
    return [
        (location, json.dumps(value, ensure_ascii=False).encode())
        for match in (json.loads(reply) if reply is not None else ())
        for location, value in _selected(match, steps[first:], head)
    ]


def _reply_or_none(request: Call[bytes | None]) -> Op[bytes | None]:
    try:
        return (yield from call(request))
    except CommandError:  # the key has another type now
        return None


def _plain_steps(path: str) -> tuple[Selector, ...] | None:
    """Return the steps of a JSON path of names, positions, `[*]` and `.*`; None for another path."""
    steps = selectors(path)
    if steps is None or Wildcard.DESCENT in steps:
        return None
    # A slice or a filter is a wildcard for `selectors`, but selects only some of the items.
    return steps if steps.count(Wildcard.ANY) == path.count("[*]") + path.count(".*") else None


def _selected(value: Any, steps: Sequence[Selector], location: Location) -> Iterator[tuple[Location, Any]]:
    """Yield the values that the steps select inside a value, each with its location; of a list its items."""
    members: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, list):
        members = enumerate(value)
    elif isinstance(value, dict):
        members = value.items()
    if steps:
        for name, member in members:
            if steps[0] is Wildcard.ANY or steps[0] == name:
                yield from _selected(member, steps[1:], (*location, name))
    elif isinstance(value, list):
        yield from (((*location, name), item) for name, item in members)
    else:
        yield location, value


def _accepts(field: IndexField, value: bytes, storage: Storage) -> bool:
    if storage is Storage.HASH:
        return _accepts_everything(field, storage) or _is_number(value)
    return _accepts_parsed(field.kind, json.loads(value))


def _accepts_parsed(kind: FieldKind, parsed: Any) -> bool:
    """Return whether an index of JSON accepts a value at the path of a field of some kind."""
    items = parsed if isinstance(parsed, list) else [parsed]
    if kind is FieldKind.NUMERIC:
        return all(
            item is None or (isinstance(item, int | float) and not isinstance(item, bool)) for item in items
        )
    texts = (str, bool) if kind is FieldKind.TAG else (str,)
    return all(item is None or isinstance(item, texts) for item in items)


_NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE)


def _is_number(value: bytes) -> bool:
    """Return whether the server reads text as a number: C's strtod of all of it, without overflow or underflow to 0."""
    if not _NUMBER.fullmatch(value):
        return False
    number = abs(float(value))
    if math.isinf(number):
        return b"i" in value.lower()
    return number > 0 or not re.search(rb"[1-9]", value.lower().partition(b"e")[0])


def blocking_reason(value: StoredValue, conversion: Conversion, storage: Storage) -> str | None:
    """Return why a value keeps its document out of a numeric index; None if it does not."""
    if conversion.outcome is Classification.UNCONVERTIBLE:
        is_number = (
            _is_number(value.raw)
            if storage is Storage.HASH
            else _accepts_parsed(FieldKind.NUMERIC, json.loads(value.raw))
        )
        return None if is_number else conversion.reason
    if conversion.outcome is Classification.NULL:
        # An index skips JSON's null; a hash has only empty text for it.
        return EMPTY if storage is Storage.HASH else None
    return None if conversion.outcome is Classification.ALREADY else STILL_TEXT


def planned_values(failures: Iterable[Failure], plan: Plan) -> list[Failure]:
    """Return the failures at planned paths: those that a conversion concerns."""
    route = router(plan)
    chosen = []
    for failure in failures:
        key, location = key_and_location(failure)
        model = route(key)
        if model is not None and path_of(location, model) is not None:
            chosen.append(failure)
    return chosen


def required_fields(failures: Iterable[Failure], plan: Plan) -> list[str]:
    """Return the fields of some failed values in which their models require a value, as `Visit.arrived_at`."""
    route = router(plan)
    fields: dict[str, None] = {}
    for failure in failures:
        key, location = key_and_location(failure)
        model = route(key)
        path = None if model is None else path_of(location, model)
        if model is not None and path is not None and not path.optional:
            fields[f"{model.name.rpartition('.')[2]}.{path}"] = None
    return list(fields)
