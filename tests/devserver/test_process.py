"""The life of a development server. Every wait is bounded; nothing is left behind by any of them."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.errors import EmbeddedServerError
from tests.support.processes import is_gone, processes_naming

Starter = Callable[..., EmbeddedServer]


def connect(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def private_directory(server: EmbeddedServer) -> Path:
    return Path(server.url.removeprefix("unix://")).parent


def test_both_modules_answer_at_once_and_queries_have_no_time_limit(own_server: Starter) -> None:
    with connect(own_server()) as client:
        assert client.execute_command("JSON.SET", "a", "$", '{"n": 1}')
        assert client.execute_command("FT.CREATE", "i", "ON", "JSON", "SCHEMA", "$.n", "AS", "n", "NUMERIC")
        modules = {module[b"name"]: module[b"args"] for module in client.module_list()}
        assert modules[b"search"] == [b"TIMEOUT", b"0", b"ON_TIMEOUT", b"FAIL"]
        assert b"ReJSON" in modules
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_nothing_is_freed_in_the_background(own_server: Starter) -> None:
    with redis.Redis.from_url(own_server().url) as client:
        policies = client.config_get("lazyfree-*")
    assert len(policies) >= 5
    assert set(policies.values()) == {"no"}


def test_modules_can_be_left_out(own_server: Starter) -> None:
    with connect(own_server(with_json=False)) as client:
        assert client.execute_command("FT._LIST") == []
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("JSON.GET", "a")
    with connect(own_server(with_search=False)) as client:
        assert client.execute_command("JSON.GET", "a") is None
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("FT._LIST")


def test_stop_leaves_no_process_and_no_directory(own_server: Starter, temporary: Path) -> None:
    server = own_server()
    pid, directory = server.pid, private_directory(server)
    assert directory.parent == temporary
    assert processes_naming(str(directory))
    server.stop()
    assert is_gone(pid)
    assert list(temporary.iterdir()) == []
    assert processes_naming(str(directory)) == []
    assert not server.is_running
    server.stop()


def test_the_log_is_there_while_the_server_is_and_empty_otherwise(own_server: Starter) -> None:
    server = EmbeddedServer()
    assert server.log_tail() == ""
    server = own_server()
    assert "Ready to accept connections" in server.log_tail()
    assert len(server.log_tail(lines=2).splitlines()) == 2
    server.stop()
    assert server.log_tail() == ""


@pytest.mark.parametrize("killed", [True, False])
def test_data_comes_back_with_an_append_only_file(own_server: Starter, killed: bool) -> None:
    server = own_server(append_only=True, append_sync="always" if killed else "everysec")
    before, url = server.pid, server.url
    with connect(server) as client:
        client.set("kept", "yes")
        client.execute_command("JSON.SET", "document", "$", '{"at":1}')
        client.execute_command("FT.CREATE", "i", "ON", "JSON", "SCHEMA", "$.at", "AS", "at", "NUMERIC")
    if killed:
        server.kill()
        assert not server.is_running
    server.restart()
    assert server.url == url
    assert server.pid != before
    assert is_gone(before)
    with connect(server) as client:
        assert client.get("kept") == b"yes"
        assert client.execute_command("JSON.GET", "document") == b'{"at":1}'
        assert client.execute_command("FT._LIST") == [b"i"]


def test_without_an_append_only_file_a_restart_begins_empty(own_server: Starter) -> None:
    server = own_server()
    with connect(server) as client:
        client.set("kept", "no")
    server.restart()
    with connect(server) as client:
        assert client.dbsize() == 0


def test_a_named_directory_keeps_the_data_for_the_next_server(own_server: Starter, tmp_path: Path) -> None:
    directory = tmp_path / "with 'quotes\" and spaces é" / "made by the server"
    first = own_server(directory=directory, append_only=True)
    with connect(first) as client:
        client.set("kept", "yes")
    first.stop()
    assert directory.is_dir()
    with connect(own_server(directory=directory, append_only=True)) as client:
        assert client.get("kept") == b"yes"


def test_a_relative_directory_is_that_of_the_current_one(
    own_server: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own_server(directory=Path("data"), append_only=True)
    assert (tmp_path / "data" / "appendonlydir").is_dir()


@pytest.mark.parametrize("append_sync", ["always", "no"])
def test_append_sync_reaches_the_server(own_server: Starter, append_sync: str) -> None:
    with connect(own_server(append_only=True, append_sync=append_sync)) as client:
        assert client.config_get("append*") | {"appendonly": "yes", "appendfsync": append_sync} == (
            client.config_get("append*")
        )


def test_two_servers_on_one_directory_are_refused_until_the_first_ends(
    own_server: Starter, tmp_path: Path
) -> None:
    first = own_server(directory=tmp_path, append_only=True)
    with pytest.raises(EmbeddedServerError, match="Another development server uses the directory") as caught:
        own_server(directory=tmp_path, append_only=True)
    assert str(tmp_path) in str(caught.value)
    assert first.is_running
    first.kill()
    assert own_server(directory=tmp_path, append_only=True).is_running


def test_two_servers_are_independent(own_server: Starter) -> None:
    first, second = own_server(), own_server()
    assert first.url != second.url
    with connect(first) as one, connect(second) as other:
        one.set("a", 1)
        assert other.dbsize() == 0
        first.stop()
        assert other.ping()


@pytest.mark.parametrize("password", ["plain", "a b\"c'd\\%@/:#?\n é"])
def test_a_password_is_needed_is_in_the_url_and_on_no_command_line(
    own_server: Starter, password: str
) -> None:
    server = own_server(password=password)
    with connect(server) as client:
        assert client.ping()
    with (
        redis.Redis.from_url("unix://" + server.url.partition("@")[2]) as anonymous,
        pytest.raises(redis.AuthenticationError),
    ):
        anonymous.ping()
    assert processes_naming(password) == []
    assert password not in server.log_tail(lines=1000)


def test_a_port_is_open_on_loopback_only_when_it_was_asked_for(own_server: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = own_server(port=port, password="secret")
    assert server.url == f"redis://:secret@127.0.0.1:{port}"
    with connect(server) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
    with connect(own_server()) as client:
        assert client.config_get("port") == {"port": "0"}


def test_a_port_that_is_taken_is_named_with_the_reason(own_server: Starter, temporary: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"cannot listen on port {port}: .*in use") as caught:
            own_server(port=port)
    assert "--port" in (caught.value.hint or "")
    assert list(temporary.iterdir()) == []


def test_a_server_that_dies_at_its_start_shows_its_log_and_leaves_nothing(
    own_server: Starter, temporary: Path
) -> None:
    with pytest.raises(EmbeddedServerError, match=r"ended while starting \(exit status 1\)") as caught:
        own_server(extra_arguments=("--no-such-setting", "1"))
    assert "no-such-setting" in (caught.value.hint or "")
    assert list(temporary.iterdir()) == []
    assert processes_naming(str(temporary)) == []


def test_a_server_that_never_answers_is_ended_after_the_bound(own_server: Starter, temporary: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"within 0\.3 seconds\. Its reply: -NOAUTH") as caught:
        own_server(extra_arguments=("--requirepass", "unknown to us"), start_timeout_seconds=0.3)
    assert "Ready to accept connections" in (caught.value.hint or "")
    assert list(temporary.iterdir()) == []
    assert processes_naming(str(temporary)) == []


def test_a_server_that_ignores_sigterm_is_killed_after_the_bound(own_server: Starter) -> None:
    server = own_server(stop_timeout_seconds=0.1)
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert is_gone(pid)


def test_a_server_that_died_can_be_seen_waited_for_and_restarted(own_server: Starter) -> None:
    server = own_server()
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    assert not server.is_running
    with pytest.raises(EmbeddedServerError, match="not running"):
        _ = server.pid
    server.restart()
    with connect(server) as client:
        assert client.ping()


def test_its_session_is_its_own_so_that_ctrl_c_does_not_reach_it(own_server: Starter) -> None:
    server = own_server()
    assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid
    assert os.getsid(server.pid) != os.getsid(0)


def test_misuse_is_an_error(own_server: Starter) -> None:
    idle = EmbeddedServer()
    for use in (lambda: idle.url, lambda: idle.pid, idle.wait):
        with pytest.raises(EmbeddedServerError, match=r"not (started|running)"):
            use()
    with pytest.raises(EmbeddedServerError, match="already running"):
        own_server().start()


def test_a_directory_that_cannot_be_created_is_an_error(own_server: Starter, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerError, match="Cannot use the directory"):
        own_server(directory=tmp_path / "file" / "below")


def test_a_temporary_directory_with_a_long_path_does_not_matter(
    own_server: Starter, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = temporary / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    server = own_server(directory=deep / ("e" * 90), append_only=True)
    assert len(str(private_directory(server))) < 100
    with connect(server) as client:
        assert client.ping()
    assert [entry.name for entry in deep.iterdir()] == ["e" * 90]
