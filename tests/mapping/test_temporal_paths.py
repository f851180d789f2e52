# ruff: noqa: UP006, UP007, UP035, UP045 - models in the spellings that applications really use
"""Where a field keeps dates, by its annotation: what is planned, and what could be two things and is not."""

import collections.abc
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Dict, FrozenSet, List, Literal, Mapping, Optional, Sequence, Tuple, Union

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from redstart.mapping.fields import Field
from redstart.mapping.models import JsonModel
from redstart.mapping.temporal_paths import temporal_paths
from tests.mapping.dated_types import (
    Alias,
    Bound,
    Colour,
    Constrained,
    Data,
    Day,
    Generic1,
    GenericModel,
    Keyed,
    ListOf,
    Moment,
    Named,
    Nested,
    NestedDates,
    Other,
    Pair,
    Plain,
    PydanticData,
    Quoted,
    Root,
    Stamp,
    StampOrNothing,
    Text,
)


def survey(annotation: Any) -> tuple[list[str], list[str]]:
    """Planned paths of a field `f` as `path kind`, a `?` behind optional ones; and the unplanned paths."""
    paths = temporal_paths(create_model("Surveyed", __base__=JsonModel, f=(annotation, ...)))
    planned = [f"{path} {path.kind}{'?' if path.optional else ''}" for path in paths.planned]
    return planned, [path.path for path in paths.unplanned]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (datetime, ["f datetime"]),
        (date, ["f date"]),
        (Optional[datetime], ["f datetime?"]),
        (date | None, ["f date?"]),
        (Union[None, datetime], ["f datetime?"]),
        (pydantic.AwareDatetime, ["f datetime"]),
        (pydantic.NaiveDatetime, ["f datetime"]),
        (pydantic.PastDatetime, ["f datetime"]),
        (pydantic.FutureDatetime, ["f datetime"]),
        (Optional[pydantic.PastDate], ["f date?"]),
        (pydantic.FutureDate, ["f date"]),
        (pydantic.AwareDatetime | datetime, ["f datetime"]),
        (Annotated[datetime, "note"], ["f datetime"]),
        (Optional[Annotated[datetime, "note"]], ["f datetime?"]),
        (Annotated[Optional[datetime], Field(index=True)], ["f datetime?"]),
        (List[datetime], ["f[] datetime"]),
        (list[Optional[date]], ["f[] date?"]),
        (Optional[List[datetime]], ["f[] datetime"]),
        (Sequence[datetime], ["f[] datetime"]),
        (set[date], ["f[] date"]),
        (FrozenSet[datetime], ["f[] datetime"]),
        (collections.deque[date], ["f[] date"]),
        (Tuple[datetime, ...], ["f[] datetime"]),
        (tuple[datetime, str, date], ["f[0] datetime", "f[2] date"]),
        (Tuple[str, Optional[datetime]], ["f[1] datetime?"]),
        (Dict[str, datetime], ["f{} datetime"]),
        (Mapping[str, Optional[date]], ["f{} date?"]),
        (dict[date, int], []),
        (Dict[str, List[Tuple[int, datetime]]], ["f{}[][1] datetime"]),
        (List[List[date]], ["f[][] date"]),
        (Stamp, ["f.at datetime"]),
        (Optional[Stamp], ["f.at datetime"]),
        (List[StampOrNothing], ["f[].at datetime?"]),
        (Dict[str, Stamp], ["f{}.at datetime"]),
        (Plain, ["f.at datetime", "f.days[] date"]),
        (Data, ["f.at datetime", "f.inner.at datetime"]),
        (PydanticData, ["f.at datetime"]),
        (Generic1[date], ["f.value date", "f.values[] date", "f.more[]{} date"]),
        (
            Generic1[Optional[Stamp]],
            ["f.value.at datetime", "f.values[].at datetime", "f.more[]{}.at datetime"],
        ),
        (Keyed, ["f.at datetime", "f.maybe date?"]),
        (Named, ["f[1] datetime"]),
        (Root, ["f[] datetime"]),
        (GenericModel[datetime], ["f.value datetime"]),
        (GenericModel[GenericModel[List[date]]], ["f.value.value[] date"]),
        (Moment, ["f datetime"]),
        (Optional[Moment], ["f datetime?"]),
        (Alias, ["f datetime?"]),
        (ListOf[date], ["f[] date"]),
        (ListOf[ListOf[Stamp]], ["f[][].at datetime"]),
        (Pair[date, Pair[str, datetime]], ["f[0] date", "f[1][1] datetime"]),
        (Nested, []),
        (Quoted, ["f[].at datetime"]),
        (Union[Stamp, Other], ["f.at datetime"]),
        (Union[Other, Stamp, None], ["f.at datetime"]),
        (Union[Stamp, StampOrNothing], ["f.at datetime?"]),
        (Union[Stamp, str], ["f.at datetime"]),
        (Union[Stamp, List[Stamp]], ["f.at datetime", "f[].at datetime"]),
        (List[Union[Stamp, Other]], ["f[].at datetime"]),
        (Union[List[datetime], Tuple[datetime, ...]], ["f[] datetime"]),
        (Bound, ["f datetime"]),
        (Literal["2023-01-01"], []),
        (Colour, []),
        (str, []),
        (int, []),
        (float, []),
        (bool, []),
        (time, []),
        (timedelta, []),
        (Any, []),
        (object, []),
        (list, []),
        (dict, []),
        (tuple, []),
        (tuple[()], []),
        (Union[str, int], []),
        (Union[Dict[str, str], Other], []),
        (bytes, []),
    ],
    ids=str,
)
def test_planned_paths(annotation, expected):
    assert survey(annotation) == (expected, [])


@pytest.mark.parametrize(
    ("annotation", "planned", "unplanned"),
    [
        (datetime | date, [], ["f"]),
        (date | datetime, [], ["f"]),
        (Optional[Union[datetime, str]], [], ["f"]),
        (datetime | int, [], ["f"]),
        (float | datetime, [], ["f"]),
        (datetime | bool, [], ["f"]),
        (Union[datetime, Any], [], ["f"]),
        (Union[datetime, Literal["never"]], [], ["f"]),
        (Union[datetime, List[datetime]], [], ["f"]),
        (Union[datetime, Stamp], [], ["f"]),
        (datetime | time, [], ["f"]),
        (List[Union[datetime, str]], [], ["f[]"]),
        (Union[List[datetime], List[str]], [], ["f[]"]),
        (Dict[str, Union[date, str]], [], ["f{}"]),
        (Union[Stamp, Day], [], ["f.at"]),
        (Union[Stamp, Text], [], ["f.at"]),
        (Union[Text, Plain], ["f.days[] date"], ["f.at"]),
        (Union[Stamp, Dict[str, str]], [], ["f"]),
        (Union[Stamp, dict], [], ["f"]),
        (Union[Stamp, Any], [], ["f"]),
        (Union[Tuple[datetime, str], List[str]], [], ["f"]),
        (List[Union[Stamp, Dict[str, datetime]]], [], ["f[]"]),
        (Union[Tuple[datetime, str], Tuple[str, datetime]], [], ["f[0]", "f[1]"]),
        (Constrained, [], ["f"]),
        (NestedDates, ["f[] date"], ["f{}"]),
        (Pair[datetime | str, date], ["f[1] date"], ["f[0]"]),
    ],
    ids=str,
)
def test_what_could_be_two_things_is_not_planned(annotation, planned, unplanned):
    assert survey(annotation) == (planned, unplanned)


def test_the_message_contains_the_reason():
    class Model(JsonModel):
        when: Union[datetime, date, str]
        who: Union[Stamp, Dict[str, str]]

    assert [(path.path, path.reason) for path in temporal_paths(Model).unplanned] == [
        ("when", "declared as datetime or date or str: the type of a stored value is ambiguous"),
        (
            "who",
            "declared as a union of two structures: a path may be a date in one and not in the other",
        ),
    ]


def test_naive_only_if_nothing_else_is_declared():
    assert [
        p.naive for p in temporal_paths(create_model("M", f=(pydantic.NaiveDatetime | datetime, ...))).planned
    ] == [False]


LEAVES = st.sampled_from([(datetime, "datetime"), (date, "date"), (str, None), (int, None)])
WRAPPERS = st.lists(
    st.sampled_from(
        [
            (lambda kind: List[kind], "[]"),
            (lambda kind: Dict[str, kind], "{}"),
            (lambda kind: Tuple[str, kind], "[1]"),
            (lambda kind: Optional[kind], ""),
            (lambda kind: Annotated[kind, "note"], ""),
            (lambda kind: create_model("Inner", inner=(kind, ...)), ".inner"),
        ]
    ),
    max_size=5,
)


@given(LEAVES, WRAPPERS)
def test_any_nesting_of_one_type_gives_its_one_path(leaf, wrappers):
    annotation, kind = leaf
    path = ""
    for wrap, step in wrappers:
        annotation = wrap(annotation)
        path = step + path
    model = create_model("Model", f=(annotation, ...))
    paths = temporal_paths(model)
    assert paths.unplanned == ()
    assert [(str(p), p.kind.value) for p in paths.planned] == ([("f" + path, kind)] if kind else [])
