"""What a driver promises, asked of both of them and of a real server."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import redis

from redstart.commands.documents import hmget_command
from redstart.commands.keyspace import get, hgetall
from redstart.commands.resp import packed_batch
from redstart.devserver.process import EmbeddedServer
from redstart.effects import Batch, Call, Op, Pause, batch, call, pause
from redstart.errors import AuthenticationError, CommandError, ServerConnectionError
from redstart.server import protocol
from redstart.server.async_driver import AsyncDriver
from redstart.server.clients import open_async
from tests.server.conftest import Driver, socket_path
from tests.support.lossy_proxy import LossyProxy
from tests.support.processes import wait_until

Open = Callable[[str], Driver]
StartServer = Callable[..., EmbeddedServer]

PASSWORD = "pass:word/with@all?of#them %"


def raw(*words: bytes | str | int, repeatable: bool = True) -> Call[Any]:
    """A command whose reply stays as it came."""
    return Call(words, lambda reply: reply, repeatable)


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_undecoded_whatever_the_url_says(
    opened: Open, client: redis.Redis, url: str, protocol: int
) -> None:
    client.hset("h", mapping={b"text": b"caf\xc3\xa9", b"\xff": b"\xfe\x00"})
    driver = opened(f"{url}?protocol={protocol}&decode_responses=true")

    assert driver.run(call(hgetall("h"))) == {b"text": b"caf\xc3\xa9", b"\xff": b"\xfe\x00"}
    assert driver.run(call(raw("HGET", "h", b"\xff"))) == b"\xfe\x00"
    assert driver.run(call(raw("CLIENT", "INFO"))).find(b"resp=%d" % protocol) > 0


def test_replies_of_a_batch_come_in_order(driver: Driver) -> None:
    commands: list[tuple[str | int, ...]] = [("SET", f"key {n}", n) for n in range(2_000)]
    commands += [("GET", f"key {n}") for n in range(2_000)]

    replies = driver.run(batch(Batch(commands, list)))

    assert replies == [b"OK"] * 2_000 + [b"%d" % n for n in range(2_000)]


def test_a_batch_of_nothing_sends_nothing(driver: Driver) -> None:
    assert driver.run(batch(Batch([], list))) == []
    assert driver.run(batch(packed_batch([], 0))) == []


def test_an_error_reply_is_an_item_of_its_batch(driver: Driver, client: redis.Redis) -> None:
    client.set("text", "x")
    client.hset("hash", "field", "1")
    command = hmget_command(["field"])

    replies = driver.run(batch(packed_batch([command.pack(key) for key in (b"hash", b"text", b"hash")], 3)))

    assert replies[0] == replies[2] == [b"1"]
    assert isinstance(replies[1], CommandError)
    assert replies[1].code == "WRONGTYPE"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("HGET", "text", "field"), "WRONGTYPE"),
        (("NOSUCHCOMMAND",), "ERR"),
        (("EVALSHA", "0" * 40, 0), "NOSCRIPT"),
        (("EVAL", "return redis.error_reply('FENCED another')", 0), "FENCED"),
        (("JSON.GET", "text", "$.a"), "ERR"),
    ],
)
def test_an_error_is_raised_inside_the_operation_and_can_be_handled_there(
    driver: Driver, client: redis.Redis, words: tuple[str | int, ...], code: str
) -> None:
    client.set("text", "x")

    def operation() -> Op[tuple[str, bytes | None]]:
        try:
            yield from call(raw(*words))
        except CommandError as exc:
            return exc.code, (yield from call(get("text")))
        return "no error", None

    assert driver.run(operation()) == (code, b"x")


def test_an_unhandled_error_leaves_the_operation(driver: Driver) -> None:
    with pytest.raises(CommandError, match="NOSUCHCOMMAND") as caught:
        driver.run(call(raw("NOSUCHCOMMAND")))
    assert caught.value.code == "ERR"
    assert driver.run(call(raw("ECHO", "still usable"))) == b"still usable"


def test_a_pause_waits_and_answers_nothing(driver: Driver) -> None:
    def operation() -> Op[tuple[float, object]]:
        began = time.monotonic()
        yield from pause(0.02)
        waited = time.monotonic() - began
        return waited, (yield Pause(0))

    waited, answer = driver.run(operation())
    assert waited >= 0.02
    assert answer is None


def test_a_server_that_never_answered_is_asked_once(opened: Open) -> None:
    with LossyProxy(None) as nobody:
        with pytest.raises(ServerConnectionError, match=nobody.url):
            opened(nobody.url).run(call(get("x")))
        assert nobody.connections == 1


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1", "unix:///nowhere/at/all.sock", "redis://no-such-host.invalid"]
)
def test_no_server(opened: Open, url: str) -> None:
    with pytest.raises(ServerConnectionError, match=r"The server at .* did not reply") as caught:
        opened(url).run(call(get("x")))
    assert "REDIS_OM_URL" in (caught.value.hint or "")


class TestCredentials:
    def test_right_password(self, opened: Open, own_server: StartServer) -> None:
        server = own_server(password=PASSWORD)
        assert opened(server.url).run(call(get("x"))) is None

    @pytest.mark.parametrize("credentials", ["", ":wrong-secret@", "somebody:wrong-secret@"])
    @pytest.mark.parametrize("protocol", [2, 3])
    def test_wrong_or_no_password(
        self, opened: Open, own_server: StartServer, credentials: str, protocol: int
    ) -> None:
        server = own_server(password=PASSWORD)
        driver = opened(f"unix://{credentials}{socket_path(server)}?protocol={protocol}")

        with pytest.raises(AuthenticationError) as caught:
            driver.run(call(get("x")))

        assert "secret" not in str(caught.value)
        assert PASSWORD not in str(caught.value)

    def test_a_user_without_permission(self, opened: Open, own_server: StartServer) -> None:
        server = own_server()
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~mine:*", "+get", "+hmget")
            client.mset({"mine:1": "1", "other": "2"})
        driver = opened(f"unix://reader:secret@{socket_path(server)}")

        assert driver.run(call(get("mine:1"))) == b"1"
        for words in (("SET", "mine:1", "3"), ("GET", "other")):
            with pytest.raises(AuthenticationError, match="permi") as caught:
                driver.run(call(raw(*words)))
            assert "secret" not in str(caught.value)

    def test_no_permission_within_a_batch_is_raised(self, opened: Open, own_server: StartServer) -> None:
        """As an item it would read as one bad key, which is left out."""
        server = own_server()
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~mine:*", "+get")
        driver = opened(f"unix://reader:secret@{socket_path(server)}")

        with pytest.raises(AuthenticationError):
            driver.run(batch(Batch([("GET", "mine:1"), ("GET", "other")], list)))
        assert driver.run(batch(Batch([("GET", "mine:1")], list))) == [None]


class TestLostAnswers:
    """Nothing but the driver may send a request again, and only if that is harmless."""

    def test_what_is_not_repeatable_is_executed_once(self, opened: Open, own_server: StartServer) -> None:
        server = own_server()
        with LossyProxy(socket_path(server)) as proxy:
            driver = opened(proxy.url)
            driver.run(call(get("counter")))
            proxy.lose_answer_to(b"INCR")

            with pytest.raises(ServerConnectionError):
                driver.run(call(raw("INCR", "counter", repeatable=False)))

            assert driver.run(call(get("counter"))) == b"1"

    def test_what_is_repeatable_is_sent_again(self, opened: Open, own_server: StartServer) -> None:
        server = own_server()
        with LossyProxy(socket_path(server)) as proxy:
            driver = opened(proxy.url)
            driver.run(call(get("counter")))
            proxy.lose_answer_to(b"INCR")

            assert driver.run(call(raw("INCR", "counter"))) == 2

    def test_a_batch_is_sent_again_as_a_whole(self, opened: Open, own_server: StartServer) -> None:
        server = own_server()
        with LossyProxy(socket_path(server)) as proxy:
            driver = opened(proxy.url)
            driver.run(call(get("counter")))
            proxy.lose_answer_to(b"INCR")

            assert driver.run(batch(Batch([("GET", "x"), ("INCR", "counter")], list))) == [None, 2]

    def test_an_outage_ends_the_repeats(
        self, opened: Open, own_server: StartServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.0, 0.0))
        server = own_server()
        with LossyProxy(socket_path(server)) as proxy:
            driver = opened(proxy.url)
            driver.run(call(get("x")))
            server.kill()

            with pytest.raises(ServerConnectionError):
                driver.run(call(get("x")))

            assert proxy.connections == 1 + 3

    def test_a_server_that_is_killed_and_comes_back(self, opened: Open, own_server: StartServer) -> None:
        server = own_server(append_only=True, append_sync="always")
        driver = opened(server.url)

        def operation() -> Op[tuple[Any, Any]]:
            yield from call(raw("SET", "a", "before"))
            server.kill()
            coming = threading.Timer(0.1, server.start)
            coming.start()
            found = yield from call(get("a"))
            coming.join()
            server.restart()
            try:
                yield from call(raw("SET", "a", "after", repeatable=False))
            except ServerConnectionError:
                return found, (yield from call(get("a")))
            return found, "sent again"

        assert driver.run(operation()) == (b"before", b"before")


class TestInterrupted:
    """Whoever is stopped between a request and its answers must not leave them to the next one."""

    COMMANDS = (("ECHO", "first"), ("BLPOP", "nothing", 30), ("ECHO", "stale"))

    def test_by_a_signal(self, driver: Driver, url: str) -> None:
        with ctrl_c_when_blocked(url), pytest.raises(KeyboardInterrupt):
            driver.run(batch(Batch(self.COMMANDS, list)))

        assert driver.run(call(raw("ECHO", "mine"))) == b"mine"

    def test_by_a_cancelled_task(self, url: str, client: redis.Redis) -> None:
        async def scenario() -> tuple[object, object]:
            async with open_async(url) as driver:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(driver.run(batch(Batch(self.COMMANDS, list))), 0.05)
                return await driver.run(call(raw("ECHO", "mine"))), await driver.run(call(raw("ECHO", "too")))

        assert asyncio.run(scenario()) == (b"mine", b"too")

    @pytest.mark.parametrize("steps", range(40))
    def test_by_a_cancellation_at_any_step(self, url: str, client: redis.Redis, steps: int) -> None:
        """Also while the request is written, where asyncio.wait_for() of Python 3.11 may lose the cancellation."""

        async def scenario() -> object:
            async with open_async(url) as driver:
                task = asyncio.create_task(driver.run(batch(Batch(self.COMMANDS, list))))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(task, 5)
                return await driver.run(call(raw("ECHO", "mine")))

        assert asyncio.run(scenario()) == b"mine"

    def test_a_cancelled_task_can_clean_up(self, url: str, client: redis.Redis) -> None:
        async def clean_up(driver: AsyncDriver) -> object:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return await driver.run(call(raw("ECHO", "done")))
            return None

        async def scenario() -> object:
            async with open_async(url) as driver:
                task = asyncio.create_task(clean_up(driver))
                await asyncio.sleep(0)
                task.cancel()
                return await task

        assert asyncio.run(scenario()) == b"done"

    def test_the_operation_is_told_nothing(self, driver: Driver, url: str) -> None:
        """Clean-up that would need an answer cannot have one: it must not be attempted."""
        ended: list[type[BaseException]] = []

        def operation() -> Op[None]:
            try:
                yield from call(raw("BLPOP", "nothing", 30))
            except BaseException as exc:
                ended.append(type(exc))
                raise

        with ctrl_c_when_blocked(url), pytest.raises(KeyboardInterrupt):
            driver.run(operation())
        assert ended in ([], [GeneratorExit])


class TestRefusals:
    def test_a_busy_server(
        self, opened: Open, own_server: StartServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even within a batch is BUSY an item: every document would read as gone."""
        monkeypatch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.0))
        server = own_server()
        driver = opened(server.url)
        with busy(server):
            with pytest.raises(CommandError) as caught:
                driver.run(call(get("x")))
            assert caught.value.code == "BUSY"
            with pytest.raises(CommandError, match="BUSY"):
                driver.run(batch(Batch([("GET", "x"), ("GET", "y")], list)))
        assert driver.run(call(get("x"))) is None

    def test_a_server_without_memory(self, opened: Open, own_server: StartServer) -> None:
        driver = opened(own_server(extra_arguments=("--maxmemory", "1")).url)

        with pytest.raises(CommandError) as caught:
            driver.run(call(raw("SET", "x", "y")))
        assert caught.value.code == "OOM"
        with pytest.raises(CommandError):
            driver.run(batch(Batch([("GET", "x"), ("SET", "x", "y")], list)))


@contextmanager
def ctrl_c_when_blocked(url: str) -> Iterator[None]:
    """Send the signal of Ctrl-C to the main thread as soon as a request waits on the server.

    A signal after a fixed time arrives before the request, or even before the test expects it, on a busy machine.
    """

    def interrupt() -> None:
        with redis.Redis.from_url(url) as watcher:
            wait_until(lambda: watcher.info("clients")["blocked_clients"] > 0, "a request that waits")
        signal.pthread_kill(cast(int, threading.main_thread().ident), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def busy(server: EmbeddedServer) -> Iterator[None]:
    """While another client's script runs and runs."""
    with redis.Redis.from_url(server.url) as other, redis.Redis.from_url(server.url) as watcher:
        watcher.config_set("busy-reply-threshold", 10)

        def script() -> None:
            with pytest.raises(redis.ResponseError):
                other.eval("while true do end", 0)

        def is_busy() -> bool:
            try:
                watcher.ping()
            except redis.ResponseError as error:
                return str(error).startswith("BUSY")
            return False

        running = threading.Thread(target=script)
        running.start()
        wait_until(is_busy, "the script to be busy")
        try:
            yield
        finally:
            watcher.script_kill()
            running.join()
