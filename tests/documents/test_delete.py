"""Many documents are deleted in scripts of a few milliseconds each."""

import pytest
import redis

from redstart.documents import delete
from redstart.documents.delete import delete_keys
from redstart.server.clients import open_sync


@pytest.mark.parametrize("count", [0, 1, delete.PAGE_KEYS, delete.PAGE_KEYS + 1, 2_500])
def test_deletions_count_the_existing_keys(client: redis.Redis, url: str, count: int) -> None:
    keys = [b"k%d" % number for number in range(count)]
    if keys:
        client.mset(dict.fromkeys(keys[::2], "x"))
    with open_sync(url) as driver:
        assert driver.run(delete_keys([*keys, *keys])) == len(keys[::2])
    assert client.dbsize() == 0
