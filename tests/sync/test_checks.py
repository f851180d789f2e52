# Generated from tests/aio/test_checks.py: change that, then `python -m tools.generate_sync`.
"""Which commands a server has."""

from collections.abc import Callable

import pytest

from redstart.devserver.process import EmbeddedServer
from redstart.sync import checks, get_redis_connection, has_redis_json, has_redisearch


def test_a_server_with_both_modules(models_url: str) -> None:
    assert has_redis_json()
    assert has_redisearch()


def test_a_server_that_is_named(url: str) -> None:
    """REDIS_OM_URL is not set, and nothing listens where models would look."""
    with get_redis_connection(url=url) as named:
        assert has_redis_json(named)
        assert has_redisearch(named)


def test_a_server_without_a_module(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=True, with_search=False).url)
    assert (has_redis_json(), has_redisearch()) == (True, False)
    monkeypatch.setenv("REDIS_OM_URL", own_server(with_json=False, with_search=True).url)
    assert (has_redis_json(), has_redisearch()) == (False, True)


def test_commands_by_name(url: str) -> None:
    with get_redis_connection(url=url) as named:
        assert checks.check_for_command(named, "GETEX")
        assert not checks.check_for_command(named, "NO.SUCH.COMMAND")
        assert checks.supports_hash_field_expiration(named)
