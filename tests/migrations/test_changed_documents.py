"""Documents that were written since their storage was changed, and a rollback that has their originals."""

import json
from urllib.parse import urlsplit

import pytest
import redis

from redstart.errors import MigrationError
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.maintenance import drop_undo_log_of_data
from redstart.migrations.outcomes import Outcome
from redstart.migrations.steps import changed_documents, storage_changes
from redstart.operations import (
    ConvertField,
    Field,
    Operation,
    RemoveField,
    Storage,
    Transform,
)
from redstart.server.clients import open_sync
from tests.migrations.test_file_migration import base, do, documents
from tests.migrations.test_file_steps import back, forward, resumes_at_every_request
from tests.migrations.test_storage_changes import (
    EVERY,
    HASH,
    JSON,
    NAME,
    PREFIX,
    Price,
    both,
    change,
    load,
    other,
    small_pages,
    values,
)
from tests.support.counting_proxy import CountingProxy
from tests.support.crash_driver import CrashDriver
from tests.support.snapshot import difference

__all__ = ["small_pages"]  # a fixture

BY_DEFAULT = ConvertField(
    NAME,
    before=Field("name", "str"),
    after=Field("name", "int", default=0),
    on_failure="default",
    default=0,
)
LOSSY: dict[str, Operation] = {
    "a field is removed": RemoveField(NAME, "kind"),
    "a value is replaced": BY_DEFAULT,
    "a value is quarantined": ConvertField(
        NAME,
        before=Field("name", "str"),
        after=Field("name", "int"),
        on_failure="quarantine",
    ),
    "a function without an inverse": Transform(NAME, lambda old: {"price": old["price"] * 7}, before=Price),
}
"""Changes that cannot be undone without the original."""


def set_price(client: redis.Redis, storage: Storage, key: str, price: int) -> None:
    if storage is Storage.HASH:
        client.hset(key, "price", str(price))
    else:
        client.execute_command("JSON.SET", key, "$.price", str(price))


@both
@pytest.mark.parametrize("kind", LOSSY)
def test_originals_of_documents_that_were_written_since_are_restored(
    client: redis.Redis, storage: Storage, kind: str
) -> None:
    """Only what was written since differs from before; what a run alone could not bring back is back."""
    before = load(client, storage)
    one = change(storage, LOSSY[kind])
    assert do(client, forward(one)).is_complete
    field = "weight" if "function" in kind else "price"
    for copy in range(2):
        key = f"{PREFIX}{copy}1"
        if other(storage) is Storage.HASH:
            client.hset(key, field, "55")
        else:
            client.execute_command("JSON.SET", key, f"$.{field}", "55")
    undone = do(client, back(one))
    assert (undone.outcome, undone.originals, undone.unrestored) == (Outcome.DONE, 4, ())
    for copy in range(2):
        key = f"{PREFIX}{copy}1"
        assert float(values(client, key)[field]) == 55
        number = json.loads(JSON[1])[field] if storage is Storage.JSON else HASH[1][field]
        if storage is Storage.HASH:
            client.hset(key, field, number)
        else:
            client.execute_command("JSON.SET", key, f"$.{field}", json.dumps(number))
    assert difference(before, documents(client)) == []
    assert [key for key in client.scan_iter(match="redstart:20261130*") if b":fence" not in key] == []


@both
@pytest.mark.parametrize("kind", LOSSY)
def test_an_original_that_was_overwritten_since_is_kept_and_reported(
    client: redis.Redis, storage: Storage, kind: str
) -> None:
    load(client, storage)
    original = values(client, f"{PREFIX}00")
    one = change(storage, LOSSY[kind])
    assert do(client, forward(one)).is_complete
    key, field = f"{PREFIX}00", _field(kind)
    written = "old" if field == "kind" else "5"
    if other(storage) is Storage.HASH:
        client.hset(key, field, written)
        client.hdel(key, f"{field}__invalid")
    else:
        client.execute_command("JSON.SET", key, f"$.{field}", '"old"' if field == "kind" else "5")
        client.execute_command("JSON.DEL", key, f"$.{field}__invalid")
    undone = do(client, back(one))
    assert undone.outcome is Outcome.PROBLEMS_FOUND
    assert [(one.key, one.path) for one in undone.unrestored] == [(key, field)]
    assert str(original[field]) in undone.unrestored[0].value
    assert client.type(key) == storage.key_type
    assert str(values(client, key)[field]) == written
    keys = one.context(base()).keys
    assert client.hexists(keys.unrestored, key)
    assert not client.exists(keys.originals)
    assert do(client, find_data_damage(keys)) == []
    # The next run and its rollback do not touch them; they go on request.
    assert do(client, forward(one)).is_complete
    assert do(client, back(one)).outcome is Outcome.DONE
    assert client.hexists(keys.unrestored, key)
    assert do(client, drop_undo_log_of_data(one.context(base())))
    assert not client.exists(keys.unrestored)


def _field(kind: str) -> str:
    return "kind" if "removed" in kind else "price" if "function" in kind else "name"


@pytest.mark.sample(1)
@both
def test_a_rollback_of_documents_written_since_is_resumed_at_any_request(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    one = change(storage, BY_DEFAULT)

    def written_since() -> None:
        load(client, storage)
        do(client, forward(one))
        for number in range(3):
            set_price(client, other(storage), f"{PREFIX}0{number}", 90 + number)

    written_since()
    assert do(client, back(one)).outcome is Outcome.DONE
    expected = documents(client)
    assert {str(values(client, f"{PREFIX}00")["name"]), str(values(client, f"{PREFIX}01")["name"])} == {
        "oak",
        "ash ü",
    }
    writes = ("read_replaced", "replace_documents", "restore_replaced", "commit")
    resumes_at_every_request(
        client, url, written_since, lambda: back(one), expected, writes=writes, every=EVERY
    )


@both
def test_originals_stay_while_a_document_changes_all_the_time(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    before = load(client, storage)
    one = change(storage, LOSSY["a field is removed"])
    assert do(client, forward(one)).is_complete
    key, prices = f"{PREFIX}00", iter(range(10, 10_000))

    def write(_: str) -> None:
        if client.type(key) == other(storage).key_type:
            set_price(client, other(storage), key, next(prices))

    write("")
    with (
        CrashDriver(url, before=write) as driver,
        pytest.raises(MigrationError, match="written again at each attempt"),
    ):
        driver.run(back(one))
    assert client.exists(one.context(base()).keys.originals)
    assert do(client, back(one)).outcome is Outcome.DONE
    number = json.loads(JSON[0])["price"] if storage is Storage.JSON else HASH[0]["price"]
    set_price(client, storage, key, number)
    assert difference(before, documents(client)) == []


@both
@pytest.mark.parametrize("document_bytes", [500, 20_000], ids=["many", "larger than a page"])
def test_a_reply_has_at_most_a_page_or_one_document(
    client: redis.Redis, url: str, storage: Storage, document_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the server needs to keep a document: these are compressed in the originals."""
    page_bytes = 5_000
    for module in (storage_changes, changed_documents):
        monkeypatch.setattr(module, "PAGE_BYTES", page_bytes)
    keys = [f"{PREFIX}{number}" for number in range(12)]
    content = {"name": "x" * document_bytes, "kind": "new", "price": 1}
    for key in keys:
        if storage is Storage.JSON:
            client.execute_command("JSON.SET", key, "$", json.dumps(content))
        else:
            client.hset(key, mapping={name: str(value) for name, value in content.items()})
    before = documents(client)
    one = change(storage, RemoveField(NAME, "kind"))
    assert do(client, forward(one)).is_complete
    for key in keys:
        set_price(client, other(storage), key, 2)
    with CountingProxy(urlsplit(url).path) as proxy, open_sync(proxy.url) as driver:
        assert driver.run(back(one)).outcome is Outcome.DONE
    assert proxy.most_at_once < page_bytes + max(page_bytes, document_bytes) + 1_000
    assert {int(values(client, key)["price"]) for key in keys} == {2}
    for key in keys:
        set_price(client, storage, key, 1)
    assert difference(before, documents(client)) == []
