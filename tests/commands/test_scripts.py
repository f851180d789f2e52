"""Scripts: sent by digest, and again from the source when the server has forgotten them."""

from collections.abc import Iterator

import pytest
import redis

from redstart.commands.keyspace import get
from redstart.commands.scripts import Script, load, run_script
from redstart.effects import Op, call
from redstart.errors import CommandError
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver

COUNT = Script.of("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
def driver(url: str) -> Iterator[SyncDriver]:
    with open_sync(url) as driver:
        driver.run(call(get("connected")))
        yield driver


def calls(client: redis.Redis, command: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))


def test_the_digest_is_the_servers(client: redis.Redis) -> None:
    for script in (COUNT, load("acquire.lua"), Script.of("return 'é'")):
        assert client.script_load(script.source) == script.sha1


def test_several_files_are_one_script() -> None:
    parts = [load(name).source for name in ("fenced.lua", "commit.lua")]
    assert load("fenced.lua", "commit.lua") == Script.of("".join(parts))


def test_a_script_is_run_once_each_time_also_after_a_flush(driver: SyncDriver, client: redis.Redis) -> None:
    client.script_flush()
    client.config_resetstat()

    def operation() -> Op[list[int]]:
        found = []
        for number in range(4):
            if number == 2:
                client.script_flush()
            found.append((yield from run_script(COUNT, ("n",), (1,))))
        return found

    assert driver.run(operation()) == [1, 2, 3, 4]
    assert (calls(client, "eval"), calls(client, "incrby")) == (2, 4)


def test_an_error_of_the_script_is_not_taken_for_a_forgotten_one(
    driver: SyncDriver, client: redis.Redis
) -> None:
    failing = Script.of("redis.call('INCR', KEYS[1]); return redis.error_reply('FENCED no')")
    client.script_load(failing.source)
    with pytest.raises(CommandError) as caught:
        driver.run(run_script(failing, ("n",), ()))
    assert caught.value.code == "FENCED"
    assert client.get("n") == b"1"


def test_arguments_arrive_byte_for_byte(driver: SyncDriver, client: redis.Redis) -> None:
    keep = Script.of("redis.call('HSET', KEYS[1], 'a', ARGV[1], 'b', ARGV[2], 'c', ARGV[3]) return #ARGV")
    assert driver.run(run_script(keep, ("h",), (bytes(range(256)), "é", 1.5))) == 3
    assert client.hgetall("h") == {b"a": bytes(range(256)), b"b": "é".encode(), b"c": b"1.5"}
