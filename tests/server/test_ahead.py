"""Requests sent ahead, under both drivers: answered in order, whatever goes wrong in between."""

from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from redstart.effects import Call, Op, Pending, call, pause, receive, send_ahead
from redstart.errors import CommandError, ServerConnectionError
from redstart.server.clients import open_like
from redstart.server.sync_driver import SyncDriver
from tests.server.conftest import Driver
from tests.support.crash_driver import Crash, CrashDriver, CrashKind


def echo(text: str, *, repeatable: bool = True) -> Call[Any]:
    return Call(("ECHO", text), bytes.decode, repeatable)


def three_ahead(*, repeatable: bool = True) -> Op[list[Any]]:
    """Three requests ahead, their answers asked for out of order, another request in between."""
    first = yield from send_ahead(echo("1", repeatable=repeatable))
    second = yield from send_ahead(echo("2", repeatable=repeatable))
    third = yield from send_ahead(echo("3", repeatable=repeatable))
    got = [(yield from receive(second))]
    got.append((yield from call(echo("between"))))
    fourth = yield from send_ahead(echo("4", repeatable=repeatable))
    got.append((yield from receive(third)))
    got.append((yield from receive(fourth)))
    got.append((yield from receive(first)))
    return got


EXPECTED = ["2", "between", "3", "4", "1"]


def test_each_answer_belongs_to_its_request(driver: Driver) -> None:
    assert driver.run(three_ahead()) == EXPECTED
    assert driver.run(call(echo("after"))) == "after"


def test_an_error_is_raised_where_the_answer_is_asked_for(driver: Driver) -> None:
    def operation() -> Op[str]:
        wrong = yield from send_ahead(Call(("NO-SUCH-COMMAND",), bytes))
        right = yield from send_ahead(echo("right"))
        with pytest.raises(CommandError):
            yield from receive(wrong)
        return (yield from receive(right))

    assert driver.run(operation()) == "right"


def test_an_unread_reply_is_not_taken_for_another(driver: Driver) -> None:
    def forgetful() -> Op[None]:
        _: Pending[str] = yield from send_ahead(echo("forgotten"))

    def failing() -> Op[None]:
        _: Pending[str] = yield from send_ahead(echo("forgotten"))
        raise LookupError

    driver.run(forgetful())
    assert driver.run(call(echo("mine"))) == "mine"
    with pytest.raises(LookupError):
        driver.run(failing())
    assert driver.run(call(echo("mine"))) == "mine"


@pytest.mark.parametrize("at", range(5))
def test_a_lost_reply_among_them_is_asked_for_again(client: redis.Redis, url: str, at: int) -> None:
    with CrashDriver(url, at=at, kind=CrashKind.LOST_REPLY) as driver:
        driver.run(call(echo("connected before")))
        driver.names.clear()
        assert driver.run(three_ahead()) == EXPECTED


def test_what_must_not_be_repeated_is_reported_lost(client: redis.Redis, url: str) -> None:
    with CrashDriver(url, at=1, kind=CrashKind.LOST_REPLY) as driver, pytest.raises(ServerConnectionError):
        driver.run(three_ahead(repeatable=False))


@pytest.mark.parametrize("kind", [CrashKind.BEFORE, CrashKind.AFTER, CrashKind.UNANSWERED])
def test_the_crash_driver_reaches_them(client: redis.Redis, url: str, kind: CrashKind) -> None:
    for at in range(5):
        with CrashDriver(url, at=at, kind=kind) as driver, pytest.raises(Crash):
            driver.run(three_ahead())


def test_a_killed_connection_loses_all_that_was_ahead_and_repeats_it(client: redis.Redis, url: str) -> None:
    def operation(driver: SyncDriver) -> Op[list[Any]]:
        yield from call(echo("connected"))
        name = yield from call(Call(("CLIENT", "ID"), int))
        laters = []
        for number in range(50):
            laters.append((yield from send_ahead(echo(str(number)))))
            if number == 20:
                client.execute_command("CLIENT", "KILL", "ID", name)
        got = []
        for later in laters:
            got.append((yield from receive(later)))
        return got

    with CrashDriver(url) as driver:
        assert driver.run(operation(driver)) == [str(number) for number in range(50)]


def test_a_client_that_checks_its_health_does_not_mix_up_answers(client: redis.Redis, url: str) -> None:
    """redis-py's check sends a PING, reads the next answer as its own, and then connects anew behind our back."""
    asked = redis.Redis.from_url(url, health_check_interval=1, retry=Retry(NoBackoff(), 3))

    def operation() -> Op[list[str]]:
        first = yield from send_ahead(Call(("EVAL", "return 'slow'", 0), bytes.decode))
        yield from pause(1.1)
        laters = []
        for number in range(5):
            laters.append((yield from send_ahead(echo(str(number)))))
        got = [(yield from receive(first))]
        for later in laters:
            got.append((yield from receive(later)))
        return got

    with asked, open_like(asked) as driver:
        driver.run(call(echo("connected")))
        assert driver.run(operation()) == ["slow", "0", "1", "2", "3", "4"]
