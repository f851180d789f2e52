"""Documents as commands."""

from collections.abc import Iterator

from redstart.demo.load import FOREIGN_KEYS, document_commands, load_batches
from redstart.demo.sample import SampleDocument, generate
from redstart.values.types import Storage

EXPIRY = 4_102_444_800_001

HASH = SampleDocument(b"h", Storage.HASH, {b"a": b"1", b"b": b"\xff"}, EXPIRY, {b"a": EXPIRY + 1}, {}, {})
JSON = SampleDocument(b"j", Storage.JSON, b'{"a":1.0}', None, {}, {}, {})


def test_a_hash_with_its_expiries() -> None:
    assert list(document_commands(HASH, field_expiries=True)) == [
        ("HSET", b"h", b"a", b"1", b"b", b"\xff"),
        ("PEXPIREAT", b"h", EXPIRY),
        ("HPEXPIREAT", b"h", EXPIRY + 1, "FIELDS", 1, b"a"),
    ]


def test_without_field_expiries_for_older_servers() -> None:
    commands = list(document_commands(HASH, field_expiries=False))
    assert [command[0] for command in commands] == ["HSET", "PEXPIREAT"]


def test_a_json_document_is_sent_as_its_text() -> None:
    assert list(document_commands(JSON, field_expiries=True)) == [("JSON.SET", b"j", "$", b'{"a":1.0}')]


def test_batches_hold_all_documents_once_and_the_foreign_keys_last() -> None:
    batches = list(load_batches(generate(25), field_expiries=False, batch_documents=10))
    assert len(batches) == 4
    keys = [c[1] for batch in batches[:-1] for c in batch if c[0] in ("HSET", "JSON.SET")]
    assert keys == [document.key for document in generate(25)]
    assert batches[-1] == [foreign.write for foreign in FOREIGN_KEYS]


def test_a_batch_is_taken_only_when_it_is_asked_for() -> None:
    taken: list[bytes] = []

    def source() -> Iterator[SampleDocument]:
        for document in generate(30):
            taken.append(document.key)
            yield document

    batches = load_batches(source(), field_expiries=False, batch_documents=10)
    next(batches)
    assert len(taken) == 10
