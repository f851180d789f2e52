"""A run over many documents: whether its speed and its memory depend on their number, and what a neighbour waits.

    python -m bench.long_run [--hashes 1000000] [--documents 200000] [--indexed] [--plot FILE] [--json]

Hashes, then JSON documents, each on a server of its own, with default options. Rate and CPU time (of client and server
together) are those of each tenth of the documents in each stage; CPU time depends less on what else the machine does.

A neighbour, a process of its own, sends a GET every 2 ms, whether or not the last one is answered in time: a wait
begins when the request was due. It has priority over client and server, if the user may set it.

With --indexed, an index has the dates and another field of each document.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import redis

from bench.conversion import free_port
from bench.documents import HASHES, JSON_DOCUMENTS, PREFIX, WORKLOADS, Workload, load
from bench.measured import Cost, peak_bytes, run_of
from bench.neighbour import SLOW_MICROSECONDS, neighbour
from bench.plots import lines
from redstart.cli.session import tune_garbage_collector
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync

TENTHS = 10
_ALONE_SECONDS = 3
_MARKS = {"initial scan": "initial scan", "converting 1": "conversion", "converting 2": "verification"}


@dataclass(frozen=True, slots=True)
class Sample:
    """The moment at which so many documents of a stage were done."""

    stage: str
    documents: int
    cost: Cost
    client_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """A tenth of the documents in a stage: documents per second, and microseconds of CPU time for each."""

    rate: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a run needed.

    Attributes:
        parts: of each stage.
        peak_bytes: memory of the process of the run, after the first part of the documents, and at its end.
        undo_bytes: of the undo log, for each document.
        waits_ms: of the neighbour: median, 99th percentile, longest; `waits_alone_ms`: the same, before the run.
        longest_ms: the longest command of the server, by its SLOWLOG; 0 below 10 ms.
    """

    workload: str
    documents: int
    seconds: float
    parts: Mapping[str, Sequence[Part]]
    peak_bytes: tuple[int, int]
    undo_bytes: float
    waits_ms: tuple[float, ...]
    waits_alone_ms: tuple[float, ...]
    longest_ms: float


def main(arguments: list[str] | None = None) -> None:
    """Measure both kinds and print what was found."""
    options = _options(arguments)
    found = []
    for workload, documents in ((HASHES, options.hashes), (JSON_DOCUMENTS, options.documents)):
        if documents:
            found.append(measure(workload, documents, indexed=options.indexed))
            if not options.json:
                print(_line(found[-1]), flush=True)
    if options.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    if options.plot:
        options.plot.write_text(_plot(found), encoding="utf-8")


def measure(workload: Workload, documents: int, *, indexed: bool) -> Found:
    """Run over documents of one kind, beside a neighbour."""
    port = free_port()
    logged = ("--slowlog-log-slower-than", str(SLOW_MICROSECONDS), "--slowlog-max-len", "1000")
    with (
        EmbeddedServer(port=port, extra_arguments=logged) as server,
        redis.Redis.from_url(server.url) as client,
        multiprocessing.get_context("spawn").Pool(1) as process,
    ):
        if indexed:
            client.execute_command(*_index(workload))
        load(client, workload, documents)
        with neighbour(port) as alone:
            time.sleep(_ALONE_SECONDS)
        client.slowlog_reset()
        with neighbour(port) as waits:
            seconds, samples = process.apply(run_one, (server.url, workload.name))
        slow = [one["duration"] for one in client.slowlog_get(1_000)]
        undo_bytes = int(client.memory_usage(StateKeys(DATETIME_MIGRATION).journal, samples=0) or 0)
    return Found(
        workload.name,
        documents,
        seconds,
        _parts(samples, documents),
        (samples[0].client_bytes, samples[-1].client_bytes),
        undo_bytes / documents,
        _percentiles(waits.all),
        _percentiles(alone.all),
        max(slow, default=0) / 1_000,
    )


def _percentiles(waits: Sequence[float]) -> tuple[float, ...]:
    """Return the median, the 99th percentile and the longest."""
    ordered = sorted(waits)
    return tuple(ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99, 1.0))


def run_one(url: str, name: str) -> tuple[float, list[Sample]]:
    """Run. Return the seconds that it took, and a sample for each page."""
    tune_garbage_collector()  # as `om` does
    workload = next(one for one in WORKLOADS if one.name == name)
    samples: list[Sample] = []
    with redis.Redis.from_url(url) as client, open_sync(url) as driver:

        def note(progress: Progress) -> None:
            stage = f"{progress.stage} {progress.number}".removesuffix(" 0")
            samples.append(Sample(stage, progress.done, Cost.so_far(client), peak_bytes()))

        began = time.perf_counter()
        driver.run(run_of(workload, Monitor(progress=note)))
        seconds = time.perf_counter() - began
    return seconds, samples


def _parts(samples: Sequence[Sample], documents: int) -> dict[str, list[Part]]:
    parts: dict[str, list[Part]] = {}
    for stage, shown in _MARKS.items():
        of_stage = [one for one in samples if one.stage == stage]
        before = of_stage[0]
        for one in of_stage:
            done = one.documents - before.documents
            if done >= documents // TENTHS:
                cost = one.cost.since(before.cost)
                parts.setdefault(shown, []).append(
                    Part(done / cost.wall, (cost.client + cost.server) / done * 1e6)
                )
                before = one
    return parts


def _index(workload: Workload) -> tuple[Any, ...]:
    if workload is HASHES:
        schema = ("created_at", "TAG", "updated_at", "TAG", "total", "NUMERIC")
        return ("FT.CREATE", "bench:order:index", "ON", "HASH", "PREFIX", 1, PREFIX, "SCHEMA", *schema)
    paths = ("$.status", "AS", "status", "TAG", "$.lines[*].count", "AS", "count", "NUMERIC")
    return ("FT.CREATE", "bench:order:index", "ON", "JSON", "PREFIX", 1, PREFIX, "SCHEMA", *paths)


def _line(found: Found) -> str:
    first, last = (peak / 1e6 for peak in found.peak_bytes)
    stages = "; ".join(
        f"{stage} {min(one.rate for one in parts):,.0f} to {max(one.rate for one in parts):,.0f}/s, "
        f"{min(one.cpu for one in parts):.1f} to {max(one.cpu for one in parts):.1f} us of CPU each"
        for stage, parts in found.parts.items()
    )
    waits, alone = (
        "p50 {:.1f}, p99 {:.1f}, longest {:.1f} ms".format(*one)
        for one in (found.waits_ms, found.waits_alone_ms)
    )
    return (
        f"{found.workload} x {found.documents:,}: {found.seconds:.1f} s, "
        f"{found.documents / found.seconds:,.0f}/s ({stages}); "
        f"client {first:.0f} to {last:.0f} MB; undo log {found.undo_bytes:.0f} bytes a document; "
        f"GET of a neighbour: {waits} (without a run: {alone}); longest command {found.longest_ms:.1f} ms"
    )


def _plot(found: Sequence[Found]) -> str:
    series = {
        f"{one.workload}, {stage}": [
            ((number + 1) * 100 / len(parts), part.cpu) for number, part in enumerate(parts)
        ]
        for one in found
        for stage, parts in one.parts.items()
        if stage != "verification"
    }
    sizes = ", ".join(f"{one.documents:,} {one.workload}" for one in found)
    title = f"CPU time of client and server for each document ({sizes})"
    return lines(title, "% of the documents", "microseconds", series)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.long_run", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--hashes", type=int, default=1_000_000, help="number of hashes (default 1000000)")
    parser.add_argument(
        "--documents", type=int, default=200_000, help="number of JSON documents (default 200000)"
    )
    parser.add_argument("--indexed", action="store_true", help="with an index on the documents")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the CPU times as SVG")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
