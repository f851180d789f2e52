"""The corpus is found, loaded exactly, and its checker is heard."""

import json
from pathlib import Path

import pytest
import redis

from tests.support.corpus import MODELS_DIRECTORY, check_corpus, corpus_path, load_corpus
from tests.support.replies import replies, send
from tests.support.snapshot import difference, snapshot

NOW_MILLISECONDS = 4_000_000_000_000

RECORDS = [
    {"key": "shop:a:1", "type": "hash", "value": {"at": "2020-01-01", "name": "é"}, "ttl_ms": 60_000},
    {"key": "shop:b:1", "type": "json", "value": {"z": 1.5, "a": ["'\""]}, "ttl_ms": None},
    {"key": "shop:stats", "type": "string", "value": "12", "ttl_ms": None},
]
INDEXES = [
    {
        "index_name": "shop:a:index",
        "schema": "ON HASH PREFIX 1 shop:a: SCHEMA name TAG",
        "hash_key": "shop:a:index:hash",
        "hash": "5f",
    }
]


@pytest.fixture
def small_corpus(tmp_path: Path) -> Path:
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (tmp_path / "dump.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "indexes.json").write_text(json.dumps(INDEXES), encoding="utf-8")
    return tmp_path


@pytest.fixture
def corpus() -> Path:
    path = corpus_path()
    if path is None:
        pytest.skip("there is no corpus: set REDSTART_CORPUS")
    return path


def test_every_type_is_loaded(client: redis.Redis, small_corpus: Path) -> None:
    assert load_corpus(client, small_corpus, loaded_at_milliseconds=NOW_MILLISECONDS) == 3
    entries = snapshot(client)
    assert entries[b"shop:a:1"].content == {b"at": b"2020-01-01", b"name": "é".encode()}
    assert entries[b"shop:a:1"].expires_at_milliseconds == NOW_MILLISECONDS + 60_000
    assert entries[b"shop:b:1"].content == b"""{"z":1.5,"a":["'\\""]}"""
    assert entries[b"shop:stats"].content == b"12"


def test_two_loads_of_one_moment_are_equal(client: redis.Redis, small_corpus: Path) -> None:
    load_corpus(client, small_corpus, loaded_at_milliseconds=NOW_MILLISECONDS)
    before = snapshot(client)
    client.flushall()
    load_corpus(client, small_corpus, loaded_at_milliseconds=NOW_MILLISECONDS)
    assert difference(before, snapshot(client)) == []
    client.flushall()
    load_corpus(client, small_corpus, loaded_at_milliseconds=NOW_MILLISECONDS + 1)
    assert len(difference(before, snapshot(client))) == 1


def test_indexes_only_if_asked(client: redis.Redis, small_corpus: Path) -> None:
    load_corpus(client, small_corpus)
    assert client.exists("shop:a:index:hash") == 0
    client.flushall()
    load_corpus(client, small_corpus, indexes=True)
    assert client.get("shop:a:index:hash") == b"5f"
    assert replies(client, [("FT._LIST",)])[0] == [b"shop:a:index"]


def test_a_database_in_use_is_refused(client: redis.Redis, small_corpus: Path) -> None:
    client.set("mine", "1")
    with pytest.raises(ValueError, match="holds 1 keys"):
        load_corpus(client, small_corpus)
    assert client.dbsize() == 1


def test_a_named_corpus_must_be_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_corpus: Path
) -> None:
    monkeypatch.setenv("REDSTART_CORPUS", str(small_corpus))
    assert corpus_path() == small_corpus
    monkeypatch.setenv("REDSTART_CORPUS", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        corpus_path()


@pytest.mark.corpus
def test_the_checker_sees_legacy_data_and_a_change(client: redis.Redis, url: str, corpus: Path) -> None:
    assert load_corpus(client, corpus) == 6_003
    counts = check_corpus(url, corpus)["counts"]
    # Right already: 15 numbers, and 7 epoch seconds in hashes, whose text is a number. Nothing was harmed.
    assert counts["exact"] == 15 + 7
    assert counts["unconverted"] > 15_000
    assert all(counts[bad] == 0 for bad in ("wrong", "lost", "collateral", "missing_keys", "ttl_lost"))
    send(client, [("SET", "shop:stats", "13"), ("DEL", "shop:order:SO-00000")])
    counts = check_corpus(url, corpus)["counts"]
    assert (counts["collateral"], counts["missing_keys"]) == (1, 1)


@pytest.mark.corpus
def test_the_models_are_the_corpus_own_but_for_one_import(corpus: Path) -> None:
    theirs = (corpus / "models_1x" / "shop_models.py").read_text(encoding="utf-8")
    ours = (MODELS_DIRECTORY / "shop_models.py").read_text(encoding="utf-8")
    assert ours == theirs.replace("from redis_om import", "from redstart import")
    assert ours != theirs
