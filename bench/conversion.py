"""Compare Redstart's conversion with a one-by-one loop: the same documents, one server, one run.

    python -m bench.conversion [--documents 50000] [--repeats 3] [--json]

The loop works like a short script, and like redis-om's own migration: redis-py with hiredis, one connection, SCAN,
then a read and a write for each document. It only converts. A Redstart run has an initial scan, a pass that converts,
and a pass that verifies; the converting pass writes the undo log, saves checkpoints, and compares before it writes.
Both figures of Redstart are printed: of the converting pass alone, which does the work of the loop, and of the whole
run.

The loop waits for two answers per document, so its rate is that of the round trips of one machine at one moment:
other work that keeps the processors awake makes it up to twice as fast. Redstart works at the same time as the
server, needs two processors for that, and gets slower when others use them. Compare rates of an idle machine.

Each measurement is a process of its own, so that its peak memory is its own. They take turns.
"""

import argparse
import json
import multiprocessing
import socket
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import redis

from bench.documents import WORKLOADS, Workload, load
from bench.measured import Measurement, measure_loop, measure_redstart
from redstart.devserver.process import EmbeddedServer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of some repeats. Rates are in documents per second."""

    workload: str
    documents: int
    loop_rate: float
    convert_rate: float
    whole_rate: float
    loop_peak_bytes: int
    redstart_peak_bytes: int
    journal_bytes_per_document: float
    server_microseconds_per_document: float

    @property
    def convert_ratio(self) -> float:
        """How many times the loop's rate the convert pass reaches."""
        return self.convert_rate / self.loop_rate

    @property
    def whole_ratio(self) -> float:
        """How many times the loop's rate the whole run reaches."""
        return self.whole_rate / self.loop_rate


def main(arguments: list[str] | None = None) -> None:
    """Measure every workload and print what was found."""
    options = _options(arguments)
    found = []
    with EmbeddedServer(port=free_port()) as server:  # TCP, as an application has it
        for workload in WORKLOADS:
            if options.only in (None, workload.name):
                found.append(compare(server.url, workload, options.documents, options.repeats))
    if options.json:
        print(json.dumps([_as_json(comparison) for comparison in found], indent=2))
    else:
        print("\n".join(_table(found)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compare(url: str, workload: Workload, documents: int, repeats: int) -> Comparison:
    """Measure one workload, the loop and Redstart taking turns on the same server."""
    loops, runs = [], []
    for number in range(repeats):
        loops.append(_measured(measure_loop, url, workload, documents))
        runs.append(_measured(measure_redstart, url, workload, documents))
        print(
            f"{workload.name} {number + 1}/{repeats}: loop {documents / loops[-1].convert_seconds:,.0f}/s, "
            f"convert pass {documents / runs[-1].convert_seconds:,.0f}/s",
            file=sys.stderr,
        )
    return Comparison(
        workload=workload.name,
        documents=documents,
        loop_rate=documents / _median(loop.convert_seconds for loop in loops),
        convert_rate=documents / _median(run.convert_seconds for run in runs),
        whole_rate=documents / _median(run.whole_seconds for run in runs),
        loop_peak_bytes=int(_median(loop.peak_bytes for loop in loops)),
        redstart_peak_bytes=int(_median(run.peak_bytes for run in runs)),
        journal_bytes_per_document=_median(run.journal_bytes for run in runs) / documents,
        server_microseconds_per_document=_median(run.server_cpu_seconds for run in runs) / documents * 1e6,
    )


def _measured(
    measure: Callable[[str, str, int], Measurement], url: str, workload: Workload, documents: int
) -> Measurement:
    """Load the documents afresh, then measure in a new process."""
    with redis.Redis.from_url(url) as client:
        client.flushall(asynchronous=False)
        load(client, workload, documents)
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, (url, workload.name, documents))


def _median(numbers: Iterable[float]) -> float:
    return statistics.median(numbers)


def _as_json(comparison: Comparison) -> dict[str, object]:
    return {
        **asdict(comparison),
        "convert_ratio": comparison.convert_ratio,
        "whole_ratio": comparison.whole_ratio,
    }


def _table(found: list[Comparison]) -> list[str]:
    lines = ["documents per second, medians", ""]
    names = ("", "documents", "one by one", "convert pass", "ratio", "whole run", "ratio")
    lines.append("".join(f"{name:>14}" for name in names))
    for item in found:
        cells = (
            item.workload,
            f"{item.documents:,}",
            f"{item.loop_rate:,.0f}",
            f"{item.convert_rate:,.0f}",
            f"{item.convert_ratio:.1f}",
            f"{item.whole_rate:,.0f}",
            f"{item.whole_ratio:.1f}",
        )
        lines.append("".join(f"{cell:>14}" for cell in cells))
    lines += [
        "",
        "The whole run is census, convert pass and verifying pass. Memory is the client's peak.",
        "",
    ]
    for item in found:
        lines.append(
            f"{item.workload}: {item.redstart_peak_bytes / 1e6:.0f} MB "
            f"(one by one {item.loop_peak_bytes / 1e6:.0f} MB), "
            f"undo log {item.journal_bytes_per_document:.0f} bytes a document, "
            f"server {item.server_microseconds_per_document:.1f} us a document in the whole run"
        )
    return lines


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.conversion", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=50_000, help="of each kind (default 50000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--only", choices=[workload.name for workload in WORKLOADS], help="one kind alone")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
