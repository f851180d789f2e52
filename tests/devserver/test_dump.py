"""A dump that lies in the directory of a development server with an append-only file."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.devserver.foreground import FOLDER_NAME, adopt_dump
from redstart.devserver.process import EmbeddedServer
from redstart.errors import EmbeddedServerError
from tests.devserver.test_foreground import serving
from tests.support.sample import load_sample
from tests.support.snapshot import difference, snapshot


@pytest.fixture
def dump(own_server: Callable[..., EmbeddedServer]) -> tuple[bytes, dict[bytes, object]]:
    """The bytes of a dump, and what was in the server that made it."""
    with redis.Redis.from_url(own_server().url) as client:
        load_sample(client, 60)
        client.execute_command("FT.CREATE", "visits", "PREFIX", 1, "station:visit:", "SCHEMA", "site", "TAG")
        client.save()
        return (Path(client.config_get("dir")["dir"]) / "dump.rdb").read_bytes(), dict(snapshot(client))


def test_om_server_starts_with_the_dump_and_keeps_what_comes_after(
    dump: tuple[bytes, dict[bytes, object]], tmp_path: Path
) -> None:
    contents, before = dump
    (tmp_path / "dump.rdb").write_bytes(contents)
    with serving(str(tmp_path)) as (process, url):
        with redis.Redis.from_url(url) as client:
            assert difference(before, snapshot(client)) == []
            assert client.execute_command("FT._LIST") == [b"visits"]
            client.set("later", "kept")
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    with serving(str(tmp_path)) as (_, url), redis.Redis.from_url(url) as client:
        assert client.get("later") == b"kept", "the append-only file goes on; the dump is not read again"
    assert (tmp_path / "dump.rdb").read_bytes() == contents


def test_a_dump_that_cannot_be_read_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS9999 nonsense")
    with serving(str(tmp_path)) as (process, url):
        assert url == ""
        _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "The development server ended while starting" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["dump.rdb"]


def test_without_a_dump_or_next_to_an_append_only_file_nothing_is_created(tmp_path: Path) -> None:
    assert not adopt_dump(tmp_path)
    assert not adopt_dump(tmp_path / "absent")
    (tmp_path / "dump.rdb").write_bytes(b"")
    (tmp_path / FOLDER_NAME).mkdir()
    assert not adopt_dump(tmp_path)
    assert list((tmp_path / FOLDER_NAME).iterdir()) == []


def test_a_directory_that_cannot_be_written_is_an_error_with_the_dump(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"")
    (tmp_path / f"{FOLDER_NAME}.unfinished").write_bytes(b"a file where a folder should be")
    with pytest.raises(EmbeddedServerError, match=r"Cannot start with the dump .*dump\.rdb"):
        adopt_dump(tmp_path)


@pytest.mark.parametrize("prepared", ["no directory", "a directory", "a dump"])
def test_data_is_for_this_user_only(
    own_server: Callable[..., EmbeddedServer],
    dump: tuple[bytes, dict[bytes, object]],
    tmp_path: Path,
    prepared: str,
) -> None:
    directory = tmp_path / "data"
    mask = os.umask(0)
    try:
        if prepared != "no directory":
            directory.mkdir(mode=0o755)
        if prepared == "a dump":
            (directory / "dump.rdb").write_bytes(dump[0])
            assert adopt_dump(directory)
            (directory / "dump.rdb").unlink()
        server = own_server(directory=directory, append_only=True)
        with redis.Redis.from_url(server.url) as client:
            client.set("secret", "text")
            client.save()
    finally:
        os.umask(mask)
    assert any(path.is_file() for path in directory.rglob("*"))
    readable = [path for path in _without_private_folders(directory) if path.lstat().st_mode & 0o077]
    assert readable == ([] if prepared == "no directory" else [directory])


def _without_private_folders(path: Path) -> list[Path]:
    """What another user could reach, were it readable: a folder, and what is in it unless only its owner enters."""
    if not path.is_dir() or not path.stat().st_mode & 0o077:
        return [path]
    return [path, *(found for inside in path.iterdir() for found in _without_private_folders(inside))]
