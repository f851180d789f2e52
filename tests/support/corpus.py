"""The corpus, which is not part of this project: documents that redis-om 0.3.5 wrote, with a checker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import redis

from tests.support.replies import Command, replies, send

REPOSITORY = Path(__file__).parents[2]
MODELS_DIRECTORY = REPOSITORY / "tests" / "corpus_models"
"""To be put on PYTHONPATH: a key prefix of the corpus names the top-level module `shop_models`."""

BATCH_KEYS = 1_000


def corpus_path() -> Path | None:
    """Where the corpus is: $REDSTART_CORPUS, else `shared/corpus-shop` next to this repository; None: nowhere.

    Raises:
        FileNotFoundError: REDSTART_CORPUS names a directory without a corpus.
    """
    named = os.environ.get("REDSTART_CORPUS")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "corpus-shop"
    if (path / "dump.jsonl").is_file():
        return path
    if named:
        raise FileNotFoundError(f"REDSTART_CORPUS={named}: there is no dump.jsonl in it")
    return None


def load_corpus(
    client: redis.Redis,
    path: Path | None = None,
    *,
    loaded_at_milliseconds: int | None = None,
    indexes: bool = False,
    every: int = 1,
) -> int:
    """Write the corpus into an empty database. Returns the number of keys written.

    Args:
        client: of an empty database.
        path: the corpus; by default the one that `corpus_path` finds.
        loaded_at_milliseconds: since 1970: the moment from which times to live count, so that two
            loads are equal to the millisecond; by default the server's now.
        indexes: also make the indexes, as redis-om 0.3.5 made them, with the key it kept for each.
        every: which share of the keys to write: all, every second one ...

    Raises:
        ValueError: the database is not empty.
        FileNotFoundError: there is no corpus.
    """
    path = path or corpus_path()
    if path is None:
        raise FileNotFoundError("there is no corpus: set REDSTART_CORPUS")
    size, (seconds, microseconds) = replies(client, [("DBSIZE",), ("TIME",)])
    if size:
        raise ValueError(f"the database holds {size} keys already")
    if loaded_at_milliseconds is None:
        loaded_at_milliseconds = int(seconds) * 1_000 + int(microseconds) // 1_000
    records = _records(path / "dump.jsonl")[::every]
    for start in range(0, len(records), BATCH_KEYS):
        commands: list[Command] = []
        for record in records[start : start + BATCH_KEYS]:
            commands += _write_commands(record, loaded_at_milliseconds)
        send(client, commands)
    if indexes:
        send(client, list(_index_commands(path)))
    return len(records)


def check_corpus(url: str, path: Path | None = None) -> dict[str, Any]:
    """Return the report of the corpus' own checker on a server, as JSON (`counts`, `exact_share`, ...).

    Args:
        url: of the server, as `redis://...` or `unix://...`.
        path: the corpus; by default the one that `corpus_path` finds.

    Raises:
        FileNotFoundError: there is no corpus.
        subprocess.CalledProcessError: the checker failed; its own message is on stderr.
    """
    path = path or corpus_path()
    if path is None:
        raise FileNotFoundError("there is no corpus: set REDSTART_CORPUS")
    command = [sys.executable, str(path / "check.py"), url, "--json"]
    report: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return report


@cache
def _records(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _write_commands(record: dict[str, Any], loaded_at_milliseconds: int) -> Iterator[Command]:
    key, value = record["key"], record["value"]
    match record["type"]:
        case "hash":
            yield ("HSET", key, *(part for pair in value.items() for part in pair))
        case "json":
            yield ("JSON.SET", key, "$", json.dumps(value))
        case "string":
            yield ("SET", key, value)
        case other:
            raise ValueError(f"{key}: the corpus holds a {other}, which is not loaded yet")
    if record["ttl_ms"]:
        yield ("PEXPIREAT", key, loaded_at_milliseconds + record["ttl_ms"])


def _index_commands(path: Path) -> Iterator[Command]:
    for index in json.loads((path / "indexes.json").read_text(encoding="utf-8")):
        yield ("FT.CREATE", index["index_name"], *index["schema"].split())
        yield ("SET", index["hash_key"], index["hash"])
