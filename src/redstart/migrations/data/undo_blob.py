"""The blob of an entry of the undo log: the edits of the documents that one script changes, encoded and decoded.

Most edits replace the text of an instant by its number; values/instant_pairs.py makes three integers of both, of which
only the time differs in most. Equal parts of documents are stored once for the script: their structure, and the
beginning of their keys. Only fast paths offer their edits for this (`Pairs`); other documents are stored with all bytes
of each edit, and so are those whose numbers do not follow from their texts.

Format 2 is msgpack, compressed with zlib:

    [beginning of all keys, rest of each key, structures, structure of each document, styles, style of each edit, times,
     digests, others]

with a structure [is JSON, locations, paths of guards]; a style [form, shift]; the times of all edits, in 8 bytes each,
those of the same rank next to each other; 8 bytes for each guard. The structure -1 is a document of `others`. Format 1
has only these.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import msgpack

from redstart.mapping.value_paths import Location
from redstart.migrations.data.compact_edits import DIGEST_BYTES, Pairs
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.transformation import Edit
from redstart.values.instant_pairs import PackedPairs, packed_pairs, unpacked_pair

FORMAT = b"2"
"""The format that is written. Format 1 is read, too."""

_COMPRESSION = 1
"""The fastest level of zlib; packed times compress no further."""

_OTHER = -1


def blob_of(documents: Sequence[DocumentEdits]) -> bytes:
    """Return the blob for the edits of a chunk."""
    runs = list(_runs(documents))
    packed = _packed([pairs for _, pairs in runs if pairs is not None])
    if packed is None:
        alone = [(document, document.pairs()) for document in documents]
        runs = [
            ([document], None if pairs is None or _packed([pairs]) is None else pairs)
            for document, pairs in alone
        ]
        packed = _packed([pairs for _, pairs in runs if pairs is not None])
    assert packed is not None  # each of them can be packed
    styles = {style: number for number, style in enumerate(dict.fromkeys(packed.styles))}
    structures: dict[Any, int] = {}
    numbers: list[int] = []
    digests: list[bytes] = []
    others: list[object] = []
    for alike, pairs in runs:
        if pairs is None:
            numbers += [_OTHER] * len(alike)
            others += map(_other_form, alike)
            continue
        paths: tuple[str, ...] = ()
        if pairs.guards:
            paths, of_these = zip(*pairs.guards, strict=True)
            digests += of_these
        structure = alike[0].json, pairs.locations, paths
        numbers += [structures.setdefault(structure, len(structures))] * len(alike)
    keys = [document.key for document in documents]
    beginning = _common_beginning(keys)
    content = (
        beginning,
        [key[len(beginning) :] for key in keys],
        list(structures),
        numbers,
        list(styles),
        [styles[style] for style in packed.styles],
        _shuffled(array("q", packed.times)),
        b"".join(digests),
        others,
    )
    return zlib.compress(msgpack.packb(content), _COMPRESSION)


def _common_beginning(keys: Sequence[bytes]) -> bytes:
    first, last = min(keys), max(keys)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((at for at, (byte, other) in pairs if byte != other), len(first))]


def _runs(documents: Sequence[DocumentEdits]) -> Iterable[tuple[Sequence[DocumentEdits], Pairs | None]]:
    """Yield plain documents with edits at the same places together, and others one by one, with their pairs."""
    for locations, run in groupby(documents, attrgetter("locations")):
        alike = list(run)
        if locations:
            old = b"\n".join(chain.from_iterable([document.old for document in alike]))
            new = list(chain.from_iterable([document.new for document in alike]))
            times = list(chain.from_iterable([document.times for document in alike]))
            yield alike, Pairs(locations, old, new, times)
        else:
            for document in alike:
                yield [document], document.pairs()


def documents_of(blob: bytes, written: bytes) -> list[DocumentEdits]:
    """Return the documents of a blob.

    Args:
        written: its format.

    Raises:
        BLOB_ERRORS: it is not a blob.
    """
    data = msgpack.unpackb(zlib.decompress(blob), raw=True, use_list=False)
    if written == b"1":
        return [_document_of(item) for item in data]
    beginning, rest, structures, numbers, styles, styles_of_edits, times, digests, others = data
    pairs = zip([styles[number] for number in styles_of_edits], _unshuffled(times), strict=True)
    values = [unpacked_pair(form, time, shift) for (form, shift), time in pairs]
    next_value = next_digest = next_other = 0
    found: list[DocumentEdits] = []
    for end, number in zip(rest, numbers, strict=True):
        if number == _OTHER:
            found.append(_document_of(others[next_other]))
            next_other += 1
            continue
        is_json, locations, paths = structures[number]
        of_document = values[next_value : next_value + len(locations)]
        edits = [
            _packed_edit(place, *pair, is_json=is_json)
            for place, pair in zip(locations, of_document, strict=True)
        ]
        next_value += len(locations)
        guards: list[tuple[str, bytes | None]] = []
        for path in paths:
            digest = digests[next_digest : next_digest + DIGEST_BYTES]
            guards.append((path.decode(), digest.hex().encode()))
            next_digest += DIGEST_BYTES
        found.append(DocumentEdits(beginning + end, is_json, edits, guards))
    if (next_value, next_digest, next_other) != (len(values), len(digests), len(others)):
        raise ValueError("the documents are not those of the edits")
    return found


BLOB_ERRORS = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    zlib.error,
    msgpack.UnpackException,
)
"""What may be raised for something that is not a blob."""


def _packed(all_pairs: Sequence[Pairs]) -> PackedPairs | None:
    """Return the edits of all documents as integers; None if one of them cannot be packed."""
    return packed_pairs(
        b"\n".join([pairs.old for pairs in all_pairs]),
        list(chain.from_iterable([pairs.new for pairs in all_pairs])),
        list(chain.from_iterable([pairs.times for pairs in all_pairs])),
    )


def _packed_edit(place: Any, old: bytes, new: bytes, *, is_json: bool) -> Edit:
    if is_json:
        return Edit(_location(place), b'"%b"' % old, new)
    return Edit(_location(place), old, new, converts=True)


def _shuffled(numbers: "array[int]") -> bytes:
    """Return numbers as bytes: first the lowest byte of each, at last the highest. Near times share the high ones."""
    if sys.byteorder == "big":
        numbers.byteswap()
    data = numbers.tobytes()
    return b"".join(data[rank::8] for rank in range(8))


def _unshuffled(data: bytes) -> "array[int]":
    count = len(data) // 8
    numbers = array("q")
    numbers.frombytes(
        bytes(chain.from_iterable(zip(*(data[rank * count :][:count] for rank in range(8)), strict=True)))
    )
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _other_form(document: DocumentEdits) -> list[object]:
    """Return a document of `others`.

    A plain one is a flat list: its key, "plain", the number n of fields, n names, n old values, n times name and new
    value.
    """
    if document.compact is not None:
        return document.compact.entry()
    if document.locations:
        names = [place[0] for place in document.locations]
        pairs = chain.from_iterable(zip(names, document.new, strict=True))
        return [document.key, b"plain", len(names), *names, *document.old, *pairs]
    storage, guards = "json" if document.json else "hash", [path for path, _ in document.guards]
    if not document.is_atomic:
        edits = [[edit.location, edit.old, edit.new, edit.aside] for edit in document.edits]
        return [document.key, storage, edits, guards]
    grouped = [
        [edit.location, edit.old, edit.new, edit.aside, edit.expiry_of, edit.group] for edit in document.edits
    ]
    return [document.key, storage, grouped, guards, "atomic"]


def _document_of(item: Any) -> DocumentEdits:
    if item[1] == b"plain":
        number = item[2]
        names, old, new = item[3 : 3 + number], item[3 + number : 3 + 2 * number], item[4 + 2 * number :: 2]
        places = tuple([(name.decode(),) for name in names])
        return DocumentEdits(item[0], False, DocumentEdits.plain(item[0], places, old, new).edits)
    return _from_nested_form(*item)


def _from_nested_form(
    key: bytes, storage: bytes, edits: Any, guards: Any, atomic: object = None
) -> DocumentEdits:
    return DocumentEdits(
        key,
        storage == b"json",
        [_edit(*edit) for edit in edits],
        [
            (guard.decode(), None)
            if isinstance(guard, bytes)
            else (guard[0].decode(), guard[1].hex().encode())
            for guard in guards
        ],
        is_atomic=atomic is not None,
    )


def _edit(
    place: Any,
    old: bytes | None,
    new: bytes | None,
    aside: Any,
    expiry_of: Any = None,
    group: int | None = None,
) -> Edit:
    return Edit(
        _location(place),
        old,
        new,
        None if aside is None else _location(aside),
        expiry_of=None if expiry_of is None else _location(expiry_of),
        group=group,
    )


def _location(steps: Sequence[bytes | int]) -> Location:
    return tuple(step if isinstance(step, int) else step.decode() for step in steps)
