"""What to use where a command is missing: by its name, which the server leaves out for a command within a script."""

import pytest

from redstart.documents.fetch import raise_if_module_missing
from redstart.errors import CommandError, UnsupportedServerError


@pytest.mark.parametrize(
    ("message", "needed"),
    [
        ("ERR unknown command 'JSON.GET', with args beginning with: 'a' ", ["RedisJSON"]),
        ("ERR unknown command 'FT.SEARCH', with args beginning with: 'a' ", ["RediSearch"]),
        ("ERR unknown command 'HEXPIRE', with args beginning with: 'a' ", ["Redis 7.4"]),
        (
            "ERR Unknown Redis command called from script script: 0a, on @user_script:1.",
            ["RedisJSON", "Redis 7.4"],
        ),
    ],
)
def test_the_hint_names_what_is_needed(message: str, needed: list[str]) -> None:
    with pytest.raises(UnsupportedServerError) as caught:
        raise_if_module_missing(CommandError(message))
    assert all(word in str(caught.value.hint) for word in needed)
