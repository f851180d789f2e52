"""What a server is said to be able to do."""

import asyncio
from collections.abc import Callable

import pytest
import redis

import redstart
import redstart.aio
import redstart.aio.checks as aio_checks
import redstart.aio.util as aio_util
import redstart.sync.checks as checks
import redstart.util as util
from redstart.devserver.process import EmbeddedServer


def test_a_server_that_can(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    assert redstart.has_redis_json()
    assert redstart.has_redisearch()


def test_a_server_that_is_named(url: str, client: redis.Redis) -> None:
    """REDIS_OM_URL is not set, and nothing listens where models would look."""
    assert redstart.has_redisearch(client)

    async def check() -> list[bool]:
        async with redstart.aio.get_redis_connection(url=url) as named:
            return [await redstart.aio.has_redis_json(named), await redstart.aio.has_redisearch(named)]

    assert asyncio.run(check()) == [True, True]


def test_a_server_that_cannot(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=True, with_search=False).url)
    assert (redstart.has_redis_json(), redstart.has_redisearch()) == (True, False)
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=False, with_search=True).url)
    assert (redstart.has_redis_json(), redstart.has_redisearch()) == (False, True)


def test_commands_by_name(url: str, client: redis.Redis) -> None:
    assert checks.check_for_command(client, "GETEX")
    assert not checks.check_for_command(client, "NO.SUCH.COMMAND")
    assert checks.supports_hash_field_expiration(client)

    async def check() -> list[bool]:
        async with redstart.aio.get_redis_connection(url=url) as named:
            return [
                await aio_checks.check_for_command(named, "NO.SUCH.COMMAND"),
                await aio_checks.supports_hash_field_expiration(named),
            ]

    assert asyncio.run(check()) == [False, True]


def test_which_package_it_is() -> None:
    assert (util.is_async_mode(), aio_util.is_async_mode()) == (False, True)
