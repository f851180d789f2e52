"""Read the planned values of many documents in one or two round trips.

Of a hash, the planned fields are read. Of a JSON document, for each planned path, the member with its first list or
map is read (a wildcard would lose the positions), or only the value if there is neither. Nothing else is read: a
large text in the same document costs nothing. But if lists or maps are planned, small documents are read as a whole,
which costs less than several paths, and documents above 1 MB step by step (large_documents.py). The size of each read
is bounded by bytes (`PAGE_BYTES`), independent of the number of keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from redstart.commands.documents import hget, hmget_command, json_array_length, json_get, json_get_command
from redstart.commands.keyspace import key_type
from redstart.commands.resp import PAGE_BYTES, KeyedCommand, PageSize, packed_batch
from redstart.commands.scripts import load, run_script
from redstart.effects import Op, Pending, batch, gather, receive, send_ahead
from redstart.errors import CommandError
from redstart.mapping.value_paths import (
    Each,
    Location,
    Segment,
    ValuePath,
    can_be_read,
    path_text,
    sliced_list,
)
from redstart.migrations.data.edits import DocumentEdits, StoredDocument, StoredValue
from redstart.migrations.data.large_documents import read_large_document
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import Edit
from redstart.values.lossless_json import JsonNumber, json_text, parse_json
from redstart.values.types import Storage

SMALL_BYTES = 4_000
"""Size in memory. A smaller document with lists or maps is read as a whole."""

LARGE_BYTES = 1_000_000
"""Size in memory. A larger document is never fetched as a whole."""


Anchors: TypeAlias = dict[str, tuple[Location, list[ValuePath]]]
"""What is read of a JSON document: paths of planned values, or of the lists and maps with such values."""


class Reader:
    """Reads the documents of one model. One instance per model.

    Attributes:
        anchors: what is read of each document; empty for hashes.
    """

    def __init__(self, model: PlannedModel) -> None:
        self.model = model
        self.command: KeyedCommand
        self.anchors: Anchors = {}
        self.may_be_large = False
        if model.storage is Storage.HASH:
            self.command = hmget_command([str(path.segments[0]) for path in model.paths])
        else:
            self.anchors = _anchors(model.paths)
            self.command = json_get_command(list(self.anchors))
            self._whole_command = json_get_command([])
            self.may_be_large = any(_concrete_length(path) < len(path.segments) for path in model.paths)

    def pack(self, key: bytes, *, is_whole: bool) -> bytes:
        """Return the request for a document."""
        return (self._whole_command if is_whole else self.command).pack(key)

    def can_read_whole(self) -> bool:
        """Return whether the values that the paths read can be found in the whole document."""
        return all(can_be_read(location) for location, _ in self.anchors.values())

    def document(self, key: bytes, reply: Any, *, is_whole: bool = False) -> StoredDocument | None:
        """Return the document of a reply; None if the key does not exist, or has another type."""
        if reply is None or isinstance(reply, CommandError):
            return None
        if isinstance(reply, bytes):
            parse = self._values_of_whole if is_whole else self._json_values
            return StoredDocument.of_json(key, self.model, reply, parse, is_whole=is_whole)
        return StoredDocument.of_hash(key, self.model, reply)

    def _json_values(self, reply: bytes) -> list[StoredValue]:
        parsed: Any = parse_json(reply)
        if len(self.anchors) == 1:
            parsed = {next(iter(self.anchors)): parsed}
        return self._values_at(parsed)

    def _values_of_whole(self, reply: bytes) -> list[StoredValue]:
        parsed = parse_json(reply)
        return self._values_at(
            {text: matches_at(parsed, location) for text, (location, _) in self.anchors.items()}
        )

    def _values_at(self, parsed: Any) -> list[StoredValue]:
        values: list[StoredValue] = []
        for text, (location, paths) in self.anchors.items():
            for found in parsed[text]:
                for path in paths:
                    values.extend(_below(found, path, location, path.segments[len(location) :]))
        return values


def matches_at(document: Any, location: Location) -> list[Any]:
    """Return the value at a location in a list; an empty list if there is none."""
    for step in location:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return []
        elif not isinstance(document, list) or step >= len(document):
            return []
        document = document[step]
    return [document]


@cache
def reader_of(model: PlannedModel) -> Reader:
    """Return the reader of a model."""
    return Reader(model)


@dataclass(frozen=True, slots=True)
class ReadsUnderWay:
    """Requested documents: those fetched at once, and those that are too large for that.

    Attributes:
        count: number of keys that were requested, from the first one on.
        small: keys, and whether the whole document is read.
    """

    count: int
    small: list[tuple[bytes, Reader, bool]]
    large: list[tuple[bytes, PlannedModel]]
    replies: Pending[list[Any]]
    page_size: PageSize


def send_reads(found: Sequence[tuple[bytes, PlannedModel]], page_size: PageSize) -> Op[ReadsUnderWay]:
    """Request the documents of the first keys, as many as fit into a page, without waiting for the replies.

    Effects: one batch sent ahead; a round trip before it if large documents are possible.
    """
    found = found[: page_size.keys]
    # By identity: the few models of a plan occur a thousand times.
    models = {id(model): model for _, model in found}
    readers = {number: reader_of(model) for number, model in models.items()}
    count, large, tiny = len(found), set[bytes](), set[bytes]()
    suspects = [number for number, (_, model) in enumerate(found) if readers[id(model)].may_be_large]
    if suspects:
        count, large, tiny = yield from _fitting(found, suspects)
        without_whole = {number for number, reader in readers.items() if not reader.can_read_whole()}
        if without_whole:
            tiny = {key for key, model in found if key in tiny and id(model) not in without_whole}
    found = found[:count]
    small = [(key, readers[id(model)], key in tiny) for key, model in found if key not in large]
    commands = (reader.pack(key, is_whole=is_whole) for key, reader, is_whole in small)
    replies = yield from send_ahead(packed_batch(commands, len(small)))
    return ReadsUnderWay(count, small, [item for item in found if item[0] in large], replies, page_size)


def documents_read(reads: ReadsUnderWay) -> Op[list[StoredDocument]]:
    """Return the requested documents, without those that do not exist or have another type.

    Effects: several round trips for each large document.
    """
    replies = yield from receive(reads.replies)
    reads.page_size.observe(replies)
    documents = [
        reader.document(key, reply, is_whole=is_whole)
        for (key, reader, is_whole), reply in zip(reads.small, replies, strict=True)
    ]
    result = [document for document in documents if document is not None]
    for key, model in reads.large:
        document = yield from read_large_document(key, model)
        if document is not None:
            result.append(document)
    return result


def read_documents(found: Sequence[tuple[bytes, PlannedModel]]) -> Op[list[StoredDocument]]:
    """Return the documents of some keys, a page at a time."""
    documents: list[StoredDocument] = []
    page_size = PageSize()
    while found:
        reads = yield from send_reads(found, page_size)
        documents += yield from documents_read(reads)
        found = found[reads.count :]
    return documents


def _fitting(
    found: Sequence[tuple[bytes, PlannedModel]], suspects: Sequence[int]
) -> Op[tuple[int, set[bytes], set[bytes]]]:
    """Return how many of the documents fit into a page, at least 1, the large ones and the small ones among them.

    Args:
        suspects: positions of the documents that may be large.

    Effects: one read-only script; two round trips if the server does not have it in its cache.
    """
    keys = [found[number][0] for number in suspects]
    script = load("sizes.lua")
    sizes: list[int] = yield from run_script(script, (), (PAGE_BYTES, *keys))
    total, large, small = 0, set[bytes](), set[bytes]()
    for number, size in zip(suspects, sizes, strict=False):
        total += size
        if number and total > PAGE_BYTES:
            return number, large, small
        if size > LARGE_BYTES:
            large.add(found[number][0])
        elif size <= SMALL_BYTES:
            small.add(found[number][0])
    return (len(found) if len(sizes) == len(suspects) else suspects[len(sizes)]), large, small


def _concrete_length(path: ValuePath) -> int:
    """Return the number of steps to the first list or map, or to the value itself."""
    return next((n for n, step in enumerate(path.segments) if isinstance(step, Each)), len(path.segments))


def _anchors(paths: Iterable[ValuePath]) -> Anchors:
    anchors: Anchors = {}
    for path in paths:
        steps = path.segments[: _concrete_length(path)]
        location: Location = tuple(step for step in steps if not isinstance(step, Each))
        anchors.setdefault(path_text(location), (location, []))[1].append(path)
    return anchors


def _below(
    value: Any, path: ValuePath, location: Location, rest: tuple[Segment, ...]
) -> Iterable[StoredValue]:
    """Yield the values that match the rest of a path."""
    if not rest:
        yield StoredValue(location, path, json_text(value), value)
        return
    step, deeper = rest[0], rest[1:]
    if value is None:
        return
    if step is Each.ITEM or isinstance(step, int):
        if not isinstance(value, list):
            yield _misplaced(value, path, location, "a list")
            return
        positions = range(len(value)) if step is Each.ITEM else range(step, min(step + 1, len(value)))
        for index in positions:
            yield from _below(value[index], path, (*location, index), deeper)
        return
    if not isinstance(value, dict):
        yield _misplaced(value, path, location, "an object")
        return
    names = value if step is Each.VALUE else [name for name in (step,) if name in value]
    for name in names:
        yield from _below(value[name], path, (*location, name), deeper)


def _misplaced(value: Any, path: ValuePath, location: Location, wanted: str) -> StoredValue:
    return StoredValue(location, path, json_text(value), value, f"{wanted} expected, got {_kind_of(value)}")


def _kind_of(value: object) -> str:
    """Return the type of a JSON value other than null, as text."""
    if isinstance(value, JsonNumber):
        return "a number"
    return {str: "a string", bool: "a boolean", list: "a list", dict: "an object"}[type(value)]


Place = tuple[bytes, bool, Location]
"""The key of a document, whether it is JSON, and a location in it."""


def compared_with_edits(documents: Sequence[DocumentEdits]) -> Op[list[tuple[DocumentEdits, Edit, bool]]]:
    """Return each edit with its document, and whether its value is still as it was written.

    Effects: one read, and another one if anything was cleared.
    """
    edits = [(document, edit) for document in documents for edit in document.edits]
    found = yield from texts_at([(document.key, document.json, edit.location) for document, edit in edits])
    gone = yield from cleared_and_gone([(document.key, edit) for document, edit in edits])
    return [
        (document, edit, text == edit.new and document.key not in gone)
        for text, (document, edit) in zip(found, edits, strict=True)
    ]


def cleared_and_gone(edits: Sequence[tuple[bytes, Edit]]) -> Op[set[bytes]]:
    """Return the keys of deleted documents in which a value was cleared: like the edit, they have no value there.

    Args:
        edits: applied edits, with the keys of their documents.

    Effects: one read if anything was cleared.
    """
    keys = list(dict.fromkeys(key for key, edit in edits if edit.new is None and edit.aside is None))
    if not keys:
        return set()
    types = yield from batch(gather([key_type(key) for key in keys]))
    return {key for key, found in zip(keys, types, strict=True) if found == b"none"}


def lists_at(guards: Sequence[tuple[bytes, str]]) -> Op[list[bytes | None]]:
    """Return the guarded lists, as the script that writes makes digests of them; None where there is no document.

    Args:
        guards: keys and paths.

    Effects: one round trip, if there are any.
    """
    if not guards:
        return []
    sliced = [(key, list_path) for key, path in guards if (list_path := sliced_list(path)) is not None]
    replies = yield from batch(
        gather([*(json_get(*guard) for guard in guards), *(json_array_length(*item) for item in sliced)])
    )
    lengths = iter(replies[len(guards) :])
    found: list[bytes | None] = []
    for (_, path), reply in zip(guards, replies, strict=False):
        text = reply if isinstance(reply, bytes) else None
        if sliced_list(path) is not None:
            length = next(lengths)
            if text is not None and isinstance(length, list) and length and length[0] is not None:
                text += b"%d" % length[0]
        found.append(text)
    return found


def texts_at(places: Sequence[Place]) -> Op[list[bytes | None]]:
    """Return the bytes at each location; None if there is no value (or a key of another type). One round trip."""
    calls = [
        json_get(key, path_text(location)) if json else hget(key, str(location[0]))
        for key, json, location in places
    ]
    replies = yield from batch(gather(calls))
    return [_text(reply, json) for reply, (_, json, _) in zip(replies, places, strict=True)]


def _text(reply: object, json: bool) -> bytes | None:
    if not isinstance(reply, bytes):
        return None
    if not json:
        return reply
    return None if reply == b"[]" else reply[1:-1]


def read_whole(documents: Sequence[tuple[Storage, bytes]]) -> Op[list[Any]]:
    """Return the current content of the first documents, as many as fit into a page, at least 1.

    Args:
        documents: the storage and the key of each.

    Returns:
        For each the reply to HGETALL or JSON.GET; None if it does not exist any more, or has another type.

    Effects: one read-only script; two round trips if the server does not have it in its cache.
    """
    arguments = [argument for storage, key in documents for argument in (storage.value, key)]
    script = load("whole.lua")
    return list((yield from run_script(script, (), (PAGE_BYTES, *arguments))))
