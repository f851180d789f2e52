"""Declared migrations compared with the recorded ids."""

from pathlib import Path

import pytest
import redis

from redstart.errors import DataMigrationError, SchemaMigrationError, StateDamagedError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import DATA, SCHEMA, Kind
from redstart.migrations.files.loader import load_directory
from redstart.migrations.files.redis_om_history import (
    FilesStatus,
    applied_ids,
    files_status,
    mark_applied,
    mark_unapplied,
    refuse,
)
from redstart.server.clients import open_sync
from tests.migrations.files.conftest import Write, migration


def ids(found: FilesStatus) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return applied, pending, without a file, and the texts of problems."""
    return (
        [one.migration_id for one in found.applied],
        [one.migration_id for one in found.pending],
        list(found.without_file),
        [problem.reason for problem in found.problems],
    )


def look(directory: Path, *recorded: str) -> FilesStatus:
    return files_status(load_directory(directory, DATA), set(recorded), [DATETIME_MIGRATION])


def test_applied_pending_and_without_file(write: Write, directory: Path) -> None:
    write("a.py", migration("a", "c"))
    write("b.py", migration("b"))
    write("c.py", migration("c"))
    assert ids(look(directory)) == ([], ["b", "c", "a"], [], [])
    assert ids(look(directory, "a", "gone", "older")) == (["a"], ["b", "c"], ["gone", "older"], [])
    assert look(directory, "gone", "a").to_redis_om_dict() == {
        "total_migrations": 3,
        "applied_count": 2,
        "pending_count": 2,
        "applied_migrations": ["a", "gone"],
        "pending_migrations": ["b", "c"],
    }


def test_what_a_dependency_may_be(write: Write, directory: Path) -> None:
    """A recorded id without a file; or the built-in migration of dates."""
    write("a.py", migration("a", "gone", DATETIME_MIGRATION))
    assert ids(look(directory, "gone")) == ([], ["a"], ["gone"], [])
    assert ids(look(directory, DATETIME_MIGRATION))[2:] == (
        [],
        ["a depends on gone, which is neither declared nor recorded as applied"],
    )


def test_what_is_applied_needs_no_dependencies_and_need_not_be_read(write: Write, directory: Path) -> None:
    write("20240101_000000_a.py", "import what_is_gone")
    write("20240102_000000_b.py", migration("20240102_000000_b", "gone"))
    recorded = ("20240101_000000_a", "20240102_000000_b")
    assert ids(look(directory, *recorded)) == (["20240102_000000_b"], [], [], [])
    assert "what_is_gone" in look(directory, recorded[1]).problems[0].reason
    assert "depends on gone" in look(directory, recorded[0]).problems[0].reason


def test_one_id_in_two_files_is_a_problem_even_where_it_is_applied(write: Write, directory: Path) -> None:
    write("a.py", migration("same"))
    write("b.py", migration("same"))
    assert len(look(directory, "same").problems) == 1


@pytest.mark.parametrize(("kind", "error"), [(DATA, DataMigrationError), (SCHEMA, SchemaMigrationError)])
def test_problems_are_refused_with_the_next_step(
    write: Write, directory: Path, kind: Kind, error: type[Exception]
) -> None:
    write("20250101_000000_a.py", "\n1 / 0")
    write("20250101_000000_b.py", "1 / 0")
    found = load_directory(directory, kind)
    with pytest.raises(error) as caught:
        refuse(found.problems, found.where, kind)
    text = str(caught.value)
    assert f"{directory}/20250101_000000_a.py, line 2: ZeroDivisionError: division by zero" in text
    assert "... 1 more" in text
    assert text.endswith(str(kind.status_command))
    refuse((), found.where, kind)


@pytest.mark.parametrize("kind", [DATA, SCHEMA])
def test_the_record(url: str, client: redis.Redis, kind: Kind) -> None:
    with open_sync(url) as driver:
        assert driver.run(applied_ids(kind)) == set()
        for migration_id in ("20250101_000000_é", "a b\n", "a b\n"):
            driver.run(mark_applied(kind, migration_id))
        assert driver.run(applied_ids(kind)) == {"20250101_000000_é", "a b\n"}
        assert client.scard(kind.record) == 2
        driver.run(mark_unapplied(kind, "a b\n"))
        driver.run(mark_unapplied(kind, "never there"))
        client.sadd(kind.record, b"\xff")
        assert driver.run(applied_ids(kind)) == {"20250101_000000_é", "\\xff"}
        client.delete(kind.record)
        client.set(kind.record, "text")
        with pytest.raises(StateDamagedError, match="not a set"):
            driver.run(applied_ids(kind))
