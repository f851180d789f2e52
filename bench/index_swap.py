"""Changing an index under queries: dropped and created in place, beside built, proven and swapped.

    python -m bench.index_swap [--documents 100000] [--repeats 3] [--only hash|json] [--json]

The change is the same for both: one more field is indexed, the documents stay as they are. In place is what
redis-om 1.2.0's Migrator does, command by command. A reader in a process of its own counts all documents every
few milliseconds. An answer that is too low, or an error, lasts until the next answer that is whole.

Both take turns on the same server and the same documents.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import redis

from bench.conversion import free_port
from bench.documents import PREFIX, WORKLOADS, Workload, load
from bench.gaps import Change, median, watched
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.context import Monitor
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.migrator import IndexMigration, none_converted
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import estimate_builds
from redstart.migrations.indexes.state import hash_key, schema_key
from redstart.migrations.lease_state import this_process
from redstart.search.index_info import read_info
from redstart.search.schema import FieldKind, Index, IndexField, create_arguments, schema_hash, schema_text
from redstart.server.clients import open_sync
from redstart.values.types import Storage

NAME = "bench:order:index"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of each, and the memory of the second index: as estimated, and as the server's memory grew."""

    workload: str
    documents: int
    in_place: Change
    beside: Change
    forecast_bytes: int
    measured_bytes: int


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    found = []
    with EmbeddedServer(port=free_port()) as server:  # TCP, as an application has it
        for workload in WORKLOADS:
            if options.only in (None, workload.name):
                found.append(compare(server.url, workload, options.documents, options.repeats))
    if options.json:
        print(json.dumps([asdict(comparison) for comparison in found], indent=2))
    else:
        print("\n".join(_table(found)))


def compare(url: str, workload: Workload, documents: int, repeats: int) -> Comparison:
    """Measure one kind of documents, both ways taking turns."""
    planned = planned_index(workload)
    in_place, beside = [], []
    with redis.Redis.from_url(url, protocol=2) as client:
        client.flushall(asynchronous=False)
        load(client, workload, documents)
        begin(client, planned, documents)
        forecast_bytes, measured_bytes = memory(url, client, planned, documents)
        for number in range(repeats):
            begin(client, planned, documents)
            in_place.append(
                watched(url, NAME, documents, partial(drop_and_create, client, planned, documents))
            )
            begin(client, planned, documents)
            beside.append(
                watched(url, NAME, documents, partial(build_and_swap, url, client, planned, documents))
            )
            print(
                f"{workload.name} {number + 1}/{repeats}: in place {in_place[-1].missing_seconds:.2f} s missing, "
                f"beside {beside[-1].missing_seconds:.2f} s",
                file=sys.stderr,
            )
        _drop_all(client)
    return Comparison(
        workload.name, documents, median(in_place), median(beside), forecast_bytes, measured_bytes
    )


def planned_index(workload: Workload) -> PlannedIndex:
    """The index that is to be: the old one, and one more field. None of them is a date."""
    storage = workload.plan.models[0].storage
    path = "$.{}" if storage is Storage.JSON else "{}"

    def field(name: str, kind: FieldKind, *, sortable: bool = False) -> IndexField:
        separator = "|" if kind is FieldKind.TAG else None
        attribute = name.replace(".", "_")
        return IndexField(path.format(name), attribute, kind, separator, sortable=sortable)

    old = (field("pk", FieldKind.TAG), field("status", FieldKind.TAG))
    if storage is Storage.JSON:
        new = field("shipment.carrier", FieldKind.TAG)
    else:
        new = field("total", FieldKind.NUMERIC, sortable=True)
    before = Index(NAME, storage, (PREFIX,), old)
    after = replace(before, fields=(*old, new))
    return PlannedIndex("bench.Order", PREFIX, after, before, frozenset(), schema_text(after))


def begin(client: Any, planned: PlannedIndex, documents: int) -> None:
    """The old index alone, complete, with redis-om's keys beside it."""
    _drop_all(client)
    for key in client.scan_iter("redstart:*", 1_000):
        client.delete(key)
    client.execute_command("FT.CREATE", *create_arguments(planned.old))
    text = schema_text(planned.old)
    client.mset({hash_key(NAME): schema_hash(text), schema_key(NAME): text})
    _wait_until_whole(client, NAME, documents)


def drop_and_create(client: Any, planned: PlannedIndex, documents: int) -> None:
    """What redis-om 1.2.0's Migrator sends; then wait until the index is whole, for which that does not wait."""
    client.execute_command("FT.INFO", NAME)
    if client.get(hash_key(NAME)).decode() != planned.schema_hash:
        client.execute_command("FT.DROPINDEX", NAME)
        try:
            client.execute_command("FT.INFO", NAME)
        except redis.ResponseError:
            client.execute_command("FT.CREATE", *create_arguments(planned.index))
            client.set(hash_key(NAME), planned.schema_hash)
            client.set(schema_key(NAME), planned.schema)
    _wait_until_whole(client, NAME, documents)


def build_and_swap(url: str, client: Any, planned: PlannedIndex, documents: int) -> None:
    """What `om migrate run` does."""
    migration = IndexMigration(this_process(), f"bench {time.time_ns()}", time.monotonic, Monitor())
    with open_sync(url) as driver:
        (result,) = driver.run(migration.run([planned], none_converted, ExpansionOptions()))
    if result.outcome is not IndexOutcome.CUT_OVER:
        raise SystemExit(f"the index was not cut over but {result.outcome}: no measurement")
    _wait_until_whole(client, NAME, documents)


def memory(url: str, client: Any, planned: PlannedIndex, documents: int) -> tuple[int, int]:
    """Bytes of the second index: as `om migrate run` estimates them, and as the server's memory grows by it."""
    with open_sync(url) as driver:
        (expected,) = driver.run(estimate_builds([planned]))
    before = int(client.info("memory")["used_memory"])
    client.execute_command("FT.CREATE", *create_arguments(planned.index, name=f"{NAME}:second"))
    _wait_until_whole(client, f"{NAME}:second", documents)
    return int(expected.megabytes * 1e6), int(client.info("memory")["used_memory"]) - before


def _wait_until_whole(client: Any, name: str, documents: int) -> None:
    while True:
        info = read_info(client.execute_command("FT.INFO", name))
        if not info.indexing:
            break
        time.sleep(0.002)
    if info.documents != documents:
        raise SystemExit(f"{name} holds {info.documents} documents of {documents}: no measurement")


def _drop_all(client: Any) -> None:
    for name in client.execute_command("FT._LIST"):
        client.execute_command("FT.DROPINDEX", name)


def _table(found: list[Comparison]) -> list[str]:
    names = ("", "documents", "", "missing", "least found", "whole after", "longest wait", "looks")
    lines = ["medians; `least found` of all repeats, -1 is an error", ""]
    lines.append("".join(f"{name:>13}" for name in names))
    for item in found:
        for way, change in (("in place", item.in_place), ("beside", item.beside)):
            cells = (
                item.workload,
                f"{item.documents:,}",
                way,
                f"{change.missing_seconds:.2f} s",
                f"{change.lowest:,}",
                f"{change.seconds:.2f} s",
                f"{change.longest_wait_seconds * 1000:.0f} ms",
                f"{change.looks:,}",
            )
            lines.append("".join(f"{cell:>13}" for cell in cells))
    lines.append("")
    for item in found:
        lines.append(
            f"{item.workload}: the second index, estimated {item.forecast_bytes / 1e6:.1f} MB, "
            f"measured {item.measured_bytes / 1e6:.1f} MB"
        )
    return lines


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.index_swap", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=100_000, help="of each kind (default 100000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each way (default 3)")
    parser.add_argument("--only", choices=[workload.name for workload in WORKLOADS], help="one kind alone")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
