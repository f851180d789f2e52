"""Errors as applications raise them themselves, and as their tests let mocks raise them."""

from unittest import mock

import pytest

import redstart
from redstart.errors import DataMigrationError, PipelineError, RedstartError, SchemaMigrationError

OF_REDIS_OM = [
    redstart.MigrationError,
    redstart.NotFoundError,
    redstart.QueryNotSupportedError,
    redstart.QuerySyntaxError,
    redstart.RedisModelError,
    DataMigrationError,
    PipelineError,
    SchemaMigrationError,
]


@pytest.mark.parametrize("kind", OF_REDIS_OM)
def test_they_need_no_message(kind: type[RedstartError]) -> None:
    class User(redstart.HashModel):
        name: str

    with mock.patch.object(User, "get", side_effect=kind), pytest.raises(kind) as raised:
        User.get("1")
    assert (str(raised.value), raised.value.hint) == ("", None)
    assert str(kind("No user.")) == "No user."
