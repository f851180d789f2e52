"""One measurement, to be made in a process of its own."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from bench.documents import PREFIX, WORKLOADS, Workload
from redstart.cli.session import tune_garbage_collector
from redstart.effects import Op
from redstart.migrations.context import Context, Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.results import RunOptions, RunResult
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync

SCAN_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work needed, in seconds: of wall time, and of CPU time of this process and of the server."""

    wall: float
    client: float
    server: float

    @classmethod
    def so_far(cls, client: redis.Redis) -> "Cost":
        """Return what was needed since some moment in the past."""
        found = client.info("cpu")
        server = float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
        return cls(time.perf_counter(), time.process_time(), server)

    def since(self, before: "Cost") -> "Cost":
        """Return what was needed between two moments."""
        return Cost(self.wall - before.wall, self.client - before.client, self.server - before.server)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process needed.

    Attributes:
        convert: for the convert pass, without census and verification; of a hand-written program: all of it.
        whole: for all.
        peak_bytes: of the process' memory, the interpreter and its libraries included.
    """

    convert: Cost
    whole: Cost
    peak_bytes: int
    journal_bytes: int


def measure_loop(url: str, workload: str, documents: int) -> Measurement:
    """Convert every document one by one."""
    return _measure_program(url, documents, _workload(workload), _convert_one_by_one)


def measure_pipeline(url: str, workload: str, documents: int) -> Measurement:
    """Convert a page of documents with two pipelines: one that reads, one that writes. Nothing else is safe, either."""
    return _measure_program(url, documents, _workload(workload), _convert_in_pipelines)


def _measure_program(
    url: str, documents: int, workload: Workload, convert: Callable[[redis.Redis, Workload], int]
) -> Measurement:
    with redis.Redis.from_url(url) as client:
        began = Cost.so_far(client)
        done = convert(client, workload)
        cost = Cost.so_far(client).since(began)
        _require(done, documents)
        return Measurement(cost, cost, peak_bytes(), 0)


def _convert_one_by_one(client: redis.Redis, workload: Workload) -> int:
    done = 0
    for key in client.scan_iter(match=PREFIX + "*", count=SCAN_COUNT):
        client.execute_command(*workload.converted(key, client.execute_command(*workload.read(key))))
        done += 1
    return done


def _convert_in_pipelines(client: redis.Redis, workload: Workload) -> int:
    done, cursor = 0, None
    while cursor != 0:
        cursor, keys = client.scan(cursor or 0, match=PREFIX + "*", count=SCAN_COUNT)
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command(*workload.read(key))
        replies = pipeline.execute()
        for key, reply in zip(keys, replies, strict=True):
            pipeline.execute_command(*workload.converted(key, reply))
        pipeline.execute()
        done += len(keys)
    return done


def measure_redstart(url: str, workload: str, documents: int) -> Measurement:
    """A whole run, with default options."""
    tune_garbage_collector()  # as `om` does
    keys = StateKeys(DATETIME_MIGRATION)
    with redis.Redis.from_url(url) as client, open_sync(url) as driver:
        stages = _Stages(client)
        began = Cost.so_far(client)
        result = driver.run(run_of(_workload(workload), Monitor(progress=stages.note)))
        ended = Cost.so_far(client)
        _require(result.documents, documents)
        journal_bytes = int(client.memory_usage(keys.journal, samples=0) or 0)
        return Measurement(stages.convert(ended), ended.since(began), peak_bytes(), journal_bytes)


class _Stages:
    """What was needed until the first page of each stage was done."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._began: dict[tuple[str, int], Cost] = {}

    def note(self, progress: Progress) -> None:
        """A page is done."""
        stage = (progress.stage, progress.number)
        if stage not in self._began:
            self._began[stage] = Cost.so_far(self._client)

    def convert(self, ended: Cost) -> Cost:
        """From the first page of the first pass to that of the second one, which verifies: as many pages."""
        began = self._began["converting", 1]
        return self._began.get(("converting", 2), ended).since(began)


def run_of(workload: Workload, monitor: Monitor) -> Op[RunResult]:
    """Return a run with default options."""
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
