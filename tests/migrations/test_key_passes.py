"""Passes over keys hold a page in memory, not all keys; estimates count each document once."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart.effects import Call, Op
from redstart.migrations.steps import storage_changes
from redstart.migrations.steps.key_passes import KeyPattern, count_keys
from redstart.migrations.steps.storage_changes import check_documents
from redstart.operations import Storage
from tests.migrations.test_file_migration import base, do
from tests.migrations.test_storage_changes import PREFIX, change

PAGES, PAGE_KEYS = 25, 200
NAMES = ["a:1", "a:2:x", "a:b:1", "a:b:2:x", "a:b:c:1", "a:z:1", "b:1", "b:2:x"]
PATTERNS = [("a:", ""), ("a:b:", ""), ("a:", ":x"), ("b:", ""), ("a:b:c:", "")]


def answered(operation: Op[Any], answer: Callable[[Call[Any]], object]) -> tuple[Any, int]:
    """Perform an operation without a server. Return its result, and the most memory that it has held, in bytes."""
    tracemalloc.start()
    try:
        reply: Any = None
        while True:
            request: Any = operation.send(reply)
            reply = answer(request)
    except StopIteration as stop:
        return stop.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def pages_of(pages: int, content: str = "") -> Callable[[Call[Any]], object]:
    """Answer a scan with pages of keys, and a read of documents with a document for each key."""

    def answer(request: Call[Any]) -> object:
        words = request.args
        if words[0] == "SCAN":
            page = int(words[1])
            keys = [b"%s%0200d" % (PREFIX.encode(), page * PAGE_KEYS + number) for number in range(PAGE_KEYS)]
            return (page + 1) % pages, keys
        return [
            [b"digest", b"", [b"price", content.encode()]]
            for word in words
            if PREFIX.encode() in bytes_of(word)
        ]

    return answer


def bytes_of(word: object) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


@pytest.mark.parametrize("name", ["count", "check", "check of documents that fail"])
def test_the_memory_of_a_pass_does_not_grow_with_the_number_of_keys(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_changes, "MAX_RECORDS", 50)
    one = change(Storage.HASH).steps.storage[0]
    fails = name.endswith("fail")

    def operation() -> Op[Any]:
        if name == "count":
            return count_keys([one.source], ())
        return check_documents(base(), one)

    _, of_few = answered(operation(), pages_of(3, "many" if fails else "1"))
    found, of_many = answered(operation(), pages_of(PAGES, "many" if fails else "1"))
    total = PAGES * PAGE_KEYS
    if name == "count":
        assert found == total
    else:
        assert (found.documents, found.failed, len(found.failures)) == (total, total * fails, 50 * fails)
    assert of_many < 1.5 * of_few


@pytest.mark.parametrize("excluded", [(), ("a:b:",), ("a:z:", "b:2")])
def test_a_document_of_several_patterns_is_counted_once(
    client: redis.Redis, excluded: tuple[str, ...]
) -> None:
    for name in NAMES:
        client.hset(name, "x", "1")
    client.execute_command("JSON.SET", "a:b:json", "$", "{}")
    everything = {(key, client.type(key)) for key in client.scan_iter()}
    patterns = [KeyPattern(prefix, suffix, storage) for prefix, suffix in PATTERNS for storage in Storage]
    for number in range(1, len(patterns) + 1):
        some = patterns[:number][::-1]
        expected = {
            key
            for key, kind in everything
            if any(
                one.storage.key_type == kind and one.matches(key) and not one.leaves_out(key, excluded)
                for one in some
            )
        }
        assert do(client, count_keys(some, excluded)) == len(expected)
