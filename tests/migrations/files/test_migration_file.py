"""Files of Redstart: which files of a directory are migrations, what they declare, and why one cannot be used."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import ConfigurationError, MigrationFileError
from redstart.migrations.files.migration_file import Migration, checksum, is_valid_id, load_files
from redstart.migrations.state_keys import DATETIME_MIGRATION
from tests.migrations.files.conftest import Write, migration

IMPORT = "from redstart.migrations.files.migration_file import Migration\n"
EMPTY = f'"""Nothing at all.\n\nMore text."""\n{IMPORT}migration = Migration()\n'
A = "20261101_090000_a"


def problems(directory: Path) -> list[tuple[str, int | None, str]]:
    return [(one.migration_id, one.line, one.reason) for one in load_files(directory).problems]


def test_a_file_is_its_name_its_text_and_what_it_declares(write: Write, directory: Path) -> None:
    path = write(f"{A}.py", EMPTY.replace("Migration()", 'Migration(dependencies=["b"])'))
    found = load_files(directory)
    (one,) = found.files.values()
    assert (found.where, found.problems, found.are_in_use) == (str(directory), (), True)
    assert (one.migration_id, one.source, one.description) == (A, str(path), "Nothing at all.")
    assert (one.dependencies, one.operations) == (("b",), ())
    assert one.checksum == checksum(path.read_bytes())


def test_a_directory_that_is_missing_has_no_files(tmp_path: Path) -> None:
    found = load_files(tmp_path / "nowhere")
    assert (found.files, found.problems, found.are_in_use) == ({}, (), False)


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "migrations").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be listed: Not a directory") as raised:
        load_files(tmp_path / "migrations")
    assert raised.value.hint == "Give the directory with --migrations-dir or REDIS_OM_MIGRATIONS_DIR."


def test_a_directory_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "migrations").symlink_to(tmp_path / "migrations")  # root may read what has no permissions
    with pytest.raises(ConfigurationError, match="cannot be listed: Too many levels of symbolic links"):
        load_files(tmp_path / "migrations")


def test_a_file_that_cannot_be_read_is_reported(directory: Path, write: Write) -> None:
    _ = write("20261102_090000_b.py", EMPTY)
    (directory / f"{A}.py").symlink_to(directory / f"{A}.py")
    assert problems(directory) == [(A, None, "OSError: Too many levels of symbolic links")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helpers", "raise SystemExit('executed')"),
        ("env", "from redstart.operations import Migration\nraise SystemExit('executed')"),
        ("0001_initial", "class Migration(migrations.Migration):\n    dependencies = 1 / 0"),
        ("broken", "def"),
        ("__init__", "migration = 1 / 0"),
        (".hidden", "migration = 1 / 0"),
        (A, migration(A) + "\nraise SystemExit('executed')"),
        (A, "import x\nclass A(x.BaseSchemaMigration): pass"),
    ],
)
def test_other_files_are_neither_executed_nor_reported(
    write: Write, directory: Path, name: str, text: str
) -> None:
    """Helpers, files of Alembic and Django, and those that redis-om's `DataMigrator` writes into this directory."""
    write(f"{name}.py", text)
    assert not load_files(directory).are_in_use


def test_directories_and_other_suffixes_are_no_files(write: Write, directory: Path) -> None:
    write("20261101_090000_a.txt", "migration = 1 / 0")
    (directory / "helpers.py").mkdir()
    assert not load_files(directory).are_in_use
    (directory / f"{A}.py").mkdir()
    assert problems(directory) == [(A, None, "not a regular file")]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("migration = Migration(", 1, "SyntaxError: '(' was never closed"),
        ("\n\nimport nowhere_at_all", 3, "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (f"{IMPORT}\nraise SystemExit(3)", 3, "SystemExit: 3"),
        (
            f"{IMPORT}\n\nmigration = Migration(1)",
            4,
            "MigrationFileError: dependencies must be a list, got 1",
        ),
        (
            f"{IMPORT}migration = Migration('abc')",
            2,
            "MigrationFileError: dependencies must be a list, got 'abc'",
        ),
        (
            f"{IMPORT}migration = Migration(operations=[3])",
            2,
            "MigrationFileError: operations contains 3, which is not an operation",
        ),
        (
            f"{IMPORT}migration = Migration(dependencies=[b'a'])",
            2,
            "MigrationFileError: dependencies contains b'a', which is not an id",
        ),
        (
            f"{IMPORT}migration = Migration",
            2,
            "its variable migration is the class Migration; write migration = Migration(...)",
        ),
        ("x = 1", None, "it does not assign the variable migration; write migration = Migration(...)"),
        ("\nmigration: object = None", 2, "its variable migration is not a Migration, but None"),
        ("migration = 1\ndel migration", 1, "its variable migration is not a Migration, but None"),
        (
            "class M:\n    def __repr__(self):\n        raise ValueError('no')\nmigration = M()",
            3,
            "ValueError: no",
        ),
        ("migration = '\x1b[31m'", 1, "its variable migration is not a Migration, but '\\x1b[31m'"),
    ],
)
def test_what_cannot_be_used_is_reported_with_its_line(
    write: Write, directory: Path, text: str, line: int | None, reason: str
) -> None:
    write(f"{A}.py", text)
    assert problems(directory) == [(A, line, reason)]
    assert load_files(directory).are_in_use


def test_bytes_that_are_no_text_are_reported(directory: Path) -> None:
    (directory / f"{A}.py").write_bytes(b"migration = '\xff'")
    ((name, _, reason),) = problems(directory)
    assert (name, "SyntaxError" in reason) == (A, True)


def test_the_line_is_that_of_the_file_if_a_helper_fails(
    write: Write, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helper_of_files.py").write_text("def help():\n    return 1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    write(f"{A}.py", "import helper_of_files\n\nhelper_of_files.help()")
    ((_, line, reason),) = problems(directory)
    assert line == 3
    assert reason.startswith("ZeroDivisionError: division by zero (")
    assert reason.endswith("helper_of_files.py, line 2)")


@pytest.mark.parametrize(
    "name", ["20261101_090000_a b", "20261101_090000_\x1b[31m", "-x", "20261101_090000_a'"]
)
def test_a_name_that_cannot_be_an_id_is_reported_and_not_executed(
    write: Write, directory: Path, name: str
) -> None:
    write(f"{name}.py", "migration = 1 / 0")
    ((found, line, reason),) = problems(directory)
    assert (found, line) == (name, None)
    assert reason.startswith("its name cannot be an id: use letters, digits, ")


@given(st.text(max_size=300))
def test_an_id_needs_no_quotes_and_no_escapes(text: str) -> None:
    if is_valid_id(text):
        assert text.isprintable()
        assert not set(text) & set(" '\"\\$`!*?[]{}()<>|&;#~/:\n\t")
        assert 0 < len(text) <= 200
        assert not text.startswith(("-", "."))


@pytest.mark.parametrize(
    ("one", "other"), [("a", "A"), ("\u00e5", "\u00c5"), ("\u00e5", "\u212b"), ("ss", "\u00df")]
)
def test_an_id_twice_is_reported_once(write: Write, directory: Path, one: str, other: str) -> None:
    """As a file system sees it that ignores case, or the code points of a letter: there, one of the two is lost."""
    for name in (one, other, "b"):
        write(f"20261101_090000_{name}.py", EMPTY)
    found = load_files(directory)
    assert len(found.problems) == 1
    assert "its id is also that of " in found.problems[0].reason
    assert len(found.files) == 2


def test_the_id_of_the_conversion_of_dates_is_taken(write: Write, directory: Path) -> None:
    write(f"{DATETIME_MIGRATION}.py", EMPTY)
    ((name, _, reason),) = problems(directory)
    assert (name, reason) == (
        DATETIME_MIGRATION,
        "its id is that of the conversion of dates, which Redstart contains",
    )


def test_the_ends_of_lines_do_not_change_the_checksum() -> None:
    assert checksum(b"a\r\nb\n") == checksum(b"a\nb\n") != checksum(b"a\nb")


@pytest.mark.parametrize("text", ['""" \n"""', "x = 1", '"""\x07a\tb"""', '"""' + "x" * 999 + '"""'])
def test_a_description_is_one_short_line(write: Write, directory: Path, text: str) -> None:
    write(f"{A}.py", f"{text}\n{IMPORT}migration = Migration()")
    (one,) = load_files(directory).files.values()
    assert one.description.isprintable()
    assert len(one.description) <= 200


def test_the_arguments_are_kept_as_tuples() -> None:
    one = Migration(dependencies=iter(["a"]), operations=[])  # type: ignore[arg-type]  # any iterable is read once
    assert (one.dependencies, one.operations) == (("a",), ())
    assert one == Migration(["a"])
    with pytest.raises(MigrationFileError, match="must be a list"):
        Migration(operations=None)  # type: ignore[arg-type]  # what a file may contain


def test_files_are_loaded_in_the_order_of_their_ids(write: Write, directory: Path) -> None:
    for name in ("20261102_090000_b", "20261101_090000_c", "x"):
        write(f"{name}.py", EMPTY)
    assert list(load_files(directory).files) == ["20261101_090000_c", "20261102_090000_b", "x"]


def test_no_name_of_a_file_stays_importable(write: Write, directory: Path) -> None:
    write(f"{A}.py", textwrap.dedent(EMPTY))
    import sys  # noqa: PLC0415 - the modules before and after are compared

    before = set(sys.modules)
    _ = load_files(directory)
    assert set(sys.modules) == before
