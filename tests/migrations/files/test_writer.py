"""The source of migration files: it makes the operations again, and a formatter leaves it as it is."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import redstart.operations
from redstart.errors import MigrationStateError
from redstart.migrations.failure import FailureMode
from redstart.migrations.files.migration_file import Migration, load_files
from redstart.migrations.files.writer import PUBLIC_NAMES, data_template, migration_source
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.conversion import ConvertField
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.fields import AddField, AlterField, RemoveField
from redstart.migrations.operations.functions import RunPython, Transform
from redstart.migrations.operations.legacy_values import ConvertLocalMidnights, EncodeBytes, RemoveEmbeddedKey
from redstart.migrations.operations.models import (
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    CreateModel,
    RemoveModel,
    RenameModel,
)
from redstart.migrations.operations.moved_fields import MoveField, RenameField
from redstart.migrations.operations.split_merge import MergeFields, SplitField
from redstart.search.schema import FieldKind, Index, IndexField, VectorSettings
from redstart.values.types import Storage
from tests.migrations.operations.strategies import HOSTILE, MODEL, TEXTS, models
from tests.support.soak import SOAK

ANY_TEXT = st.text(max_size=8) | HOSTILE | TEXTS
OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | ANY_TEXT
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(UTC) | OFFSETS)
    | st.dates()
    | st.times()
    | st.timedeltas()
)
DEFAULTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Return an operation of any kind that contains data only, with names that need quotes."""
    name = draw(ANY_TEXT.filter(bool))
    one = FieldState(name, "Any", default=draw(DEFAULTS))
    other = FieldState(draw(ANY_TEXT.filter(bool)), "str")
    model = draw(models())
    settings_of_vector = VectorSettings(
        "FLAT", (("TYPE", "FLOAT32"), ("DIM", "3"), ("DISTANCE_METRIC", "L2"))
    )
    index = Index(
        name,
        Storage.JSON,
        (name,),
        (
            IndexField(f"$.{name}", name, FieldKind.TAG, separator=draw(st.none() | ANY_TEXT), sortable=True),
            IndexField("$.v", "v", FieldKind.VECTOR, vector=settings_of_vector),
        ),
        options=draw(st.sampled_from([(), ("FILTER", "@a==1")])),
        parts=draw(st.none() | st.just((1, 0, 1))),
    )
    return draw(
        st.sampled_from(
            [
                AddField(MODEL, one, within=draw(st.sampled_from(["", "lines[]"])), fill=draw(DEFAULTS)),
                AddField(MODEL, FieldState("o", "list[object]", fields=[one], is_optional=True)),
                RemoveField(MODEL, name),
                ConvertLocalMidnights(MODEL, name, timezone="Asia/Kolkata", within="lines[]"),
                EncodeBytes(MODEL, name, if_base64=draw(st.sampled_from(["encode", "keep"]))),
                RemoveEmbeddedKey(MODEL, "lines[]"),
                RenameField(MODEL, name, draw(ANY_TEXT), keep=draw(st.sampled_from([None, "old"]))),
                MoveField(MODEL, "a", "b.c"),
                AlterField(MODEL, before=one, after=one.replaced(default=draw(DEFAULTS))),
                ConvertField(
                    MODEL,
                    FieldState("a", "str"),
                    FieldState("a", "Literal['x', \"it's\"]"),
                    on_failure=draw(st.sampled_from(FailureMode)),
                    default=draw(DEFAULTS),
                    naive_timezone="Europe/Berlin",
                ),
                SplitField(MODEL, name, [one, other], separator=draw(ANY_TEXT), at="last"),
                MergeFields(MODEL, [name], other),
                CreateModel(model),
                CreateModel(model.replaced(index=index)),
                RemoveModel(name),
                RenameModel(name, MODEL),
                ChangeKeyPrefix(MODEL, name, draw(ANY_TEXT), suffix_after=draw(ANY_TEXT)),
                ChangeStorage(MODEL, Storage.HASH, Storage.JSON),
                AlterIndex(MODEL, before=None, after=index),
            ]
        )
    )


def executed(source: str) -> Migration:
    """Return the migration that the source of a file declares."""
    names: dict[str, Any] = {}
    exec(compile(source, "migration", "exec"), names)
    found = names["migration"]
    assert isinstance(found, Migration)
    return found


def check_round_trip(description: str, made: Sequence[Operation], dependencies: Sequence[str] = ()) -> str:
    source = migration_source(description, made, dependencies)
    read = executed(source)
    assert list(read.dependencies) == list(dependencies)
    assert list(read.operations) == list(made)
    assert repr(list(read.operations)) == repr(list(made))
    return source


@given(
    made=st.lists(operations(), max_size=3),
    description=ANY_TEXT | st.just('quotes """ and \\ at the end"'),
    dependencies=st.lists(ANY_TEXT, max_size=3),
)
def test_the_source_makes_the_same_operations(
    made: list[Operation], description: str, dependencies: list[str]
) -> None:
    _ = check_round_trip(description, made, dependencies)


def ruff(*arguments: str, source: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--isolated", "--stdin-filename", "migration.py", "-"],
        input=source.encode(errors="surrogatepass"),
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, (found.stderr.decode(), found.stdout.decode(), source)
    return found.stdout.decode()


def has_a_known_width(operation: Operation) -> bool:
    """Return whether all characters have a width on which everybody agrees."""
    source = migration_source("", [operation])
    return all(ord(char) < 0x300 or "\u4e00" <= char < "\u9fa0" for char in source)


# The same examples in each run: few of all texts differ in where a line is divided. `make soak` searches for them.
@pytest.mark.sample(1)
@settings(max_examples=8, deadline=None, phases=[Phase.generate], derandomize=not SOAK)
@given(data=st.data())
@pytest.mark.parametrize("width", [88, 110])
def test_a_formatter_leaves_the_source_as_it_is(width: int, data: st.DataObject) -> None:
    # Many operations for each start of the formatter.
    made = [one for one in (data.draw(operations()) for _ in range(25)) if has_a_known_width(one)]
    source = migration_source("Change much.", made, ["20261101_090000_initial"])
    assert ruff("format", f"--line-length={width}", source=source) == source
    _ = ruff("check", "--select=I,F,UP,E,W", "--ignore=E501", source=source)


@pytest.mark.sample(7)
@pytest.mark.parametrize("length", range(8, 16))
def test_wide_characters_and_accents_are_counted_as_a_formatter_counts(length: int) -> None:
    for text in ("\u4e2d" * length, "e\u0301" * 2 * length, "x" * 2 * length):
        source = migration_source("Add a.", [AddField(MODEL, FieldState("a", "str", default=text))])
        assert (f'AddField("{MODEL}", Field(' in source) is (length < 10)
        assert ruff("format", source=source) == source


def test_a_file_as_a_person_reads_it() -> None:
    priority = FieldState("priority", "int", default=0)
    tag = IndexField("name", "name", FieldKind.TAG, separator="|")
    before = Index("shop:order:index", Storage.HASH, ("shop:order:",), (tag,))
    after = Index("shop:order:index", Storage.HASH, ("shop:order:",), ())
    source = check_round_trip(
        "Rename Order.name to title, and add Order.priority.",
        [
            RenameField("shop.models.Order", "name", "title"),
            AddField("shop.models.Order", priority),
            AlterIndex("shop.models.Order", before=before, after=after),
        ],
        ["20261101_090000_initial"],
    )
    assert (
        source
        == '''"""Rename Order.name to title, and add Order.priority."""

from redstart.operations import (
    AddField,
    AlterIndex,
    Field,
    FieldKind,
    Index,
    IndexField,
    Migration,
    RenameField,
    Storage,
)

migration = Migration(
    dependencies=["20261101_090000_initial"],
    operations=[
        RenameField("shop.models.Order", "name", "title"),
        AddField("shop.models.Order", Field("priority", "int", default=0)),
        AlterIndex(
            "shop.models.Order",
            before=Index(
                name="shop:order:index",
                storage=Storage.HASH,
                prefixes=("shop:order:",),
                fields=(
                    IndexField(
                        identifier="name",
                        attribute="name",
                        kind=FieldKind.TAG,
                        separator="|",
                    ),
                ),
            ),
            after=Index(
                name="shop:order:index",
                storage=Storage.HASH,
                prefixes=("shop:order:",),
                fields=(),
            ),
        ),
    ],
)
'''
    )


class Level(Enum):
    LOW = 1


@pytest.mark.parametrize(
    ("default", "literal"),
    [
        (Level.LOW, "1"),
        (True, "True"),
        (1e16, "1e16"),
        (float("-inf"), 'float("-inf")'),
        (Decimal("1.10"), 'Decimal("1.10")'),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "datetime(2024, 1, 2, 3, tzinfo=UTC)"),
        (date(2024, 1, 2), "date(2024, 1, 2)"),
        (time(), "time()"),
        (timedelta(days=1, seconds=2), "timedelta(days=1, seconds=2)"),
        (UUID(int=0), 'UUID("00000000-0000-0000-0000-000000000000")'),
        ('say "x"', "'say \"x\"'"),
        ("it's", '"it\'s"'),
        (b"a\x00'", 'b"a\\x00\'"'),
        ({"a": [None]}, '{"a": [None]}'),
    ],
)
def test_a_default_and_its_literal(default: object, literal: str) -> None:
    source = check_round_trip("", [AddField(MODEL, FieldState("a", "Any", default=default))])
    assert f"default={literal}" in source
    assert source.startswith('"""A migration."""')


def test_an_operation_with_a_function_is_not_written() -> None:
    for operation in (RunPython(print), Transform(MODEL, print, before=dict)):
        with pytest.raises(MigrationStateError, match="cannot be written to a migration file"):
            migration_source("", [operation])


def test_each_name_of_a_file_is_public() -> None:
    public = {getattr(redstart.operations, name) for name in redstart.operations.__all__}
    kinds = {kind for kind in vars(redstart.operations).values() if isinstance(kind, type)}
    assert {kind for kind in kinds if issubclass(kind, Operation)} <= public
    for kind, name in PUBLIC_NAMES.items():
        assert getattr(redstart.operations, name) is kind


def test_the_template_for_data_is_a_valid_file(tmp_path: Path) -> None:
    source = data_template('Convert "prices".', ["20261101_090000_initial"])
    assert ruff("format", source=source) == source
    _ = ruff("check", "--select=I,F,UP,E,W,D", "--ignore=D203,D212,D213", source=source)
    (tmp_path / "20261102_090000_prices.py").write_text(source, encoding="utf-8")
    found = load_files(tmp_path)
    assert found.problems == ()
    (file,) = found.files.values()
    (operation,) = file.operations
    assert isinstance(operation, Transform)
    assert (file.dependencies, file.description) == (("20261101_090000_initial",), "Convert 'prices'.")
    assert operation.forward({"price": 1.5}) == {"price_cents": 150}
