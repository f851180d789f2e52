"""Compare a migration file that renames a field with the conversion of dates: the same server, one run.

    python -m bench.file_migration [--documents 200000] [--repeats 3] [--json]

Both are whole runs on hashes of the same size: initial scan, converting pass, verifying pass. Each measurement is a
process of its own, so that its peak memory is its own. They take turns.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
import uuid

import redis

from bench.conversion import free_port
from bench.documents import WORKLOADS, load
from bench.measured import Cost, Measurement, measure_redstart, peak_bytes
from redstart.cli.session import tune_garbage_collector
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease_state import this_process
from redstart.migrations.operations.state import ProjectState
from redstart.operations import Field, Model, RenameField, Storage
from redstart.server.clients import open_sync

PREFIX = "bench:renamed:"
DATES = next(workload for workload in WORKLOADS if workload.name == "hash")
_BATCH = 10_000


def main(arguments: list[str] | None = None) -> None:
    """Measure both, and print the ratio of their rates."""
    options = _options(arguments)
    dates, renames = [], []
    with EmbeddedServer(port=free_port()) as server:
        for number in range(options.repeats):
            dates.append(_measured(server.url, options.documents, renames=False))
            renames.append(_measured(server.url, options.documents, renames=True))
            print(f"{number + 1}/{options.repeats}", file=sys.stderr)
    rates = {
        name: options.documents / statistics.median(one.whole.wall for one in found)
        for name, found in (("dates", dates), ("rename", renames))
    }
    cpu = {
        name: statistics.median(one.whole.client + one.whole.server for one in found)
        * 1e6
        / options.documents
        for name, found in (("dates", dates), ("rename", renames))
    }
    report = {
        "documents": options.documents,
        "dates_rate": rates["dates"],
        "rename_rate": rates["rename"],
        "ratio": rates["rename"] / rates["dates"],
        "cpu_microseconds": cpu,
        "cpu_ratio": cpu["dates"] / cpu["rename"],
        "rename_peak_bytes": max(one.peak_bytes for one in renames),
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{options.documents:,} hashes, documents per second, medians of whole runs")
    print(
        f"conversion of dates {rates['dates']:,.0f}, rename {rates['rename']:,.0f}, ratio {report['ratio']:.2f}"
    )
    print(
        f"CPU of client and server, us a document: conversion of dates {cpu['dates']:.1f}, "
        f"rename {cpu['rename']:.1f}, ratio {report['cpu_ratio']:.2f}"
    )
    print(f"memory of the rename: {report['rename_peak_bytes'] / 1e6:.0f} MB")


def _measured(url: str, documents: int, *, renames: bool) -> Measurement:
    with redis.Redis.from_url(url) as client:
        client.flushall(asynchronous=False)
        if renames:
            _load_named(client, documents)
        else:
            load(client, DATES, documents)
    with multiprocessing.get_context("spawn").Pool(1) as process:
        if renames:
            return process.apply(measure_rename, (url, documents))
        return process.apply(measure_redstart, (url, DATES.name, documents))


def _load_named(client: redis.Redis, documents: int) -> None:
    for start in range(0, documents, _BATCH):
        with client.pipeline(transaction=False) as pipeline:
            for number in range(start, min(start + _BATCH, documents)):
                fields = {"pk": str(number), "name": f"name {number}", "price": str(number), "kind": "order"}
                pipeline.hset(f"{PREFIX}{number}", mapping=fields)
            pipeline.execute()


def measure_rename(url: str, documents: int) -> Measurement:
    """Run a file with one RenameField."""
    tune_garbage_collector()  # as `om` does
    model = Model("bench.Order", key_prefix=PREFIX, storage=Storage.HASH, fields=[Field("name", "str")])
    operations = [RenameField("bench.Order", "name", "title")]
    file = MigrationFile("20261130_120000_rename", "rename.py", "0" * 64, "Rename", Migration((), operations))
    migration = FileMigration.of(file, ProjectState().with_model(model))
    token, holder = uuid.uuid4().hex, this_process()
    context = Context(DatetimeConversion.of_zone("UTC"), holder, token, time.monotonic, Monitor())
    indexes = IndexMigration(holder, token, time.monotonic, Monitor())
    with redis.Redis.from_url(url) as client, open_sync(url) as driver:
        began = Cost.so_far(client)
        result = driver.run(migration.run(context, RunOptions(), indexes, ExpansionOptions()))
        cost = Cost.so_far(client).since(began)
    assert result.data is not None
    assert result.data.converted == documents
    return Measurement(cost, cost, peak_bytes(), 0)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.file_migration", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=200_000, help="of each kind (default 200000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
