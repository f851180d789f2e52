"""docs/guide/rollback.md, from a backup: its own steps, in a shell, on servers with and without an append-only file."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.devserver.binaries import find_binaries
from redstart.devserver.process import EmbeddedServer
from tests.docs.examples import GUIDE, PROGRAMS
from tests.migrations.indexes.conftest import MODELS, make_legacy_indexes, total
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

PAGE = (GUIDE / "rollback.md").read_text(encoding="utf-8")
STEPS: dict[str, str] = dict(re.findall(r"<!-- step: ([\w -]+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))

SAVE_POINTS = ("--save", "3600 1")
"""So that a server that is shut down as usual would save over the dump."""


class Operator:
    """Who types the page's steps: `type_step` returns what they printed."""

    def __init__(self, folder: Path) -> None:
        self.data, self.backup, programs = folder / "data", folder / "backup", folder / "bin"
        for directory in (self.data, self.backup, programs):
            directory.mkdir()
        for name, words in PROGRAMS.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
            (programs / name).chmod(0o700)
        # The server is its own checker when it is called by this name.
        (programs / "redis-check-rdb").symlink_to(find_binaries().server)
        self._environment = os.environ | {
            "DATA": str(self.data),
            "BACKUP": str(self.backup),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path))),
            "REDSTART_MODELS": "redstart.demo.models",
        }

    def type_step(self, name: str, server: EmbeddedServer) -> str:
        done = self.type_lines(STEPS[name], {"REDIS_OM_URL": server.url})
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def type_lines(self, lines: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-e", "-c", lines],
            env=self._environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def client_of(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def found_by_indexes(client: redis.Redis) -> list[int]:
    return [total(client, model._meta.index_name) for model in MODELS]


@pytest.mark.sample(1)
@pytest.mark.parametrize("append_only", [False, True], ids=["appendonly no", "appendonly yes"])
def test_the_steps_bring_back_every_key_and_every_index(
    operator: Operator, own_server: Callable[..., EmbeddedServer], append_only: bool
) -> None:
    def start(**options: bool) -> EmbeddedServer:
        return own_server(directory=operator.data, extra_arguments=SAVE_POINTS, **options)

    server = start(append_only=append_only)
    with client_of(server) as client:
        load_sample(client, 300)
        make_legacy_indexes(client)
        before, found = snapshot(client), found_by_indexes(client)
        operator.type_step("back up", server)
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) != []
        client.set("written:since", "lost by a restore")
        operator.type_step("stop", server)
        server.wait()
    operator.type_step("put back", server)

    server = start(append_only=False)
    with client_of(server) as client:
        said = operator.type_step("look", server)
        assert said.startswith(f"{len(before)}\n")
        assert "Phase: pending (" in said
        assert said.count("outdated") == len(MODELS)
        assert difference(before, snapshot(client)) == []
        assert found_by_indexes(client) == found
        if append_only:
            while "aof_rewrite_in_progress:0" not in operator.type_step("append-only", server):
                pass
            assert "aof_last_bgrewrite_status:ok" in operator.type_step("append-only", server)

    server.stop()
    with client_of(start(append_only=append_only)) as client:
        assert difference(before, snapshot(client)) == []
        assert found_by_indexes(client) == found
    kept = {path.name for path in (operator.data / "before-restore").iterdir()}
    assert kept == {"dump.rdb"} | ({"appendonlydir"} if append_only else set())


def test_with_an_append_only_file_the_server_does_not_read_a_dump(
    operator: Operator, own_server: Callable[..., EmbeddedServer]
) -> None:
    """Neither beside the old one, nor without one: what the page warns of."""

    def start() -> EmbeddedServer:
        return own_server(directory=operator.data, append_only=True)

    server = start()
    with client_of(server) as client:
        load_sample(client, 60)
        operator.type_step("back up", server)
        migrated = snapshot(client, exclude_prefixes=STATE_PREFIXES)
    operator.type_step("stop", server)
    server.wait()
    server = start()
    with client_of(server) as client:
        assert difference(migrated, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
    operator.type_step("stop", server)
    server.wait()
    operator.type_step("put back", server)
    with client_of(start()) as client:
        assert client.dbsize() == 0


def test_a_usual_shutdown_saves_over_the_dump(
    operator: Operator, own_server: Callable[..., EmbeddedServer]
) -> None:
    server = own_server(directory=operator.data, extra_arguments=SAVE_POINTS, with_search=False)
    with client_of(server) as client:
        load_sample(client, 60)
        operator.type_step("back up", server)
        saved = (operator.data / "dump.rdb").read_bytes()
        client.shutdown()
    server.wait()
    assert (operator.data / "dump.rdb").read_bytes() != saved


def test_a_copy_that_was_cut_off_is_noticed_by_the_check(
    operator: Operator, own_server: Callable[..., EmbeddedServer]
) -> None:
    server = own_server(directory=operator.data)
    with client_of(server) as client:
        load_sample(client, 60)
    operator.type_step("back up", server)
    copy = operator.backup / "dump.rdb"
    copy.write_bytes(copy.read_bytes()[:-100])
    check = STEPS["back up"].splitlines()[-1]
    assert operator.type_lines(check, {}).returncode != 0


def test_the_page_has_these_steps_in_this_order() -> None:
    assert list(STEPS) == ["back up", "stop", "put back", "look", "append-only"]
