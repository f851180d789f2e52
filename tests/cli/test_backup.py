"""`run --backup`: what the file holds is the data as it was before the first write."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from tests.support.cli import run_om
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot


@pytest.fixture
def own_station(
    configured: str, own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> redis.Redis:
    """A client of a server of this test's own, with 60 documents, which the environment names."""
    server = own_server()
    monkeypatch.setenv("REDIS_OM_URL", server.url)
    client = redis.Redis.from_url(server.url)
    load_sample(client, 60)
    return client


def file_of(client: redis.Redis) -> Path:
    return Path(client.config_get("dir")["dir"]) / "dump.rdb"


def test_the_file_brings_back_what_was_there(
    own_station: redis.Redis, own_server: Callable[..., EmbeddedServer], tmp_path: Path
) -> None:
    before = snapshot(own_station)
    found = run_om("migrate-data", "run", "--backup")
    assert (found.code, "The server saved its data at " in found.stderr) == (0, True)
    assert difference(before, snapshot(own_station, exclude_prefixes=STATE_PREFIXES)) != []

    (tmp_path / "dump.rdb").write_bytes(file_of(own_station).read_bytes())
    with redis.Redis.from_url(own_server(directory=tmp_path).url) as restored:
        assert difference(before, snapshot(restored)) == []


def test_without_it_nothing_is_saved(own_station: redis.Redis) -> None:
    assert run_om("migrate-data", "run").code == 0
    assert not file_of(own_station).exists()


def test_with_json_only_the_result_is_on_stdout(own_station: redis.Redis) -> None:
    found = run_om("migrate-data", "run", "--backup", "--json")
    assert (found.code, found.json["status"]) == (0, "completed")
    assert "CONFIG GET dbfilename" in found.stderr


def test_a_save_that_fails_refuses_the_run_before_any_write(own_station: redis.Redis) -> None:
    before = snapshot(own_station)
    file_of(own_station).mkdir()
    found = run_om("migrate-data", "run", "--backup")
    assert found.code == 1
    assert "Backup failed" in found.stderr
    assert "INFO persistence" in found.stderr
    assert difference(before, snapshot(own_station)) == []


@pytest.mark.parametrize("words", [("--dry-run",), ("--limit", "0")])
def test_where_nothing_is_run_nothing_is_saved(own_station: redis.Redis, words: tuple[str, ...]) -> None:
    found = run_om("migrate-data", "run", "--backup", *words)
    assert found.code == 0
    assert ("no backup was made" in found.stderr) is (words == ("--dry-run",))
    assert own_station.info("persistence")["rdb_saves"] == 0


def test_progress_shows_a_save_under_way(configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
    """`run --backup` waits for it before it takes the lease."""
    server = own_server(extra_arguments=("--rdb-key-save-delay", "5000000"))
    with redis.Redis.from_url(server.url) as client:
        client.set("a", 1)
        assert "saving" not in run_om("--url", server.url, "migrate-data", "progress").stdout
        client.bgsave()
        assert "The server is saving" in run_om("--url", server.url, "migrate-data", "progress").stdout
        client.execute_command("FLUSHALL", "SYNC")  # ends the save
