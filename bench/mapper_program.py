"""Measure one library in a separate process: `python mapper_program.py LIBRARY URL DOCUMENTS`.

LIBRARY is redstart, redis_om, or plain: redis-py and pydantic by hand, as written without a mapper. Prints a
JSON object: for each measure seconds of wall time and of this process' CPU. Imports only that library, because it
also runs where only redis-om is installed. `import LIBRARY` in place of a URL measures that alone.
"""

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

UTC = timezone.utc  # noqa: UP017 - as in programs for older Pythons
SINGLE = 1_000
CONSTRUCTED = 3_000
FOUND = 2_000
REPEATED = 3


def values(number: int) -> "dict[str, Any]":
    """The fields of one document."""
    return {
        "name": f"Customer {number}",
        "email": f"c{number}@example.org",
        "age": number % 90,
        "score": number / 8,
        "active": bool(number % 2),
        "joined_at": datetime(2023, 1, 1 + number % 28, tzinfo=UTC),
        "note": None,
    }


def timed(work: "Callable[[], Any]", times: int = 1) -> "tuple[float, float]":
    """Seconds of wall time and of CPU, each the least of some times."""
    walls, cpus = [], []
    for _ in range(times):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


class Mapper:
    """The documents as a mapper's models; both have the same API, but for reading many by their keys."""

    def __init__(self, library: str) -> None:
        om = importlib.import_module(library)

        class Customer(om.HashModel, index=True):
            name: str = om.Field(index=True)
            email: str = om.Field(index=True)
            age: int = om.Field(index=True, sortable=True)
            score: float
            active: bool
            joined_at: datetime = om.Field(index=True)
            note: "str | None" = None

            class Meta:
                global_key_prefix = "bench"
                model_key_prefix = library

        self.model: Any = Customer
        self.migrate: Callable[[], Any] = om.Migrator().run

    def make(self, fields: "dict[str, Any]") -> Any:
        return self.model(**fields)

    def save(self, document: Any) -> None:
        document.save()

    def get(self, key: str) -> Any:
        return self.model.get(key)

    def add(self, documents: "list[Any]") -> None:
        self.model.add(documents)

    def find(self, below: int) -> "list[Any]":
        found: list[Any] = self.model.find(self.model.age < below).all()
        return found

    def get_many(self, keys: "list[str]") -> "list[Any]":
        if hasattr(self.model, "get_many"):
            found: list[Any] = self.model.get_many(keys)
            return found
        return [self.model.get(key) for key in keys]


class Plain:
    """redis-py and pydantic, without a mapper and without what it does for one."""

    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - what is measured in the other processes must not be loaded there
        from pydantic import BaseModel  # noqa: PLC0415 - as above
        from ulid import ULID  # noqa: PLC0415 - as above

        class Customer(BaseModel):
            pk: str
            name: str
            email: str
            age: int
            score: float
            active: bool
            joined_at: datetime
            note: "str | None" = None

        self.model = Customer
        self.client = redis.Redis.from_url(url, decode_responses=True)
        self._new_key = ULID

    def make(self, fields: "dict[str, Any]") -> Any:
        return self.model(pk=str(self._new_key()), **fields)

    def migrate(self) -> None:
        """Make the index that the mappers have, so that the server does the same work."""
        schema = ["name", "TAG", "email", "TAG", "age", "NUMERIC", "SORTABLE", "joined_at", "NUMERIC"]
        self.client.execute_command(
            "FT.CREATE", "bench:plain", "ON", "HASH", "PREFIX", 1, "bench:plain:", "SCHEMA", *schema
        )

    def find(self, below: int) -> "list[Any]":
        reply = self.client.execute_command(
            "FT.SEARCH", "bench:plain", f"@age:[-inf ({below}]", "LIMIT", 0, 2 * FOUND, "DIALECT", 2
        )
        if isinstance(reply, dict):  # RESP3
            return [self.model.model_validate(one["extra_attributes"]) for one in reply["results"]]
        return [
            self.model.model_validate(dict(zip(fields[::2], fields[1::2], strict=True)))
            for fields in reply[2::2]
        ]

    def _stored(self, document: Any) -> "dict[str, Any]":
        fields: dict[str, Any] = document.model_dump(exclude_none=True)
        fields["active"] = int(fields["active"])
        fields["joined_at"] = fields["joined_at"].timestamp()
        return fields

    def save(self, document: Any) -> None:
        self.client.hset(f"bench:plain:{document.pk}", mapping=self._stored(document))

    def get(self, key: str) -> Any:
        return self.model.model_validate(self.client.hgetall(f"bench:plain:{key}"))

    def add(self, documents: "list[Any]") -> None:
        for start in range(0, len(documents), 500):
            pipeline = self.client.pipeline(transaction=False)
            for document in documents[start : start + 500]:
                pipeline.hset(f"bench:plain:{document.pk}", mapping=self._stored(document))
            pipeline.execute()

    def get_many(self, keys: "list[str]") -> "list[Any]":
        found: list[Any] = []
        for start in range(0, len(keys), 500):
            pipeline = self.client.pipeline(transaction=False)
            for key in keys[start : start + 500]:
                pipeline.hgetall(f"bench:plain:{key}")
            found += map(self.model.model_validate, pipeline.execute())
        return found


def measured(library: str, url: str, documents: int) -> "dict[str, tuple[float, float]]":
    """All measures of one library. The documents are gone afterwards."""
    mapper: Any = Plain(url) if library == "plain" else Mapper(library)
    mapper.migrate()
    one = mapper.make(values(1))
    mapper.save(one)
    mapper.get(one.pk)
    given = [values(number) for number in range(CONSTRUCTED)]
    found = {
        "construct": timed(lambda: [mapper.make(fields) for fields in given], REPEATED),
        "save": timed(lambda: [mapper.save(one) for _ in range(SINGLE)], REPEATED),
        "get": timed(lambda: [mapper.get(one.pk) for _ in range(SINGLE)], REPEATED),
    }
    many = [mapper.make(values(number)) for number in range(documents)]
    keys = [document.pk for document in many]
    found["add"] = timed(lambda: mapper.add(many))
    read: list[Any] = []

    def keep(documents: "list[Any]") -> None:
        read[:] = documents

    found["get_many"] = timed(lambda: keep(mapper.get_many(keys)))
    require([document.pk for document in read] == keys, "get_many")
    found["find"] = timed(lambda: keep(mapper.find(90 * FOUND // documents)), REPEATED)
    require(abs(len(read) - FOUND) <= FOUND // 10, "find")
    return found


def import_and_declare(library: str) -> None:
    """Import a library and declare one model with it."""
    body = {"__annotations__": {"name": str}, "__module__": __name__}
    if library == "plain":
        importlib.import_module("redis")
        type("Customer", (importlib.import_module("pydantic").BaseModel,), body)
    else:
        type("Customer", (importlib.import_module(library).HashModel,), body)


def require(is_right: bool, what: str) -> None:
    """A measure of work that was not done is none."""
    if not is_right:
        raise SystemExit(f"{what} did not give the documents that were asked for: no measurement")


def main() -> None:
    """Measure, and print it."""
    library, url, documents = sys.argv[1:]
    if url == "import":
        print(json.dumps({"import": timed(lambda: import_and_declare(library))}))
        return
    os.environ["REDIS_OM_URL"] = url
    print(json.dumps(measured(library, url, int(documents))))


if __name__ == "__main__":
    main()
