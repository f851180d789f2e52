"""Servers that are not a primary of their own: a node of a cluster, a replica, a primary without its replicas."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis

from redstart import DateMigration, HashModel
from redstart.devserver.process import EmbeddedServer
from redstart.errors import MigrationError, UnsupportedServerError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.server import protocol
from redstart.sync.data_migrations import DatetimeFieldMigration
from redstart.sync.index_migrations import Migrator
from tests.cli.conftest import MODELS
from tests.support.cli import Ended, refused, run_om
from tests.support.models import registry_of_its_own
from tests.support.processes import wait_until
from tests.support.sample import load_sample
from tests.support.servers import free_port
from tests.support.snapshot import snapshot

READING = (
    "migrate-data stats",
    "migrate-data stats --exact",
    "migrate-data run --dry-run",
    "migrate-data status",
    "migrate-data progress",
    "migrate-data verify --check-data",
    "migrate-data errors",
    f"migrate-data rollback --dry-run {ID}",
    "migrate run --dry-run",
)
WRITING = (
    "migrate-data run",
    "migrate-data run --backup",
    f"migrate-data rollback {ID}",
    "migrate-data clear-progress",
    f"migrate-data drop-undo-log {ID} --yes",
    "migrate-data force-unlock --yes",
    "migrate run",
    "migrate rollback",
    "migrate cleanup",
)

StartServer = Callable[..., EmbeddedServer]


@pytest.fixture
def node(own_server: StartServer, tmp_path: Path) -> Iterator[redis.Redis]:
    """One node of a cluster, which has all its slots."""
    known = tmp_path / "nodes.conf"
    known.write_text(
        f"{'a' * 40} 127.0.0.1:0@0 myself,master - 0 0 1 connected 0-16383\nvars currentEpoch 1 lastVoteEpoch 0\n",
        encoding="ascii",
    )
    options = ("--cluster-enabled", "yes", "--cluster-config-file", str(known))
    server = own_server(port=free_port(), extra_arguments=options)
    with redis.Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def pair(own_server: StartServer) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary with documents, and a replica that has them too."""
    at_once = ("--repl-diskless-sync-delay", "0")
    primary, replica = own_server(port=free_port(), extra_arguments=at_once), own_server()
    with redis.Redis.from_url(primary.url) as client, redis.Redis.from_url(replica.url) as other:
        load_sample(client, 60)
        other.replicaof("127.0.0.1", port_of(primary))
        wait_until(lambda: other.dbsize() == client.dbsize(), "the replica to have the documents")
    return primary, replica


def port_of(server: EmbeddedServer) -> int:
    return int(server.url.rpartition(":")[2])


def om(url: str, command: str) -> Ended:
    return run_om(*command.split(), "--url", url)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDSTART_MODELS", MODELS)


@pytest.mark.usefixtures("models")
def test_a_node_of_a_cluster_is_refused(node: redis.Redis) -> None:
    load_sample(node, 20)
    before = snapshot(node)
    url = f"redis://127.0.0.1:{node.connection_pool.connection_kwargs['port']}"
    for command in (*READING, *WRITING, "migrate status", "migrate-data check-schema"):
        refused(om(url, command), 1, "one node of a Redis Cluster", "--url")
    with registry_of_its_own():

        class Log(HashModel, index=True):
            at: datetime

        for work in (
            Migrator(conn=node).run,
            DatetimeFieldMigration(node).up,
            DatetimeFieldMigration(node).down,
        ):
            with pytest.raises(UnsupportedServerError, match="one node of a Redis Cluster"):
                work()
    assert snapshot(node) == before


@pytest.mark.usefixtures("models")
def test_a_replica_can_be_read_and_writing_commands_name_its_primary(
    pair: tuple[EmbeddedServer, EmbeddedServer],
) -> None:
    primary, replica = pair
    for command in READING:
        assert om(replica.url, command).code in (0, 3, 6), command
    with redis.Redis.from_url(replica.url) as client:
        before = snapshot(client)
        for command in WRITING:
            refused(
                om(replica.url, command),
                1,
                f"a replica of 127.0.0.1:{port_of(primary)}.",
                f"--url redis://127.0.0.1:{port_of(primary)}",
            )
        for work in (Migrator(conn=client).run, DatetimeFieldMigration(client).down):
            with pytest.raises(MigrationError, match=f"replica of 127.0.0.1:{port_of(primary)}"):
                work()
        primary.stop()
        wait_until(lambda: client.info("replication")["master_link_status"] == "down", "the link to be down")
        refused(om(replica.url, "migrate-data run"), 1, "its link to that primary is down", "--url redis://")
        assert snapshot(client) == before
        client.config_set("replica-serve-stale-data", "no")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0,))
            refused(
                om(replica.url, "migrate-data stats"),
                1,
                "Link with MASTER is down",
                " INFO replication",
            )


@pytest.mark.usefixtures("models")
def test_a_replica_that_has_no_data_of_its_primary_yet_says_nothing_of_the_documents(
    own_server: StartServer,
) -> None:
    server, nobody = own_server(), free_port()
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", nobody)
        for command in (*READING, "migrate status", "migrate-data check-schema"):
            refused(
                om(server.url, command), 1, "has not received the data", f"--url redis://127.0.0.1:{nobody}"
            )


@pytest.mark.usefixtures("models")
def test_what_a_replica_says_whose_link_is_down_is_of_an_earlier_time(
    pair: tuple[EmbeddedServer, EmbeddedServer], caplog: pytest.LogCaptureFixture
) -> None:
    primary, replica = pair
    for command in READING:
        assert "its link to that primary" not in om(replica.url, command).stderr, command
    primary.stop()
    with redis.Redis.from_url(replica.url) as client:
        wait_until(lambda: client.info("replication")["master_link_status"] == "down", "the link to be down")
    for command in READING:
        ended = om(replica.url, command)
        assert "its link to that primary has been down for" in ended.stderr, command
        assert ended.code in (0, 3, 6), command
    assert om(replica.url, "migrate-data stats --exact --json").json["documents"] == 60
    shown = om(replica.url, "migrate-data verify --verbose").stderr
    assert 0 <= shown.find("its link to that primary") < shown.find("verifying"), shown
    with caplog.at_level(logging.WARNING, "redstart"):
        DateMigration(url=replica.url).failures()
    assert "its link to that primary" in caplog.text


@pytest.mark.usefixtures("models")
def test_a_primary_without_its_replicas(own_server: StartServer) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        load_sample(client, 60)
        before = snapshot(client)
        client.config_set("min-replicas-to-write", 1)
        refused(
            om(server.url, "migrate-data run"),
            1,
            "good replicas",
            "min-replicas-to-write",
            " INFO replication",
            "Resume with: om migrate-data run",
        )
        assert snapshot(client) == before
        client.config_set("min-replicas-to-write", 0)
        assert om(server.url, "migrate-data run").code == 0
