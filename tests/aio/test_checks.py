"""Which commands a server has."""

from collections.abc import Callable

import pytest

from redstart.aio import checks, get_redis_connection, has_redis_json, has_redisearch
from redstart.devserver.process import EmbeddedServer


async def test_a_server_with_both_modules(models_url: str) -> None:
    assert await has_redis_json()
    assert await has_redisearch()


async def test_a_server_that_is_named(url: str) -> None:
    """REDIS_OM_URL is not set, and nothing listens where models would look."""
    async with get_redis_connection(url=url) as named:
        assert await has_redis_json(named)
        assert await has_redisearch(named)


async def test_a_server_without_a_module(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=True, with_search=False).url)
    assert (await has_redis_json(), await has_redisearch()) == (True, False)
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=False, with_search=True).url)
    assert (await has_redis_json(), await has_redisearch()) == (False, True)


async def test_commands_by_name(url: str) -> None:
    async with get_redis_connection(url=url) as named:
        assert await checks.check_for_command(named, "GETEX")
        assert not await checks.check_for_command(named, "NO.SUCH.COMMAND")
        assert await checks.supports_hash_field_expiration(named)
