"""One measurement, to be made in a process of its own."""

import resource
import sys
import time
from dataclasses import dataclass

import redis

from bench.documents import PREFIX, WORKLOADS, Workload
from redstart.cli.session import tune_garbage_collector
from redstart.effects import Op
from redstart.migrations.context import Context, Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.run import RunOptions, RunResult, run
from redstart.migrations.holder import this_process
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync

SCAN_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process needed.

    Attributes:
        convert_seconds: of the convert pass, without census and verification; of a loop: all of it.
        peak_bytes: of the process' memory, the interpreter and its libraries included.
        server_cpu_seconds: user and system time of the server meanwhile.
    """

    convert_seconds: float
    whole_seconds: float
    peak_bytes: int
    journal_bytes: int
    server_cpu_seconds: float


def measure_loop(url: str, workload: str, documents: int) -> Measurement:
    """Convert every document one by one."""
    convert_one = _workload(workload).convert_one
    with redis.Redis.from_url(url) as client:
        server_began = _server_cpu_seconds(client)
        began = time.perf_counter()
        done = 0
        for key in client.scan_iter(match=PREFIX + "*", count=SCAN_COUNT):
            convert_one(client, key)
            done += 1
        seconds = time.perf_counter() - began
        _require(done, documents)
        return Measurement(seconds, seconds, peak_bytes(), 0, _server_cpu_seconds(client) - server_began)


def measure_redstart(url: str, workload: str, documents: int) -> Measurement:
    """A whole run, with default options."""
    tune_garbage_collector()  # as `om` does
    stages = _Stages()
    keys = StateKeys(DATETIME_MIGRATION)
    with redis.Redis.from_url(url) as client, open_sync(url) as driver:
        server_began = _server_cpu_seconds(client)
        began = time.perf_counter()
        result = driver.run(_run(_workload(workload), Monitor(progress=stages.note)))
        seconds = time.perf_counter() - began
        _require(result.documents, documents)
        journal_bytes = int(client.memory_usage(keys.journal, samples=0) or 0)
        server_seconds = _server_cpu_seconds(client) - server_began
        return Measurement(stages.convert_seconds, seconds, peak_bytes(), journal_bytes, server_seconds)


class _Stages:
    """When the census and the first pass reported last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], float] = {}

    def note(self, progress: Progress) -> None:
        """A page is done."""
        self._last[progress.stage, progress.number] = time.perf_counter()

    @property
    def convert_seconds(self) -> float:
        """From the census' last page to the first pass' last page."""
        return self._last["converting", 1] - self._last["initial scan", 0]


def _run(workload: Workload, monitor: Monitor) -> Op[RunResult]:
    context = Context(DatetimeConversion.of_zone("UTC"), this_process(), "bench", time.monotonic, monitor)
    return run(context, workload.plan, RunOptions())


def _workload(name: str) -> Workload:
    return next(workload for workload in WORKLOADS if workload.name == name)


def _require(done: int, documents: int) -> None:
    if done != documents:
        raise SystemExit(f"{done} documents were converted where {documents} were loaded: no measurement")


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


def _server_cpu_seconds(client: redis.Redis) -> float:
    found = client.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
