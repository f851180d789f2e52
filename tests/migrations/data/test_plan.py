"""The plan as data: its hash, its line on the server, what it merges with, and which keys are its own."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import PlanChangedError, StateDamagedError
from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.plan import Plan, PlannedModel, merged, router, router_of_many, scan_pattern
from redstart.migrations.transformation import RecordedSettings
from redstart.values.types import Storage, TemporalKind

UTC, BERLIN = map(DatetimeConversion.of_zone, ("UTC", "Europe/Berlin"))
AT = ValuePath(("at",), TemporalKind.DATETIME, False)
UNTIL = ValuePath(("until",), TemporalKind.DATE, True)
VISIT = PlannedModel("visits.Visit", "station:visit:", "", Storage.HASH, (AT, UNTIL))
RINGER = PlannedModel("ringers.Ringer", "station:ringer:", "", Storage.JSON, (AT,))

names = st.text(max_size=8)
paths = st.builds(
    ValuePath,
    st.lists(names | st.integers(0, 9) | st.sampled_from(Each), min_size=1, max_size=4).map(tuple),
    st.sampled_from(TemporalKind),
    st.booleans(),
)
models = st.builds(
    PlannedModel, names, names, names, st.sampled_from(Storage), st.lists(paths, max_size=3).map(tuple)
)
settings = st.dictionaries(names.filter("models".__ne__), names, max_size=2).map(
    lambda found: tuple(found.items())
)
plans = st.builds(Plan, st.lists(models, max_size=3).map(tuple), settings)


@given(plans)
def test_a_plan_comes_back_from_its_line_with_the_same_hash(plan: Plan) -> None:
    line = plan.to_json()
    found = Plan.from_json(line)
    assert "\n" not in line
    assert found.hash == plan.hash
    assert [set(model.paths) for model in found.models] == [set(model.paths) for model in plan.models]
    assert found.to_json() == line


def test_a_plan_of_the_version_before_has_the_same_line_and_hash() -> None:
    line = (
        '{"naive_timezone":"Europe/Berlin","models":[{"name":"visits.Visit","key_prefix":"station:visit:",'
        '"key_suffix":"","storage":"hash","paths":[[["at"],"datetime",false],[["until"],"date",true]]},'
        '{"name":"r.Ringer","key_prefix":"station:ringer:","key_suffix":":x","storage":"json",'
        '"paths":[[["pair",0,{"each":"{}"},{"each":"[]"}],"date",false]],"excluded":["station:ringer:x:"]}]}'
    )
    pair = ValuePath(("pair", 0, Each.VALUE, Each.ITEM), TemporalKind.DATE, False)
    ringer = PlannedModel(
        "r.Ringer", "station:ringer:", ":x", Storage.JSON, (pair,), excluded=("station:ringer:x:",)
    )
    plan = Plan((VISIT, ringer), BERLIN.settings)
    assert (plan.to_json(), Plan.from_json(line)) == (line, plan)
    assert plan.hash == "20caa946581e61a8"
    assert [model.hash for model in plan.models] == ["7df67335ca30c470", "22b3f8dc10a65916"]


@pytest.mark.parametrize("kind", ["date", "moment"])
@pytest.mark.parametrize("settings", [(), UTC.settings])
def test_a_stored_plan_of_another_migration_is_damage(kind: str, settings: RecordedSettings) -> None:
    if (kind, settings) == ("date", UTC.settings):
        assert UTC.as_recorded(settings, {kind}).settings == settings
        return
    with pytest.raises(StateDamagedError, match="Unexpected content in redstart:"):
        UTC.as_recorded(settings, {kind})


@given(plans)
def test_the_hash_does_not_depend_on_the_order_of_imports_or_on_names(plan: Plan) -> None:
    shuffled = [
        replace(model, name="renamed", paths=tuple(reversed(model.paths))) for model in reversed(plan.models)
    ]
    assert Plan(tuple(shuffled), plan.settings).hash == plan.hash


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
    assert Plan((other,), UTC.settings).hash != Plan((VISIT,), UTC.settings).hash


def test_another_zone_is_another_plan() -> None:
    assert Plan((VISIT,), UTC.settings).hash != Plan((VISIT,), BERLIN.settings).hash


def test_merging_keeps_what_was_converted_and_adds_what_is_new() -> None:
    added = ValuePath(("left_at",), TemporalKind.DATETIME, False)
    today = Plan((replace(VISIT, name="visits.v2.Visit", paths=(UNTIL, added)),), UTC.settings)
    found = merged(Plan((RINGER, VISIT), UTC.settings), today, UTC)
    assert [model.name for model in found.models] == ["ringers.Ringer", "visits.v2.Visit"]
    assert found.models[1].paths == (AT, UNTIL, added)
    assert merged(None, today, UTC) is today


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (
            Plan((VISIT,), BERLIN.settings),
            "in the time zone UTC, and would now be interpreted in Europe/Berlin",
        ),
        (
            Plan((replace(VISIT, storage=Storage.JSON),), UTC.settings),
            "'station:visit:' were converted as hash",
        ),
        (
            Plan((replace(VISIT, paths=(replace(AT, kind=TemporalKind.DATE),)),), UTC.settings),
            "at was converted as a datetime and is now a date",
        ),
    ],
)
def test_a_contradiction_is_refused_with_the_command_that_undoes_it(today: Plan, said: str) -> None:
    with pytest.raises(PlanChangedError) as refused:
        merged(Plan((VISIT,), UTC.settings), today, UTC)
    assert said in refused.value.message
    assert refused.value.hint is not None
    assert refused.value.hint.endswith(f"om migrate-data rollback {DATETIME_MIGRATION}")


prefixes = st.text("ab*?[]\\^-", min_size=1, max_size=5)


@given(st.lists(prefixes, max_size=4, unique=True), st.binary(max_size=6))
def test_a_key_is_of_the_model_whose_prefix_it_has_and_the_pattern_lets_it_through(
    chosen: list[str], rest: bytes
) -> None:
    chosen = [one for one in chosen if not any(one != other and one.startswith(other) for other in chosen)]
    plan = Plan(tuple(replace(VISIT, key_prefix=prefix) for prefix in chosen), UTC.settings)
    route = router(plan)
    for model in plan.models:
        key = model.key_prefix.encode() + rest
        assert route(key) == (model if rest else None)
        # A pattern of escaped text and one star is that text as a prefix.
        literal = re.sub(rb"\\(.)", rb"\1", scan_pattern(plan)[:-1])
        assert key.startswith(literal)
    assert route(b"other" + rest) is None
    keys = [start + rest for start in (b"other", b"", *(model.key_prefix.encode() for model in plan.models))]
    expected = [(key, route(key)) for key in keys]
    assert router_of_many(plan)(keys) == [pair for pair in expected if pair[1] is not None]


@pytest.mark.parametrize(
    ("suffix", "excluded", "number"), [("", (), 6), (":v2", (), 2), ("", ("station:visit:1",), 4)]
)
def test_many_keys_are_routed_as_one_key_is(suffix: str, excluded: tuple[str, ...], number: int) -> None:
    plan = Plan((replace(VISIT, key_suffix=suffix, excluded=excluded),), UTC.settings)
    under = [b"station:visit:" + rest for rest in (b"1", b":v2", b"1:v2", b"2:v2", b"2\n", b"2")]
    for others in ([], [b"station:visit:"], [b"a"], [b"station:visits"], [b"z"]):
        keys = [*others, *under]
        found = router_of_many(plan)(keys)
        assert found == [(key, plan.models[0]) for key in keys if router(plan)(key) is not None]
        assert len(found) == number
    assert router_of_many(plan)([]) == []


def test_a_suffix_belongs_to_the_key() -> None:
    suffixed = replace(VISIT, key_suffix=":v2")
    route = router(Plan((suffixed,), UTC.settings))
    assert route(b"station:visit:1:v2") == suffixed
    assert route(b"station:visit:1") is None
    assert route(b"station:visit::v2") is None


def test_a_plan_without_models_has_no_keys() -> None:
    empty = Plan((), UTC.settings)
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
    assert (
        scan_pattern(Plan(tuple(replace(VISIT, key_prefix=one) for one in chosen), UTC.settings)) == pattern
    )
