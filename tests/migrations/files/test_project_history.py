"""The history: files in order beside the ledger, every difference with its next command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import MigrationFileError, UnknownMigrationError
from redstart.migrations.files.declarations import Problem
from redstart.migrations.files.graph import heads, require_single_head, with_dependencies
from redstart.migrations.files.ledger import Ledger, LedgerEntry
from redstart.migrations.files.migration_file import LoadedFiles, Migration, MigrationFile
from redstart.migrations.files.project_history import (
    DifferenceKind,
    FileState,
    ProjectHistory,
    project_history,
)

IDS = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(IDS, st.lists(IDS, max_size=3), max_size=8)


def file(name: str, *dependencies: str, checksum: str = "1") -> MigrationFile:
    return MigrationFile(name, f"m/{name}.py", checksum, "", Migration(dependencies))


def ledger(**checksums: str) -> Ledger:
    entries = {name: LedgerEntry(name, one, 0, "ci@host", 1, ()) for name, one in checksums.items()}
    return Ledger(entries, {})


def history(
    *files: MigrationFile, problems: tuple[Problem, ...] = (), others: tuple[str, ...] = (), **checksums: str
) -> ProjectHistory:
    loaded = LoadedFiles("m", {one.migration_id: one for one in files}, problems)
    return project_history(loaded, ledger(**checksums), others)


def states(found: ProjectHistory) -> dict[str, str]:
    return {item.migration_id: item.state.value for item in found.items}


def kinds(found: ProjectHistory) -> list[tuple[str, str | None]]:
    return [(one.kind.value, one.migration_id) for one in found.differences()]


CHAIN = (file("a"), file("b", "a"), file("c", "b"))


def test_what_is_applied_pending_edited_and_gone() -> None:
    found = history(*CHAIN, a="1", b="2", z="1")
    assert states(found) == {"a": "applied", "b": "edited", "c": "pending", "z": "without_file"}
    assert [one.migration_id for one in found.pending] == ["c"]
    assert found.current == ("b", "z")
    assert found.heads == ("c",)
    assert kinds(found) == [("edited", "b"), ("without_file", "z"), ("pending", "c")]
    with pytest.raises(MigrationFileError, match="b was edited after it was applied") as raised:
        found.require_runnable()
    assert raised.value.message.endswith("\n... 1 more")
    assert raised.value.hint == (
        "Restore the file from version control, or accept the edited file with: om migrate stamp b"
    )


def test_pending_files_do_not_prevent_a_run() -> None:
    found = history(*CHAIN, a="1")
    found.require_runnable()
    assert kinds(found) == [("pending", "b"), ("pending", "c")]
    history().require_runnable()


@pytest.mark.parametrize(
    ("found", "kind", "message", "hint"),
    [
        (
            history(file("a", "x")),
            "unusable",
            "m/a.py: a depends on x, which has no file in m",
            "Correct the file",
        ),
        (
            history(file("a", "b"), file("b", "a")),
            "unusable",
            "m/a.py: migrations depend on each other in a cycle: a -> b -> a",
            "Correct the file",
        ),
        (
            history(problems=(Problem("a", "m/a.py", 3, "SyntaxError: no"),)),
            "unusable",
            "m/a.py, line 3: SyntaxError: no",
            "Correct the file",
        ),
        (
            history(file("a"), file("b", "a"), file("c", "a")),
            "heads",
            "The migration files in m have 2 heads: b, c. Their order is not defined.",
            "om migrate merge",
        ),
        (history(*CHAIN, a="2"), "edited", "a was edited after it was applied", "om migrate stamp a"),
        (history(z="1"), "without_file", "m has no such file", "om migrate stamp --remove z"),
        (history(*CHAIN, b="1"), "out_of_order", "b is recorded as applied, but a, on", "om migrate stamp a"),
    ],
)
def test_each_difference_names_what_it_is_about_and_the_next_command(
    found: ProjectHistory, kind: str, message: str, hint: str
) -> None:
    first = next(found.differences())
    assert (first.kind.value, message in first.message, hint in str(first.hint)) == (kind, True, True), first
    with pytest.raises(MigrationFileError) as raised:
        found.require_runnable()
    assert raised.value.message.startswith(first.message)
    if kind == "unusable":
        with pytest.raises(MigrationFileError):
            found.require_usable()
    else:
        found.require_usable()


def test_a_file_may_depend_on_migrations_of_redis_om() -> None:
    history(file("a", "theirs"), others=("theirs",)).require_runnable()


def test_a_file_that_is_applied_and_no_longer_usable_is_no_file_that_is_gone() -> None:
    found = history(problems=(Problem("a", "m/a.py", 3, "SyntaxError: no"),), a="1")
    assert states(found) == {"a": "unusable"}
    assert kinds(found) == [("unusable", "a")]
    assert found.items[0].entry is not None


def test_hostile_ids_of_a_record_are_shown_escaped() -> None:
    found = history(**{"a\x1b[31m\n": "1"})
    for one in found.differences():
        assert (one.message.isprintable(), str(one.hint).isprintable()) == (True, True)


def test_a_migration_is_found_by_the_beginning_of_its_id() -> None:
    found = history(file("2026_a"), file("2026_b", "2026_a"), file("2027", "2026_b"), file("2027_x", "2027"))
    assert found.item("2026_b").migration_id == found.item("2026_b").migration_id == "2026_b"
    assert found.item("2027").migration_id == "2027"
    with pytest.raises(MigrationFileError, match="2 migrations have an id with 2026: 2026_a, 2026_b"):
        found.item("2026")
    for unknown in ("", "y", "2028"):
        with pytest.raises(UnknownMigrationError):
            found.item(unknown)
    with pytest.raises(UnknownMigrationError, match="The migration '2026b' does not exist") as raised:
        found.item("2026b")
    assert raised.value.hint == "Did you mean: 2026_b\nList all with: om migrate history"


def test_a_migration_is_found_by_a_unique_part_of_its_id_after_the_time() -> None:
    names = [
        "20260101_000000_initial",
        "20260102_000000_order_total",
        "20260103_000000_total",
        "20260104_000000_2fa",
    ]
    found = history(*(file(name, *before) for name, before in zip(names, [(), *zip(names)], strict=False)))
    assert [
        found.item(part).migration_id for part in ("order_total", "order", "total", "2fa", "fa", "initial")
    ] == [*(names[1], names[1], names[2], names[3], names[3], names[0])]
    with pytest.raises(MigrationFileError, match=f"2 migrations have an id with ota: {names[1]}, {names[2]}"):
        found.item("ota")
    with pytest.raises(MigrationFileError, match="4 migrations have an id with 2026"):
        found.item("2026")
    with pytest.raises(UnknownMigrationError):
        found.item("000000")


@given(GRAPHS, st.dictionaries(IDS, st.sampled_from(["1", "2"])))
def test_every_file_and_every_record_is_in_the_history_once(
    graph: dict[str, list[str]], recorded: dict[str, str]
) -> None:
    found = history(*(file(name, *others) for name, others in graph.items()), **recorded)
    assert sorted(item.migration_id for item in found.items) == sorted({*graph, *recorded})
    for item in found.items:
        assert (item.entry is not None) == (item.migration_id in recorded)
        assert (item.file is not None) == (item.migration_id in graph)
    runnable = not [one for one in found.differences() if one.kind is not DifferenceKind.PENDING]
    if runnable:
        done = {name for name in recorded if name in graph}
        for pending in found.pending:
            assert set(pending.dependencies) <= done
            done.add(pending.migration_id)
        assert done == set(graph)
        assert {item.state for item in found.items} <= {FileState.APPLIED, FileState.PENDING}


@given(GRAPHS)
def test_heads_are_what_nothing_depends_on(graph: dict[str, list[str]]) -> None:
    files = {name: file(name, *others) for name, others in graph.items()}
    found = heads(files)
    assert set(found) == {name for name in graph if not any(name in others for others in graph.values())}
    if len(found) > 1:
        with pytest.raises(MigrationFileError, match=f"have {len(found)} heads") as raised:
            require_single_head(found, "m")
        assert raised.value.hint == "Join them with: om migrate merge"
    else:
        require_single_head(found, "m")


@given(GRAPHS, IDS)
def test_dependencies_are_closed(graph: dict[str, list[str]], start: str) -> None:
    files = {name: file(name, *others) for name, others in graph.items()}
    found = with_dependencies(start, files)
    assert found <= set(graph)
    assert (start in found) == (start in graph)
    for name in found:
        assert set(graph[name]) & set(graph) <= found
    for name in found - {start}:
        assert any(name in graph[other] for other in found)
