"""The documents that are converted, and how hand-written programs convert one of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.values.types import Storage, TemporalKind

Client: TypeAlias = Any
"""A redis.Redis, whose commands redis-py types for sync and async together, or not at all."""

BATCH_DOCUMENTS = 1_000
PREFIX = "bench:order:"


@dataclass(frozen=True, slots=True)
class Workload:
    """Documents of one kind.

    Attributes:
        write: the command that stores the document of a number.
        read: the command with which a hand-written program reads the document of a key.
        converted: the command that stores the converted document, from its key and the reply.
    """

    name: str
    plan: Plan
    write: Callable[[int], tuple[Any, ...]]
    read: Callable[[bytes], tuple[Any, ...]]
    converted: Callable[[bytes, Any], tuple[Any, ...]]


def load(client: Client, workload: Workload, documents: int) -> None:
    """Store the documents numbered from 0."""
    for start in range(0, documents, BATCH_DOCUMENTS):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, min(documents, start + BATCH_DOCUMENTS)):
            pipeline.execute_command(*workload.write(number))
        pipeline.execute()


def _moment(number: int, salt: int) -> str:
    """Naive text, as redis-om 0.3.5 stores `datetime.now()`; microseconds as clocks give them."""
    microseconds = (number * 7_919 + salt) * 104_729_001 % 100_000_000_000_000
    return (datetime(2020, 1, 1) + timedelta(microseconds=microseconds)).isoformat()


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _key(number: int) -> str:
    return f"{PREFIX}01HF{number:022d}"


def _write_hash(number: int) -> tuple[Any, ...]:
    fields = ("pk", f"01HF{number:022d}", "status", "paid", "total", number % 977)
    moments = ("created_at", _moment(number, 1), "updated_at", _moment(number, 2))
    return ("HSET", _key(number), *fields, *moments)


def _read_hash(key: bytes) -> tuple[Any, ...]:
    return ("HMGET", key, "created_at", "updated_at")


def _converted_hash(key: bytes, values: Any) -> tuple[Any, ...]:
    created_at, updated_at = (_seconds(value.decode()) for value in values)
    return ("HSET", key, "created_at", created_at, "updated_at", updated_at)


def _write_json(number: int) -> tuple[Any, ...]:
    lines = [
        {"sku": f"S-{item}", "count": item + 1, "added_at": _moment(number, 3 + item)} for item in range(2)
    ]
    document = {
        "pk": f"01HF{number:022d}",
        "status": "paid",
        "created_at": _moment(number, 1),
        "updated_at": _moment(number, 2),
        "shipment": {"carrier": "post", "shipped_at": _moment(number, 5)},
        "lines": lines,
    }
    return ("JSON.SET", _key(number), "$", json.dumps(document))


def _read_json(key: bytes) -> tuple[Any, ...]:
    return ("JSON.GET", key)


def _converted_json(key: bytes, text: Any) -> tuple[Any, ...]:
    document = json.loads(text)
    for owner, name in (
        (document, "created_at"),
        (document, "updated_at"),
        (document["shipment"], "shipped_at"),
        *((line, "added_at") for line in document["lines"]),
    ):
        owner[name] = _seconds(owner[name])
    return ("JSON.SET", key, "$", json.dumps(document))


def _plan(storage: Storage, *paths: tuple[str | Each, ...]) -> Plan:
    planned = tuple(ValuePath(path, TemporalKind.DATETIME, optional=False) for path in paths)
    return Plan(
        (PlannedModel("bench.Order", PREFIX, "", storage, planned),),
        DatetimeConversion.of_zone("UTC").settings,
    )


HASHES = Workload(
    "hash",
    _plan(Storage.HASH, ("created_at",), ("updated_at",)),
    _write_hash,
    _read_hash,
    _converted_hash,
)
JSON_DOCUMENTS = Workload(
    "json",
    _plan(
        Storage.JSON,
        ("created_at",),
        ("updated_at",),
        ("shipment", "shipped_at"),
        ("lines", Each.ITEM, "added_at"),
    ),
    _write_json,
    _read_json,
    _converted_json,
)
WORKLOADS = (HASHES, JSON_DOCUMENTS)
"""Hashes with two datetimes each; JSON documents with five, two of them in a list. No index."""
