"""The lease: one run at a time, whatever happens to the one before."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from redstart.commands.scripts import Script, load
from redstart.effects import Call, Op, Pause, Request
from redstart.errors import CommandError, LeaseHeldError, LeaseLostError, StateDamagedError
from redstart.migrations import lease as lease_module
from redstart.migrations.lease import Lease, acquire, break_lease
from redstart.migrations.lease_state import Holder, current, this_process
from redstart.migrations.state_keys import LeaseKeys
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver

KEYS = LeaseKeys("test:fence", "test:lease")
ELSEWHERE = replace(
    this_process(), host="night-shift", pid=4711, command="om migrate-data run", boot_id="another"
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def driver(url: str) -> Iterator[SyncDriver]:
    with open_sync(url) as driver:
        yield driver


def taking(
    token: str, holder: Holder = ELSEWHERE, *, gone: bool = False, clock: Any = time.monotonic
) -> Op[Lease]:
    return acquire(KEYS, token, holder, is_gone=lambda _: gone, clock=clock)


def write(lease: Lease, value: str) -> Op[list[Any]]:
    return lease.commit([["SET", "written", value]])


def test_it_is_taken_renewed_and_given_back(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    state = driver.run(current(KEYS))
    assert state is not None
    assert (state.token, state.holder, state.renewals) == ("one", ELSEWHERE, 0)
    assert 0 < client.pttl(KEYS.lease) <= lease_module.LEASE_MS

    client.pexpire(KEYS.lease, 2_000)
    assert driver.run(write(lease, "mine")) == [b"OK"]
    renewed = driver.run(current(KEYS))
    assert renewed is not None
    assert renewed.renewals == 1
    assert renewed.since_ms == state.since_ms
    assert client.pttl(KEYS.lease) > 2_000

    driver.run(lease.release())
    assert driver.run(current(KEYS)) is None
    assert list(client.scan_iter()) == [b"written"]


def test_taking_it_twice_with_one_token_is_taking_it_once(driver: SyncDriver) -> None:
    """A request whose answer was lost is sent again."""
    driver.run(taking("one"))
    lease = driver.run(taking("one"))
    assert driver.run(write(lease, "mine")) == [b"OK"]


def test_one_that_is_renewed_is_held(driver: SyncDriver, client: redis.Redis) -> None:
    first = driver.run(taking("one"))
    client.hincrby(KEYS.lease, "since_ms", -65_000)
    renewing = RenewingWhile(driver, first)

    with pytest.raises(LeaseHeldError) as caught:
        renewing.run(taking("two"))

    assert "process 4711 on night-shift (om migrate-data run), for 65 s" in str(caught.value)
    assert "om migrate-data force-unlock" in str(caught.value)
    assert driver.run(write(first, "still mine")) == [b"OK"]


def test_one_that_is_not_renewed_is_waited_out(
    driver: SyncDriver, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_MS", 60)
    monkeypatch.setattr(lease_module, "_POLL_SECONDS", 0.01)
    first = driver.run(taking("one"))

    second = driver.run(taking("two"))

    assert driver.run(write(second, "second")) == [b"OK"]
    with pytest.raises(LeaseLostError):
        driver.run(write(first, "first"))
    assert client.get("written") == b"second"


def test_one_whose_holder_is_gone_is_replaced_at_once(driver: SyncDriver, client: redis.Redis) -> None:
    first = driver.run(taking("one"))
    second = NeverPausing(driver).run(taking("two", gone=True))

    assert driver.run(write(second, "second")) == [b"OK"]
    with pytest.raises(LeaseLostError, match="stopped before its next write"):
        driver.run(write(first, "first"))
    assert client.get("written") == b"second"


def test_of_two_that_find_the_holder_gone_only_one_replaces_it(driver: SyncDriver) -> None:
    """The second may only replace the token it saw, not the lease of whoever was faster."""
    driver.run(taking("one"))
    slow = taking("slow", gone=True)
    answer = driver.run(
        _receive(next(slow))
    )  # it has seen the first one's lease, and goes on after the fast one
    fast = driver.run(taking("fast", gone=True))

    request = slow.send(answer)
    code, token, *_ = driver.run(_receive(request))

    assert (code, token) == (0, b"fast")
    assert driver.run(write(fast, "fast")) == [b"OK"]


class TestAFencedRun:
    """Paused for a minute, replaced, and awake again: it must not write beside its successor."""

    @pytest.fixture
    def old(self, driver: SyncDriver) -> Lease:
        old = driver.run(taking("old"))
        driver.run(taking("new", gone=True))
        return old

    def test_it_cannot_write(self, driver: SyncDriver, client: redis.Redis, old: Lease) -> None:
        before = client.hgetall(KEYS.lease)
        with pytest.raises(LeaseLostError):
            driver.run(write(old, "old"))
        assert client.get("written") is None
        assert client.hgetall(KEYS.lease) == before

    def test_it_cannot_write_with_any_script(
        self, driver: SyncDriver, client: redis.Redis, old: Lease
    ) -> None:
        fenced = Script.of(load("fenced.lua").source + "return redis.call('SET', KEYS[3], 'x')")
        with pytest.raises(LeaseLostError):
            driver.run(old.run(fenced, ("written",), ()))
        assert client.get("written") is None

    def test_it_cannot_give_back_what_is_not_its_own(self, driver: SyncDriver, old: Lease) -> None:
        driver.run(old.release())
        state = driver.run(current(KEYS))
        assert state is not None
        assert state.token == "new"

    def test_it_learns_of_it_while_it_only_reads(self, driver: SyncDriver, client: redis.Redis) -> None:
        clock = Clock()
        old = driver.run(taking("first", clock=clock, gone=True))
        driver.run(taking("new", gone=True))
        driver.run(old.keep())
        clock.seconds += lease_module.RENEW_AFTER_SECONDS
        with pytest.raises(LeaseLostError):
            driver.run(old.keep())


def test_keep_renews_only_when_it_is_due(driver: SyncDriver) -> None:
    clock = Clock()
    lease = driver.run(taking("one", clock=clock))

    def renewals() -> int:
        driver.run(lease.keep())
        state = driver.run(current(KEYS))
        assert state is not None
        return state.renewals

    assert renewals() == 0
    clock.seconds += lease_module.RENEW_AFTER_SECONDS - 0.1
    assert renewals() == 0
    clock.seconds += 0.1
    assert [renewals(), renewals()] == [1, 1]


def test_an_expired_free_lease_is_acquired_again(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    client.delete(KEYS.lease)

    assert driver.run(write(lease, "mine")) == [b"OK"]

    state = driver.run(current(KEYS))
    assert state is not None
    assert (state.token, state.holder, state.renewals) == ("one", ELSEWHERE, 1)
    assert 0 < client.pttl(KEYS.lease) <= lease_module.LEASE_MS
    assert state.now_ms >= state.since_ms > 0


def test_a_broken_one_stops_its_holder(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    driver.run(break_lease(KEYS))
    assert driver.run(current(KEYS)) is None
    with pytest.raises(LeaseLostError):
        driver.run(write(lease, "late"))
    assert list(client.scan_iter()) == []
    driver.run(taking("two"))


def test_force_unlock_without_a_lease(driver: SyncDriver, client: redis.Redis) -> None:
    driver.run(break_lease(KEYS))
    assert list(client.scan_iter()) == []


def test_a_commit_is_all_or_nothing_in_order(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    commands = [
        ["SET", "a", bytes(range(256))],
        ["INCRBY", "n", 2],
        ["HSET", "h", "f", "é"],
        ["SADD", "s", *map(str, range(1_000))],
    ]
    assert driver.run(lease.commit(commands)) == [b"OK", 2, 1, 1_000]
    assert client.get("a") == bytes(range(256))
    assert client.hget("h", "f") == "é".encode()
    assert driver.run(lease.commit([])) == []


def test_an_error_within_a_commit_is_no_lost_lease(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    client.set("text", "x")
    with pytest.raises(CommandError, match="WRONGTYPE"):
        driver.run(lease.commit([["RPUSH", "text", "a"]]))


@pytest.mark.parametrize(
    "command",
    [["HSET", "text", "a", "b"], ["SADD", "text", "a"], ["REMOVE", "string", "mine", "hash", "text"]],
)
def test_a_commit_leaves_what_another_program_has_written(
    driver: SyncDriver, client: redis.Redis, command: list[str]
) -> None:
    lease = driver.run(taking("one"))
    client.set("text", "x")
    client.set("mine", "x")
    with pytest.raises(
        StateDamagedError, match=f"text is a string, not a {'set' if 'SADD' in command else 'hash'}"
    ):
        driver.run(lease.commit([["SET", "mine", "y"], command]))
    assert client.mget("text", "mine") == [b"x", b"x"]


def test_the_lease_of_another_program_is_not_broken(driver: SyncDriver, client: redis.Redis) -> None:
    for key in (KEYS.fence, KEYS.lease):
        client.rpush(key, "x")
        with pytest.raises(StateDamagedError, match=f"{key} is a list, not a"):
            driver.run(break_lease(KEYS))
        assert client.lrange(key, 0, -1) == [b"x"]
        client.delete(key)


def test_the_server_forgets_its_scripts_in_the_middle(driver: SyncDriver, client: redis.Redis) -> None:
    lease = driver.run(taking("one"))
    client.script_flush()
    assert driver.run(write(lease, "mine")) == [b"OK"]
    client.script_flush()
    driver.run(lease.release())
    assert driver.run(current(KEYS)) is None


class NeverPausing:
    """Performs what an operation asks for with a driver of the test, and fails if it wants to wait."""

    def __init__(self, driver: SyncDriver) -> None:
        self.driver = driver

    def run(self, operation: Op[Any]) -> Any:
        answer = None
        while True:
            try:
                request = operation.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = self.paused() if isinstance(request, Pause) else self.driver.run(_receive(request))

    def paused(self) -> None:
        pytest.fail("the lease of a holder that is gone was waited for")


class RenewingWhile(NeverPausing):
    """While the operation waits, the holder renews its lease."""

    def __init__(self, driver: SyncDriver, lease: Lease) -> None:
        super().__init__(driver)
        self.lease = lease

    def paused(self) -> None:
        self.driver.run(write(self.lease, "renewed"))


def _receive(request: Request) -> Op[Any]:
    """The answer to one request, as the server has it."""
    assert isinstance(request, Call)
    return (yield request)


def test_what_is_logged(driver: SyncDriver, client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, lease_module.__name__)
    clock = Clock()
    first = driver.run(taking("one", clock=clock))
    clock.seconds += lease_module.RENEW_AFTER_SECONDS
    driver.run(first.keep())
    second = driver.run(taking("two", gone=True))
    with pytest.raises(LeaseLostError):
        driver.run(write(first, "late"))
    driver.run(second.release())
    driver.run(break_lease(KEYS))
    assert [
        (found.levelno, found.getMessage()) for found in caplog.records if found.name == lease_module.__name__
    ] == [
        (logging.DEBUG, "The lease test:lease was acquired."),
        (logging.DEBUG, "Renewing the lease test:lease."),
        (logging.WARNING, "Taking the lease test:lease from process 4711 on night-shift, which has ended."),
        (logging.DEBUG, "The lease test:lease was acquired."),
        (logging.WARNING, "The lease test:lease was lost."),
        (logging.DEBUG, "The lease test:lease was released."),
        (logging.WARNING, "The lease test:lease was removed."),
    ]
