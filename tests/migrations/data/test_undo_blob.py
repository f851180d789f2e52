"""Blobs of the undo log: every byte comes back, whatever was edited; a packed document needs few of them."""

import zlib
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.mapping.value_paths import Each, Location, ValuePath
from redstart.migrations.data.compact_edits import DIGEST_BYTES, CompactEdits, Pairs
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plain_documents import PlainDocuments
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.reader import reader_of
from redstart.migrations.data.undo_blob import BLOB_ERRORS, FORMAT, blob_of, documents_of
from redstart.migrations.transformation import Edit, EditSet
from redstart.values.lossless_json import json_text, parse_json
from redstart.values.timestamps import number_text
from redstart.values.types import Storage, TemporalKind

keys = st.binary(min_size=1, max_size=8).map(b"shop:".__add__)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
shifts = st.sampled_from([0, 0, 0, 3600, -7200, 1])
zones = st.sampled_from(["", "Z", "+00:00", "-00:00", "+05:30"])


def pair(moment: datetime, separator: str, zone: str, shift: int) -> tuple[bytes, bytes]:
    """Return a text, and the number of an instant so many seconds later."""
    microseconds = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    number = number_text(microseconds + shift * 1_000_000)
    return f"{moment.isoformat(separator)}{zone}".encode(), number.encode()


written = st.builds(pair, moments, st.sampled_from("Tt "), zones, shifts)
others = st.tuples(st.binary(max_size=30), st.binary(max_size=20))
pairs = st.lists(written | written | written | others, min_size=1, max_size=4)


class Plain(CompactEdits):
    """Edits of a JSON document as the fast path has them, with any content."""

    def __init__(self, key: bytes, edits: list[tuple[Location, bytes, bytes]], guards: Any) -> None:
        self.key, self.edits, self.guards = key, edits, guards

    byte_size = 0

    def edit_set(self) -> EditSet:
        return EditSet(tuple(Edit(place, old, new) for place, old, new in self.edits))

    def wire(self, marks: ProcessedDocuments | None) -> list[Any]:
        raise NotImplementedError

    def pairs(self) -> Pairs:
        old = b"\n".join([text[1:-1] for _, text, _ in self.edits])
        places = tuple(place for place, _, _ in self.edits)
        return Pairs(places, old, [new for _, _, new in self.edits], (), self.guards)

    def entry(self) -> list[Any]:
        return [self.key, "json", [(*edit, None) for edit in self.edits], self.guards]


def of_hash(key: bytes, values: list[tuple[bytes, bytes]]) -> DocumentEdits:
    places = tuple((f"f{number}",) for number in range(len(values)))
    return DocumentEdits.plain(key, places, [old for old, _ in values], [number for _, number in values])


def of_json(key: bytes, values: list[tuple[bytes, bytes]], lists: int) -> DocumentEdits:
    edits: list[tuple[Location, bytes, bytes]] = [
        ((f"f{number}",), b'"%b"' % old, new) for number, (old, new) in enumerate(values)
    ]
    guards = tuple((f"$.l{number}", bytes([number] * DIGEST_BYTES)) for number in range(lists))
    document = DocumentEdits.of_compact(key, len(edits), Plain(key, edits, guards))
    document.json, document.is_atomic = True, False
    document.guards = [(path, digest.hex().encode()) for path, digest in guards]
    return document


def general(key: bytes, values: list[tuple[bytes, bytes]]) -> DocumentEdits:
    edits = [Edit((f"f{number}",), old, None, aside=("aside",)) for number, (old, _) in enumerate(values)]
    return DocumentEdits(key, False, edits)


documents = st.lists(
    st.builds(of_hash, keys, pairs)
    | st.builds(of_json, keys, pairs, st.integers(0, 2))
    | st.builds(general, keys, pairs),
    min_size=1,
    max_size=5,
)


def contents(document: DocumentEdits) -> Any:
    edits = [edit[:4] for edit in document.edits]
    return document.key, document.json, edits, document.guards


@given(documents)
def test_documents_come_back(chunk: list[DocumentEdits]) -> None:
    blob = blob_of(chunk)
    assert list(map(contents, documents_of(blob, FORMAT))) == list(map(contents, chunk))


@given(documents, st.integers(0, 8), st.sampled_from([None, [], b"", -5, [b"x"], [[2, 2**62]], [-1, 7]]))
def test_what_is_not_a_blob_raises_errors_of_blobs(chunk: list[DocumentEdits], part: int, wrong: Any) -> None:
    content = list(msgpack.unpackb(zlib.decompress(blob_of(chunk)), raw=True))
    content[part] = wrong
    with suppress(BLOB_ERRORS):
        documents_of(zlib.compress(msgpack.packb(content) if part else msgpack.packb(content[1:])), FORMAT)


def test_a_blob_of_format_1_is_read() -> None:
    items = [
        [b"shop:1", "plain", 1, "at", b"2020-01-01", "at", b"1577836800.0"],
        [b"shop:2", "json", [[["at"], b'"2020-01-01"', b"1577836800.0", None]], ["$.lines"]],
    ]
    one, two = documents_of(zlib.compress(msgpack.packb(items)), b"1")
    assert (one.key, one.json, [edit[:3] for edit in one.edits]) == (
        b"shop:1",
        False,
        [(("at",), b"2020-01-01", b"1577836800.0")],
    )
    assert (two.key, two.json, two.guards) == (b"shop:2", True, [("$.lines", None)])
    assert [edit[:3] for edit in two.edits] == [(("at",), b'"2020-01-01"', b"1577836800.0")]


def ulid(random: Random) -> str:
    return "01HF" + "".join(random.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(22))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_document_with_five_dates_needs_less_than_64_bytes(zone: str) -> None:
    """With keys and moments of which nothing can be guessed."""
    random = Random(5)
    places = (("a",), ("b",), ("c", "d"), ("lines", Each.ITEM, "at"))
    paths = tuple(ValuePath(place, TemporalKind.DATETIME, optional=False) for place in places)
    model = PlannedModel("shop.Order", "shop:order:", "", Storage.JSON, paths)

    def moment() -> str:
        return (datetime(2023, 1, 1) + timedelta(microseconds=random.randrange(2 * 10**13))).isoformat()

    stored: list[StoredDocument] = []
    for _ in range(200):
        content = {
            "a": moment(),
            "b": moment(),
            "c": {"d": moment()},
            "lines": [{"at": moment()} for _ in "ab"],
        }
        text = json_text(parse_json(repr(content).replace("'", '"').encode()))
        stored.append(reader_of(model).json_document(f"shop:order:{ulid(random)}".encode(), text))
    made, left = PlainDocuments(DatetimeConversion.of_zone(zone)).edits(stored)
    assert (len(made), left) == (200, [])
    assert len(blob_of(made)) / 200 < 64
