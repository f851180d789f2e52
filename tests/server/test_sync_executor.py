"""The connection that stays at hand between operations: it is never one that is dead, or that others need."""

import itertools
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import redis

from redstart import HashModel
from redstart.devserver.process import EmbeddedServer
from redstart.server.sync_executor import ROOM_CONNECTIONS, server_of
from tests.support.processes import wait_until


class Note(HashModel):
    text: str = "t"


@pytest.fixture
def use(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., redis.Redis]:
    """Makes a client and has the model use it."""

    def made(**options: Any) -> redis.Redis:
        client = redis.Redis.from_url(url, **options)
        monkeypatch.setattr(Note._meta, "database", client)
        return client

    return made


def ids(client: redis.Redis) -> set[int]:
    """The server's numbers of its connections."""
    return {int(one["id"]) for one in client.client_list()}


def test_operations_one_after_the_other_use_the_same_connection(
    use: Callable[..., redis.Redis], url: str
) -> None:
    use()
    with redis.Redis.from_url(url) as watching:
        Note().save()
        before = ids(watching)
        for _ in range(5):
            assert Note.get(Note().save().pk).text == "t"
        assert ids(watching) == before


@pytest.mark.parametrize("nx", [False, True], ids=["repeatable", "NX"])
def test_one_that_the_server_closed_meanwhile(use: Callable[..., redis.Redis], url: str, nx: bool) -> None:
    use()
    Note().save()
    with redis.Redis.from_url(url) as watching:
        assert watching.execute_command("CLIENT", "KILL", "SKIPME", "yes") >= 1
    assert Note().save(nx=nx) is not None


def test_one_whose_client_was_closed(use: Callable[..., redis.Redis]) -> None:
    client = use()
    Note().save()
    client.close()
    client.connection_pool.disconnect()
    assert Note().save(nx=True) is not None


def test_one_with_an_unread_reply(use: Callable[..., redis.Redis]) -> None:
    """As a signal handler leaves it that talks over a connection in use."""
    client = use()
    note = Note().save()
    ((resting,),) = [held.resting for held in server_of(client)._held.values()]
    resting._connection.send_command("ECHO", "somebody's answer")
    wait_until(resting._connection.can_read, "that answer")
    assert Note.get(note.pk) == note


def test_a_server_that_was_restarted(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = own_server()
    monkeypatch.setattr(Note._meta, "database", redis.Redis.from_url(started.url))
    Note().save()
    started.kill()
    started.start()
    assert Note().save(nx=True) is not None


@pytest.mark.parametrize("room", [1, ROOM_CONNECTIONS - 1])
def test_none_is_kept_from_a_pool_with_little_room(use: Callable[..., redis.Redis], room: int) -> None:
    client = use(max_connections=room)
    Note().save()
    taken = [client.connection_pool.get_connection() for _ in range(room)]
    for connection in taken:
        client.connection_pool.release(connection)


def test_no_more_than_one_is_kept(use: Callable[..., redis.Redis]) -> None:
    client = use(max_connections=ROOM_CONNECTIONS)
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        for _ in range(20):
            assert Note.get(Note(text="x").save().pk).text == "x"

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    free = client.connection_pool
    taken = [free.get_connection() for _ in range(ROOM_CONNECTIONS - 1)]
    with pytest.raises(redis.ConnectionError):
        free.get_connection()
    assert Note().save(), "it has the one that stayed"
    for connection in taken:
        free.release(connection)


def interrupted(act: Callable[[], object], step: int) -> bool:
    """Do this, with Ctrl-C before a step of the server's and its locks' Python; False if it has not so many."""
    steps = itertools.count()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename.endswith(("sync_executor.py", "threading.py")):
            if event in {"line", "return"} and next(steps) == step:
                raise KeyboardInterrupt
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.timeout(20)
def test_interruptions_take_no_room(use: Callable[..., redis.Redis], monkeypatch: pytest.MonkeyPatch) -> None:
    """While a connection is given back, which takes longer than all else that is done here in Python."""
    client = use(max_connections=1)
    note = Note().save()
    give_back = client.connection_pool.release

    def interrupted_release(connection: Any) -> None:
        give_back(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(client.connection_pool, "release", interrupted_release)
    with pytest.raises(KeyboardInterrupt):
        Note.get(note.pk)
    monkeypatch.undo()
    monkeypatch.setattr(Note._meta, "database", client)
    assert Note.get(note.pk) == note


@pytest.mark.timeout(20)
@pytest.mark.parametrize("room", [ROOM_CONNECTIONS - 1, ROOM_CONNECTIONS], ids=["none rests", "one rests"])
def test_an_interruption_anywhere_leaves_no_client_waiting(
    use: Callable[..., redis.Redis], room: int
) -> None:
    use(max_connections=room)
    note = Note().save()
    for step in itertools.count():
        use(max_connections=room)
        if not interrupted(lambda: Note.get(note.pk), step):
            break
        assert Note.get(note.pk) == note
    assert step > 10
