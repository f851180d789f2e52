"""The plan as data: its hash, its line on the server, what it merges with, and which keys are its own."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import PlanChangedError
from redstart.mapping.value_paths import Each, TemporalPath
from redstart.migrations.data.plan import Plan, PlannedModel, merged, router, scan_pattern
from redstart.values.types import Storage, TemporalKind

ID = "007_some_migration"
AT = TemporalPath(("at",), TemporalKind.DATETIME, False)
UNTIL = TemporalPath(("until",), TemporalKind.DATE, True)
VISIT = PlannedModel("visits.Visit", "station:visit:", "", Storage.HASH, (AT, UNTIL))
RINGER = PlannedModel("ringers.Ringer", "station:ringer:", "", Storage.JSON, (AT,))

names = st.text(max_size=8)
paths = st.builds(
    TemporalPath,
    st.lists(names | st.integers(0, 9) | st.sampled_from(Each), min_size=1, max_size=4).map(tuple),
    st.sampled_from(TemporalKind),
    st.booleans(),
)
models = st.builds(
    PlannedModel, names, names, names, st.sampled_from(Storage), st.lists(paths, max_size=3).map(tuple)
)
plans = st.builds(Plan, st.lists(models, max_size=3).map(tuple), names)


@given(plans)
def test_a_plan_comes_back_from_its_line_with_the_same_hash(plan: Plan) -> None:
    line = plan.to_json()
    found = Plan.from_json(line)
    assert "\n" not in line
    assert found.hash == plan.hash
    assert [set(model.paths) for model in found.models] == [set(model.paths) for model in plan.models]
    assert found.to_json() == line


@given(plans)
def test_the_hash_does_not_depend_on_the_order_of_imports_or_on_names(plan: Plan) -> None:
    shuffled = [
        replace(model, name="renamed", paths=tuple(reversed(model.paths))) for model in reversed(plan.models)
    ]
    assert Plan(tuple(shuffled), plan.naive_timezone).hash == plan.hash


@pytest.mark.parametrize(
    "other",
    [
        replace(VISIT, key_prefix="station:visits:"),
        replace(VISIT, key_suffix=":v2"),
        replace(VISIT, storage=Storage.JSON),
        replace(VISIT, paths=(AT,)),
        replace(VISIT, paths=(AT, replace(UNTIL, kind=TemporalKind.DATETIME))),
        replace(VISIT, paths=(AT, replace(UNTIL, optional=False))),
        replace(VISIT, paths=(AT, replace(UNTIL, segments=("until", Each.ITEM)))),
    ],
)
def test_what_has_to_be_converted_again_has_another_hash(other: PlannedModel) -> None:
    assert other.hash != VISIT.hash
    assert Plan((other,), "UTC").hash != Plan((VISIT,), "UTC").hash


def test_another_zone_is_another_plan() -> None:
    assert Plan((VISIT,), "UTC").hash != Plan((VISIT,), "Europe/Berlin").hash


def test_merging_keeps_what_was_converted_and_adds_what_is_new() -> None:
    added = TemporalPath(("left_at",), TemporalKind.DATETIME, False)
    today = Plan((replace(VISIT, name="visits.v2.Visit", paths=(UNTIL, added)),), "UTC")
    found = merged(Plan((RINGER, VISIT), "UTC"), today, ID)
    assert [model.name for model in found.models] == ["ringers.Ringer", "visits.v2.Visit"]
    assert found.models[1].paths == (AT, UNTIL, added)
    assert merged(None, today, ID) is today


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (
            Plan((VISIT,), "Europe/Berlin"),
            "in the time zone UTC, and would now be interpreted in Europe/Berlin",
        ),
        (Plan((replace(VISIT, storage=Storage.JSON),), "UTC"), "'station:visit:' were converted as hash"),
        (
            Plan((replace(VISIT, paths=(replace(AT, kind=TemporalKind.DATE),)),), "UTC"),
            "at was converted as a datetime and is now a date",
        ),
    ],
)
def test_a_contradiction_is_refused_with_the_command_that_undoes_it(today: Plan, said: str) -> None:
    with pytest.raises(PlanChangedError) as refused:
        merged(Plan((VISIT,), "UTC"), today, ID)
    assert said in refused.value.message
    assert refused.value.hint is not None
    assert refused.value.hint.endswith(f"om migrate-data rollback {ID}")


prefixes = st.text("ab*?[]\\^-", min_size=1, max_size=5)


@given(st.lists(prefixes, max_size=4, unique=True), st.binary(max_size=6))
def test_a_key_is_of_the_model_whose_prefix_it_has_and_the_pattern_lets_it_through(
    chosen: list[str], rest: bytes
) -> None:
    chosen = [one for one in chosen if not any(one != other and one.startswith(other) for other in chosen)]
    plan = Plan(tuple(replace(VISIT, key_prefix=prefix) for prefix in chosen), "UTC")
    route = router(plan)
    for model in plan.models:
        key = model.key_prefix.encode() + rest
        assert route(key) == (model if rest else None)
        # A pattern of escaped text and one star is that text as a prefix.
        literal = re.sub(rb"\\(.)", rb"\1", scan_pattern(plan)[:-1])
        assert key.startswith(literal)
    assert route(b"other" + rest) is None


def test_a_suffix_belongs_to_the_key() -> None:
    suffixed = replace(VISIT, key_suffix=":v2")
    route = router(Plan((suffixed,), "UTC"))
    assert route(b"station:visit:1:v2") == suffixed
    assert route(b"station:visit:1") is None
    assert route(b"station:visit::v2") is None


def test_a_plan_without_models_has_no_keys() -> None:
    empty = Plan((), "UTC")
    assert router(empty)(b"anything") is None
    assert scan_pattern(empty) == b"*"


@pytest.mark.parametrize(
    ("chosen", "pattern"),
    [
        (["station:visit:", "station:ringer:"], b"station:*"),
        (["a:", "b:"], b"*"),
        (["*[x]?\\:"], b"\\*\\[x\\]\\?\\\\:*"),
    ],
)
def test_the_pattern_is_the_shared_prefix(chosen: list[str], pattern: bytes) -> None:
    assert scan_pattern(Plan(tuple(replace(VISIT, key_prefix=one) for one in chosen), "UTC")) == pattern
