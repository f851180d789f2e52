"""Sequences in migration files: read once and copied, whatever iterable they are; a text is not a list of letters."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from redstart import operations
from redstart.operations import (
    Field,
    FieldKind,
    Index,
    IndexField,
    MergeFields,
    Migration,
    Model,
    RemoveModel,
    RunPython,
    SplitField,
    Storage,
    VectorSettings,
)

PARTS = (Field("first", "str"), Field("last", "str"))


def nothing(*_: Any) -> None:
    """Do nothing."""


Make = Callable[[Any], Any]
SEQUENCES: dict[str, tuple[Make, str, tuple[Any, ...]]] = {
    "Model.fields": (
        lambda given: Model("s.A", key_prefix="a:", storage=Storage.HASH, fields=given),
        "fields",
        PARTS,
    ),
    "Field.fields": (lambda given: Field("a", "object", fields=given), "fields", PARTS),
    "Index.prefixes": (lambda given: Index("i", Storage.HASH, given, ()), "prefixes", ("a:", "b:")),
    "Index.fields": (
        lambda given: Index("i", Storage.HASH, ("a:",), given),
        "fields",
        (IndexField("a", "a", FieldKind.TAG), IndexField("b", "b", FieldKind.TAG)),
    ),
    "Index.options": (
        lambda given: Index("i", Storage.HASH, ("a:",), (), given),
        "options",
        ("FILTER", "@a==1"),
    ),
    "Index.parts": (lambda given: Index("i", Storage.HASH, ("a:",), (), parts=given), "parts", (1, 0)),
    "IndexField.options": (
        lambda given: IndexField("a", "a", FieldKind.TEXT, options=given),
        "options",
        ("NOSTEM", "WITHSUFFIXTRIE"),
    ),
    "VectorSettings.attributes": (
        lambda given: VectorSettings("FLAT", given),
        "attributes",
        (("TYPE", "FLOAT32"), ("DIM", "2")),
    ),
    "Migration.dependencies": (lambda given: Migration(given, ()), "dependencies", ("a", "b")),
    "Migration.operations": (
        lambda given: Migration((), given),
        "operations",
        (RemoveModel("a"), RemoveModel("b")),
    ),
    "SplitField.into": (lambda given: SplitField("m", "name", given), "into", PARTS),
    "MergeFields.sources": (lambda given: MergeFields("m", given, Field("n", "str")), "sources", ("a", "b")),
    "RunPython.steps": (lambda given: RunPython(nothing, nothing, steps=given), "steps", ("a", "b")),
}
ITERABLES: dict[str, Callable[[tuple[Any, ...]], Iterable[Any]]] = {
    "list": list,
    "tuple": tuple,
    "generator": lambda values: (value for value in values),
    "iterator": iter,
    "dict view": lambda values: dict(enumerate(values)).values(),
}


@pytest.mark.parametrize("iterable", ITERABLES)
@pytest.mark.parametrize("name", SEQUENCES)
def test_each_iterable_is_read_once_and_copied(name: str, iterable: str) -> None:
    make, attribute, values = SEQUENCES[name]
    made = make(ITERABLES[iterable](values))
    assert [tuple(getattr(made, attribute)) for _ in range(2)] == [values, values]
    assert made == make(values)


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_list_that_changes_later_changes_nothing(name: str) -> None:
    make, attribute, values = SEQUENCES[name]
    given = list(values)
    made = make(given)
    given.clear()
    assert tuple(getattr(made, attribute)) == values


@pytest.mark.parametrize(
    "name", [name for name, (_, _, values) in SEQUENCES.items() if isinstance(values[0], str)]
)
def test_a_text_is_not_a_list_of_characters(name: str) -> None:
    """With a comma forgotten, an index would contain the keys with each of these letters at the beginning."""
    make, _, _ = SEQUENCES[name]
    with pytest.raises(Exception, match=r"list"):
        make("shop:order:")


def test_each_sequence_is_in_this_sweep() -> None:
    found = {
        f"{name}.{field.name}"
        for name in operations.__all__
        if dataclasses.is_dataclass(kind := getattr(operations, name))
        for field in dataclasses.fields(kind)
        if field.init
        and any(f"{one}[" in str(field.type) for one in ("Sequence", "Iterable", "tuple", "list"))
    }
    assert found == SEQUENCES.keys()
