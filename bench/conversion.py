"""Compare Redstart's conversion with hand-written programs: the same documents, one server, one run.

    python -m bench.conversion [--documents 50000] [--repeats 3] [--only json] [--without-loop] [--plot FILE] [--json]

There are two programs, both with redis-py, hiredis and one connection. `loop` works like a short script, and like
redis-om's own migration: SCAN, then a read and a write for each document. `pipeline` reads a page of documents with
one pipeline, and writes it with another: the fastest that redis-py can do in a few lines, and without any safety. A
document that another client changes between read and write loses that change; nothing can be undone or resumed.

The programs only convert. A Redstart run has an initial scan, a pass that converts, and a pass that verifies; the
converting pass writes the undo log, saves checkpoints, and compares before it writes. Both figures of Redstart are
given: those of the converting pass alone, which does the work of the programs, and those of the whole run.

Wall time depends on what else the machine does, and so does the ratio: Redstart works at the same time as the server,
and needs two processors for that. CPU seconds of client and server are steadier; their sum is what a machine with one
processor would need. Compare wall time of an idle machine only.

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
from pathlib import Path

import redis

from bench.documents import WORKLOADS, Workload, load
from bench.measured import Cost, Measurement, measure_loop, measure_pipeline, measure_redstart
from bench.plots import bars
from redstart.devserver.process import EmbeddedServer


@dataclass(frozen=True, slots=True)
class Rate:
    """Medians of some repeats.

    Attributes:
        rate: documents per second.
        client, server: microseconds of CPU time a document.
    """

    rate: float
    client: float
    server: float

    @classmethod
    def of(cls, costs: Iterable[Cost], documents: int) -> "Rate":
        """Return the medians of some costs of the same work."""
        found = list(costs)
        return cls(
            documents / statistics.median(cost.wall for cost in found),
            statistics.median(cost.client for cost in found) / documents * 1e6,
            statistics.median(cost.server for cost in found) / documents * 1e6,
        )

    @property
    def cpu(self) -> float:
        """Microseconds of CPU time a document, of client and server together."""
        return self.client + self.server


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rates of all programs on one kind of documents."""

    workload: str
    documents: int
    rates: dict[str, Rate]
    peak_bytes: dict[str, int]
    journal_bytes_per_document: float

    def ratios(self, program: str) -> dict[str, float]:
        """Return how many times the speed of the pipeline a program has: in wall time, and in CPU time."""
        one, pipeline = self.rates[program], self.rates["pipeline"]
        return {"wall": one.rate / pipeline.rate, "cpu": pipeline.cpu / one.cpu}


def main(arguments: list[str] | None = None) -> None:
    """Measure every workload and print what was found."""
    options = _options(arguments)
    found = []
    with EmbeddedServer(port=free_port()) as server:  # TCP, as an application has it
        for workload in WORKLOADS:
            if options.only in (None, workload.name):
                found.append(compare(server.url, workload, options))
    if options.json:
        print(json.dumps([_as_json(comparison) for comparison in found], indent=2))
    else:
        print("\n".join(_table(found)))
    if options.plot:
        options.plot.write_text(_plot(found), encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compare(url: str, workload: Workload, options: argparse.Namespace) -> Comparison:
    """Measure one workload; the programs take turns on the same server."""
    documents = options.documents
    programs = {"loop": measure_loop, "pipeline": measure_pipeline, "redstart": measure_redstart}
    if options.without_loop:
        del programs["loop"]
    found: dict[str, list[Measurement]] = {name: [] for name in programs}
    for number in range(options.repeats):
        for name, measure in programs.items():
            found[name].append(_measured(measure, url, workload, documents))
        shown = (f"{name} {documents / runs[-1].convert.wall:,.0f}/s" for name, runs in found.items())
        print(f"{workload.name} {number + 1}/{options.repeats}: {', '.join(shown)}", file=sys.stderr)
    runs = found.pop("redstart")
    rates = {name: Rate.of((one.whole for one in each), documents) for name, each in found.items()}
    rates["convert pass"] = Rate.of((run.convert for run in runs), documents)
    rates["whole run"] = Rate.of((run.whole for run in runs), documents)
    peaks = {name: max(one.peak_bytes for one in each) for name, each in found.items()}
    peaks["whole run"] = max(run.peak_bytes for run in runs)
    journal = statistics.median(run.journal_bytes for run in runs) / documents
    return Comparison(workload.name, documents, rates, peaks, journal)


def _measured(
    measure: Callable[[str, str, int], Measurement], url: str, workload: Workload, documents: int
) -> Measurement:
    """Load the documents afresh, then measure in a new process."""
    with redis.Redis.from_url(url) as client:
        client.flushall(asynchronous=False)
        load(client, workload, documents)
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, (url, workload.name, documents))


def _as_json(comparison: Comparison) -> dict[str, object]:
    ratios = {name: comparison.ratios(name) for name in comparison.rates}
    return {**asdict(comparison), "ratios": ratios}


def _table(found: list[Comparison]) -> list[str]:
    lines = ["Speed relative to the pipeline, which has no safety (1 is equal, more is faster); medians", ""]
    names = ("wall time", "CPU time", "documents/s", "client us", "server us", "peak MB")
    lines.append(f"{'':22}" + "".join(f"{name:>13}" for name in names))
    for item in found:
        for name, rate in item.rates.items():
            ratios, peak = item.ratios(name), item.peak_bytes.get(name)
            cells = (
                f"{ratios['wall']:.2f}",
                f"{ratios['cpu']:.2f}",
                f"{rate.rate:,.0f}",
                f"{rate.client:.1f}",
                f"{rate.server:.1f}",
                "" if peak is None else f"{peak / 1e6:.0f}",
            )
            lines.append(f"{item.workload + ' ' + name:22}" + "".join(f"{cell:>13}" for cell in cells))
    lines += [
        "",
        "us: microseconds of CPU time a document. The whole run is census, convert pass and verification.",
    ]
    lines += [
        f"{item.workload}: undo log {item.journal_bytes_per_document:.0f} bytes a document" for item in found
    ]
    return lines


_PROGRAMS = {
    "loop": "script, one document at a time",
    "convert pass": "Redstart, conversion only",
    "whole run": "Redstart, with initial scan and verification",
}


def _plot(found: list[Comparison]) -> str:
    """Return the ratios in CPU time, which are the steadier ones."""
    rows = [
        (f"{item.workload}: {shown}", item.ratios(program)["cpu"])
        for item in found
        for program, shown in _PROGRAMS.items()
        if program in item.rates
    ]
    title = "Speed relative to an unsafe redis-py pipeline, in CPU time of client and server"
    return bars(title, rows, mark=1.0)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.conversion", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=50_000, help="of each kind (default 50000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--only", choices=[workload.name for workload in WORKLOADS], help="one kind alone")
    parser.add_argument(
        "--without-loop", action="store_true", help="leave out the program that takes longest"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the ratios as SVG")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
