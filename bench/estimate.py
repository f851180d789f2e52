"""Compare the time that `stats` predicts with the time of the run.

    python -m bench.estimate [--sizes 5000 20000 60000] [--json]

Hashes and JSON documents, without an index and with one on every date, at some sizes. Prediction and run are
processes of their own, as they are for a user. `unit` is what the constants of
redstart.migrations.data.statistics express: the seconds of the run divided by those of reading all once.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import Random

import redis

from bench.documents import PREFIX, WORKLOADS, Workload, load
from bench.measured import measure_redstart
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.context import Context
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.statistics import statistics
from redstart.migrations.lease_state import this_process
from redstart.server.clients import open_sync
from redstart.values.types import Storage

SIZES = (5_000, 20_000, 60_000)


@dataclass(frozen=True, slots=True)
class Predicted:
    """What `stats` said, and the seconds it says reading everything once takes."""

    low: float
    expected: float
    high: float
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One prediction and one run, in seconds."""

    workload: str
    indexed: bool
    documents: int
    low: float
    expected: float
    high: float
    read_seconds: float
    actual: float

    @property
    def unit(self) -> float:
        """The run in units of reading everything once."""
        return self.actual / self.read_seconds

    @property
    def held(self) -> bool:
        """Whether the run took as long as was predicted."""
        return self.low <= self.actual <= self.high


def predict(url: str, workload: str) -> Predicted:
    """As `om migrate-data stats` does."""
    plan = next(known.plan for known in WORKLOADS if known.name == workload)
    context = Context(DatetimeConversion.of_zone("UTC"), this_process(), "bench", time.monotonic)
    with open_sync(url) as driver:
        found = driver.run(statistics(context, plan, rng=Random(0)))
    return Predicted(*asdict(found.estimate).values(), found.read_seconds)


def measure(workload: Workload, documents: int, *, indexed: bool) -> Row:
    """Load, predict, run."""
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        load(client, workload, documents)
        if indexed:
            _index(client, workload)
        predicted = _in_a_process(predict, server.url, workload.name)
        actual = _in_a_process(measure_redstart, server.url, workload.name, documents).whole.wall
    return Row(workload.name, indexed, documents, **asdict(predicted), actual=actual)


def _index(client: redis.Redis, workload: Workload) -> None:
    """An index as redis-om 0.3.5 made it, the dates as tags; built when this returns."""
    json_documents = workload.plan.models[0].storage is Storage.JSON
    names = ["status", "created_at", "updated_at"]
    fields = [
        word
        for name in names
        for word in ((f"$.{name}", "AS", name, "TAG") if json_documents else (name, "TAG"))
    ]
    if json_documents:
        fields += ["$.shipment.shipped_at", "AS", "shipped_at", "TAG", "$.lines[*].sku", "AS", "sku", "TAG"]
    kind = "JSON" if json_documents else "HASH"
    client.execute_command("FT.CREATE", "bench", "ON", kind, "PREFIX", 1, PREFIX, "SCHEMA", *fields)
    while int(client.ft("bench").info()["indexing"]):
        time.sleep(0.05)


def _in_a_process(function: Callable[..., object], *arguments: object) -> object:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure every combination and print what was found."""
    parser = argparse.ArgumentParser(description="Predicted and actual time of a run.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--json", action="store_true", help="one object per line")
    options = parser.parse_args(arguments)
    rows = [
        measure(workload, documents, indexed=indexed)
        for workload in WORKLOADS
        for indexed in (False, True)
        for documents in options.sizes
    ]
    if not options.json:
        print("workload  index  documents     low  expected    high  actual  held  unit")
    for row in rows:
        if options.json:
            print(json.dumps(asdict(row) | {"unit": row.unit, "held": row.held}))
        else:
            print(
                f"{row.workload:<8}  {'yes' if row.indexed else 'no':<5}  {row.documents:>9,}"
                f"  {row.low:>6.2f}  {row.expected:>8.2f}  {row.high:>6.2f}  {row.actual:>6.2f}"
                f"  {'yes' if row.held else 'NO':<4}  {row.unit:>4.1f}"
            )
    sys.exit(0 if all(row.held for row in rows) else 1)


if __name__ == "__main__":
    main()
