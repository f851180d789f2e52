"""The schema text letter by letter, and FT.CREATE's words."""

from dataclasses import replace

import pytest

from redstart.search.schema import (
    FieldKind,
    Index,
    IndexField,
    VectorSettings,
    create_arguments,
    schema_hash,
    schema_text,
)
from redstart.values.types import Storage

TAG, NUMERIC, TEXT, GEO, VECTOR = (
    FieldKind.TAG,
    FieldKind.NUMERIC,
    FieldKind.TEXT,
    FieldKind.GEO,
    FieldKind.VECTOR,
)
FLAT = VectorSettings("FLAT", (("TYPE", "FLOAT32"), ("DIM", "3"), ("DISTANCE_METRIC", "L2")))


def in_hash(name: str, kind: FieldKind, **options: object) -> IndexField:
    return replace(IndexField(name, name, kind), **options)


def hash_index(*fields: IndexField) -> Index:
    return Index("i", Storage.HASH, ("p:",), fields)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (in_hash("f", TAG, separator="|"), "f TAG SEPARATOR |"),
        (in_hash("f", TAG), "f TAG"),
        (in_hash("f", NUMERIC, sortable=True), "f NUMERIC SORTABLE"),
        (in_hash("f", GEO), "f GEO"),
        (
            in_hash("f", TAG, separator=",", sortable=True, case_sensitive=True),
            "f TAG SEPARATOR , SORTABLE CASESENSITIVE",
        ),
        (IndexField("f", "f_fts", TEXT, sortable=True), "f AS f_fts TEXT SORTABLE"),
        (in_hash("f", VECTOR, vector=FLAT), "f VECTOR FLAT 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC L2"),
    ],
)
def test_text_of_a_field(field: IndexField, text: str) -> None:
    assert schema_text(hash_index(field)) == f"ON HASH PREFIX 1 p: SCHEMA {text}"


def test_json_fields_are_always_named() -> None:
    index = Index("i", Storage.JSON, ("p:",), (IndexField("$.a[*].b", "a_b", TAG, separator="|"),))
    assert schema_text(index) == "ON JSON PREFIX 1 p: SCHEMA $.a[*].b AS a_b TAG SEPARATOR |"


def test_fields_that_gave_nothing_leave_their_spaces() -> None:
    fields = tuple(IndexField(f"$.{name}", name, NUMERIC) for name in "abc")
    index = Index("i", Storage.JSON, ("p:",), fields, parts=(1, 0, 2, 0))
    assert schema_text(index).endswith("SCHEMA $.a AS a NUMERIC  $.b AS b NUMERIC $.c AS c NUMERIC ")
    assert create_arguments(index)[-1] == "NUMERIC"


def test_empty_parts_are_spelling_and_do_not_count_in_a_comparison() -> None:
    one = Index("i", Storage.JSON, ("p:",), (), parts=(0, 0))
    assert one == replace(one, parts=None)


def test_hash_of_the_text() -> None:
    assert schema_hash("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def test_words_are_those_of_the_text_where_that_can_be_split() -> None:
    index = hash_index(in_hash("a", TAG, separator="|"), in_hash("b", NUMERIC, sortable=True))
    assert create_arguments(index) == ("i", *schema_text(index).split())


def test_words_hold_what_a_text_cannot() -> None:
    index = Index("i", Storage.HASH, ("my prefix:",), (in_hash("a b", TAG, separator=" "),))
    assert create_arguments(index, name="j") == (
        *("j", "ON", "HASH", "PREFIX", "1", "my prefix:", "SCHEMA"),
        *("a b", "TAG", "SEPARATOR", " "),
    )
