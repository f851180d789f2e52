"""Read the planned values of many documents in one round trip.

Of a hash, the planned fields are read. Of a JSON document, for each planned path, the member with its first list or
map is read (a wildcard would lose the positions), or only the value if there is neither. Nothing else is read: a
large text in the same document costs nothing. But if lists or maps are planned, small documents are read as a whole,
which costs less than several paths, and documents above 1 MB step by step (large_documents.py). The size of each read
is bounded by bytes (`PAGE_BYTES`), independent of the number of keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeAlias

from redstart.commands.documents import hget, hmget_command, json_array_length, json_get
from redstart.commands.keyspace import key_type
from redstart.commands.resp import PAGE_BYTES, KeyedCommand, PageSize, packed_batch
from redstart.commands.scripts import Script, evaluate, load, packed_evalsha, run_script, send_source
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

KEYS_PER_SCRIPT = 200
"""Other clients wait for a script: 200 JSON documents of 1 KB take a server about 1 ms."""


Anchors: TypeAlias = dict[str, tuple[Location, list[ValuePath]]]
"""What is read of a JSON document: paths of planned values, or of the lists and maps with such values."""


Routed: TypeAlias = tuple[bytes, PlannedModel]
"""A key and the model of its document."""


class Reader:
    """Reads the documents of one model. One instance per model.

    Attributes:
        anchors: what is read of each document; empty for hashes.
    """

    def __init__(self, model: PlannedModel) -> None:
        self.model = model
        self.anchors: Anchors = {}
        self._hash_command = hmget_command([str(path.segments[0]) for path in model.paths])
        self._may_be_large = self._may_be_whole = False
        if model.storage is Storage.JSON:
            self.anchors = _anchors(model.paths)
            self._may_be_large = any(_concrete_length(path) < len(path.segments) for path in model.paths)
            # Whether the values that the paths read can be found in the whole document.
            self._may_be_whole = all(can_be_read(location) for location, _ in self.anchors.values())

    def parts(self, keys: list[bytes]) -> "list[Part]":
        """Return the requests that read the documents of some keys."""
        if not self.anchors:
            return [HashPart(self, keys, self._hash_command)] if keys else []
        starts = range(0, len(keys), KEYS_PER_SCRIPT)
        return [JsonPart(self, keys[start : start + KEYS_PER_SCRIPT]) for start in starts]

    def script_arguments(self, keys: Sequence[bytes], limit: int, *, is_first: bool) -> list[str | bytes]:
        """Return the arguments of read_values.lua.

        Args:
            limit: bytes after which no other document is read.
            is_first: whether one document is read in any case.
        """
        options = (
            *(str(limit), "1" if is_first else "0", "1" if self._may_be_large else "0"),
            *(str(SMALL_BYTES if self._may_be_whole else 0), str(LARGE_BYTES)),
        )
        return [*options, str(len(self.anchors)), *self.anchors, *keys]

    def json_document(self, key: bytes, reply: bytes | list[bytes]) -> StoredDocument:
        """Return the document of a reply of read_values.lua."""
        if isinstance(reply, bytes):
            return StoredDocument.of_json(key, self.model, reply, self._values_of_whole, is_whole=True)
        return StoredDocument.of_json(key, self.model, reply[0], self._json_values, is_whole=False)

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


class HashPart:
    """Hashes of one model. They are read with a command for each."""

    def __init__(self, reader: Reader, keys: list[bytes], command: KeyedCommand) -> None:
        self.reader, self.keys, self._command = reader, keys, command
        self.replies = len(keys)

    def packed(self, limit: int, *, is_first: bool) -> bytes:  # noqa: ARG002 - fields of hashes are small
        """Return the requests."""
        return self._command.pack_all(self.keys)

    def documents(self, replies: list[Any]) -> "Op[PartRead]":
        """Return the documents of the replies."""
        yield from ()
        model, of_hash = self.reader.model, StoredDocument.of_hash
        found = [
            of_hash(key, model, reply)
            for key, reply in zip(self.keys, replies, strict=True)
            if type(reply) is list
        ]
        return PartRead(found, [], [], replies)


class JsonPart:
    """JSON documents of one model that one script reads. Documents that may be large are measured in it before."""

    replies = 1

    def __init__(self, reader: Reader, keys: list[bytes]) -> None:
        self.reader, self.keys = reader, keys
        self._arguments: list[str | bytes] = []

    def packed(self, limit: int, *, is_first: bool) -> bytes:
        """Return the request."""
        self._arguments = self.reader.script_arguments(self.keys, limit, is_first=is_first)
        return packed_evalsha(_script().sha1, self._arguments)

    def documents(self, replies: list[Any]) -> "Op[PartRead]":
        """Return the documents of the reply. Another round trip if the server has not cached the script."""
        (found,) = replies
        if isinstance(found, CommandError):
            found = yield from send_source(found, lambda: evaluate(_script().source, (), self._arguments))
        pairs = [(key, reply) for key, reply in zip(self.keys, found, strict=False) if reply is not None]
        read = [self.reader.json_document(key, reply) for key, reply in pairs if type(reply) is not int]
        model = self.reader.model
        large = [(key, model) for key, reply in pairs if type(reply) is int]
        return PartRead(read, [(key, model) for key in self.keys[len(found) :]], large, found)


Part: TypeAlias = HashPart | JsonPart


@dataclass(frozen=True, slots=True)
class PartRead:
    """The documents of a part; the keys that were not read, because all did not fit; those of large documents."""

    documents: list[StoredDocument]
    left: list[Routed]
    large: list[Routed]
    replies: list[Any]


@dataclass(frozen=True, slots=True)
class ReadsUnderWay:
    """Requested documents.

    Attributes:
        count: number of keys that were requested, from the first one on.
    """

    count: int
    parts: list[Part]
    replies: Pending[list[Any]]
    page_size: PageSize


def send_reads(found: Sequence[Routed], page_size: PageSize) -> Op[ReadsUnderWay]:
    """Request the documents of the first keys, without waiting for the replies.

    Effects: one batch sent ahead.
    """
    found = found[: page_size.keys]
    models = {id(model): model for _, model in found}  # by identity: few models occur a thousand times
    if len(models) == 1:
        keys_by_id = {one: [key for key, _ in found] for one in models}
    else:
        keys_by_id = {one: [] for one in models}
        for key, model in found:
            keys_by_id[id(model)].append(key)
    parts = [part for one, keys in keys_by_id.items() for part in reader_of(models[one]).parts(keys)]
    limit = PAGE_BYTES // max(1, len(parts))
    packed = [part.packed(limit, is_first=number == 0) for number, part in enumerate(parts)]
    replies = yield from send_ahead(packed_batch(packed, sum(part.replies for part in parts)))
    return ReadsUnderWay(len(found), parts, replies, page_size)


def documents_read(reads: ReadsUnderWay) -> Op[tuple[list[StoredDocument], list[Routed]]]:
    """Return the requested documents, without those that do not exist or have another type; and the unread keys.

    Those did not fit into a page. At least one key is read.

    Effects: a round trip for each script that the server has not cached, and several for each large document.
    """
    replies = iter((yield from receive(reads.replies)))
    documents: list[StoredDocument] = []
    left: list[Routed] = []
    large: list[Routed] = []
    for part in reads.parts:
        read = yield from part.documents(list(islice(replies, part.replies)))
        reads.page_size.observe(read.replies)
        documents += read.documents
        left += read.left
        large += read.large
    for key, model in large:
        document = yield from read_large_document(key, model)
        if document is not None:
            documents.append(document)
    return documents, left


def _script() -> Script:
    return load("read_values.lua")


def read_documents(found: Sequence[Routed]) -> Op[list[StoredDocument]]:
    """Return the documents of some keys, a page at a time.

    Effects: see `send_reads` and `documents_read`, once for each page.
    """
    documents: list[StoredDocument] = []
    page_size = PageSize()
    while found:
        reads = yield from send_reads(found, page_size)
        read, left = yield from documents_read(reads)
        documents += read
        found = [*left, *found[reads.count :]]
    return documents


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
