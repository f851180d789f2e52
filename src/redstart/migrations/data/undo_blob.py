"""The blob of an entry of the undo log: the edits of the documents that one script changes, encoded and decoded.

Most edits replace the text of an instant by its number of seconds. Both follow from the text's calendar time, so 8
bytes hold an edit, and equal parts of documents are stored once for the script: their structure, and the beginning of
their keys. Only fast paths offer their edits for this (`CompactEdits.pairs`); other documents are stored with all bytes
of each edit. A document is packed only if its numbers, computed as the decoder does it, are those that are written.

Format 2 is msgpack, compressed with zlib:

    [beginning of all keys, rest of each key, structures, structure of each document, styles, style of each edit, times,
     digests, others]

with a structure [is JSON, locations, paths of guards]; a style [form of the text, how many microseconds the instant of
the number is later than the text's calendar time]; this time in microseconds since 1970, 8 bytes for each edit, those
of the same rank next to each other; 8 bytes for each guard. The structure -1 is a document of `others`. Format 1 has
only these.
"""

import re
import sys
import zlib
from array import array
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, TypeAlias

import msgpack

from redstart.mapping.value_paths import Location
from redstart.migrations.data.compact_edits import DIGEST_BYTES, Pairs
from redstart.migrations.data.edits import DocumentEdits, edits_of_flat
from redstart.migrations.transformation import Edit
from redstart.values.datetime_parser import written_number
from redstart.values.timestamps import MICROSECOND, MICROSECONDS_PER_SECOND, NAIVE_EPOCH

FORMAT = b"2"
"""The format that is written. Format 1 is read, too."""

_COMPRESSION = 1
"""The fastest level of zlib; packed times compress no further."""

_OTHER = -1

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_DATE_ALONE = b"0000-00-00"
_FORMS = [
    _DATE_ALONE,
    *(
        f"0000-00-00{separator}00:00:00{fraction}{zone}".encode()
        for separator in "Tt "
        for fraction in ("", ".000000")
        for zone in ("", "Z", "+00:00", "-00:00")
    ),
]
"""What is left of the texts without their digits. The order is part of the format: new ones are appended."""

_FORM_NUMBERS = {form: number for number, form in enumerate(_FORMS)}
_LENGTHS = [10 if form == _DATE_ALONE else 26 if b"." in form else 19 for form in _FORMS]
"""Of the texts without their zone."""

_ZONES = [form[length:].decode() for form, length in zip(_FORMS, _LENGTHS, strict=True)]

_NUMBER = re.compile(rb"(\d{1,10})\.(\d{1,6})").fullmatch


_Columns: TypeAlias = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Forms, times and shifts of some edits."""

_NO_COLUMNS: _Columns = ((), (), ())


def blob_of(documents: Sequence[DocumentEdits]) -> bytes:
    """Return the blob for the edits of a chunk."""
    all_pairs = [document.pairs() for document in documents]
    columns = _columns([pairs for pairs in all_pairs if pairs is not None])
    if columns is None:
        all_pairs = [None if pairs is None or _columns([pairs]) is None else pairs for pairs in all_pairs]
        columns = _columns([pairs for pairs in all_pairs if pairs is not None])
    forms, times, shifts = columns or _NO_COLUMNS
    styles = {style: number for number, style in enumerate(dict.fromkeys(zip(forms, shifts, strict=True)))}
    structures: dict[Any, tuple[int, Any]] = {}
    numbers: list[int] = []
    digests: list[bytes] = []
    others: list[object] = []
    for document, pairs in zip(documents, all_pairs, strict=True):
        if pairs is None:
            numbers.append(_OTHER)
            others.append(document.flat or _nested_form(document))
            continue
        structure: Any = (document.json, pairs.locations, [])
        known: Any = pairs.locations
        if pairs.guards:
            paths, of_these = zip(*pairs.guards, strict=True)
            digests += of_these
            structure, known = (document.json, pairs.locations, paths), (pairs.locations, paths)
        if known not in structures:
            structures[known] = len(structures), structure
        numbers.append(structures[known][0])
    keys = [document.key for document in documents]
    beginning = _common_beginning(keys)
    content = (
        beginning,
        [key[len(beginning) :] for key in keys],
        [structure for _, structure in structures.values()],
        numbers,
        list(styles),
        [styles[style] for style in zip(forms, shifts, strict=True)],
        _shuffled(array("q", times)),
        b"".join(digests),
        others,
    )
    return zlib.compress(msgpack.packb(content), _COMPRESSION)


def _common_beginning(keys: Sequence[bytes]) -> bytes:
    first, last = min(keys), max(keys)
    return first[
        : next((at for at, byte in enumerate(first) if last[at : at + 1] != bytes([byte])), len(first))
    ]


def documents_of(blob: bytes, written: bytes) -> list[DocumentEdits]:
    """Return the documents of a blob.

    Args:
        written: its format.

    Raises:
        ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error, msgpack.UnpackException: not a blob.
    """
    data = msgpack.unpackb(zlib.decompress(blob), raw=True, use_list=False)
    if written == b"1":
        return [_document_of(item) for item in data]
    beginning, rest, structures, numbers, styles, styles_of_edits, times, digests, others = data
    values = (
        (_text_of(form, time), written_number(time + shift))
        for time, (form, shift) in zip(
            _unshuffled(times), [styles[number] for number in styles_of_edits], strict=True
        )
    )
    remaining, at = iter(others), 0
    found: list[DocumentEdits] = []
    for end, number in zip(rest, numbers, strict=True):
        if number == _OTHER:
            found.append(_document_of(next(remaining)))
            continue
        is_json, locations, paths = structures[number]
        edits = [_packed_edit(place, *next(values), is_json=is_json) for place in locations]
        guards: list[tuple[str, bytes | None]] = []
        for path in paths:
            guards.append((path.decode(), digests[at : at + DIGEST_BYTES].hex().encode()))
            at += DIGEST_BYTES
        found.append(DocumentEdits(beginning + end, is_json, edits, guards))
    return found


def _columns(all_pairs: Sequence[Pairs]) -> _Columns | None:
    """Return edits as numbers; None if one of them cannot be packed."""
    old = b"\n".join([pairs.old for pairs in all_pairs])
    found = list(map(_FORM_NUMBERS.get, old.translate(_ZERO_FOR_DIGITS).split(b"\n")))
    count = sum([len(pairs.new) for pairs in all_pairs])
    if len(found) != count or None in found:
        return None
    forms: list[Any] = found
    times: list[Any] = list(chain.from_iterable([pairs.times for pairs in all_pairs]))
    if len(times) == count and None not in times:
        return forms, times, [0] * count
    return _calculated(old.decode().split("\n"), forms, [new for pairs in all_pairs for new in pairs.new])


def _calculated(texts: Sequence[str], forms: Sequence[int], new: Sequence[bytes]) -> _Columns | None:
    """Return edits as numbers, of which the times are not known; None as above."""
    lengths = [_LENGTHS[form] for form in forms]
    # Their digits tell the offsets of 0 from others.
    if any(_ZONES[form] != text[length:] for text, length, form in zip(texts, lengths, forms, strict=True)):
        return None
    if any(text[11:13] == "24" for text in texts):
        return None
    try:
        moments = [datetime.fromisoformat(text[:length]) for text, length in zip(texts, lengths, strict=True)]
    except ValueError:
        return None
    times = [(moment - NAIVE_EPOCH) // MICROSECOND for moment in moments]
    shifts = [_shift(time, number) for time, number in zip(times, new, strict=True)]
    known = [shift for shift in shifts if shift is not None]
    return (forms, times, known) if len(known) == len(shifts) else None


def _shift(time: int, number: bytes) -> int | None:
    """Return how much later the instant of a number is; None if the number is not that of an instant."""
    if time >= 0 and written_number(time) == number:
        return 0
    match = _NUMBER(number)
    if match is None:
        return None
    instant = int(match[1]) * MICROSECONDS_PER_SECOND + int(match[2].ljust(6, b"0"))
    return instant - time if written_number(instant) == number else None


def _text_of(form: int, time: int) -> bytes:
    """Return a calendar time as text. Part of the format."""
    moment = NAIVE_EPOCH + timedelta(microseconds=time)
    shape = _FORMS[form]
    if shape == _DATE_ALONE:
        return moment.date().isoformat().encode()
    timespec = "microseconds" if b"." in shape else "seconds"
    return moment.isoformat(chr(shape[10]), timespec).encode() + shape[_LENGTHS[form] :]


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


def _nested_form(document: DocumentEdits) -> list[object]:
    if document.compact is not None:
        return document.compact.entry()
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
        return DocumentEdits(item[0], False, edits_of_flat(item))
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
