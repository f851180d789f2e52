"""The law of a rollback: every document is restored byte for byte."""

import json
from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart.demo import sample as sample_names
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import MODES, migrate_all, undo_all
from tests.support.migration import SAME_INSTANT, TEXT, documents_of, own_keys
from tests.support.replies import send
from tests.support.snapshot import difference

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from([TEXT, *SAME_INSTANT, "2020-01-02", "null", "1600000000", 1600000000, 1600000000000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=5,
)
HASH_VALUES = st.binary(max_size=40) | st.sampled_from(
    [TEXT.encode(), b"null", b"0.0", b"1600000000000", b"2020-01-02"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from(MODES),
    hashes=st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys((b"born_on", b"licensed_at", b"last_seen_at", b"x"), HASH_VALUES)
        ),
        max_size=3,
    ),
    documents=st.lists(
        st.fixed_dictionaries(
            {"wing": JSON_VALUES},
            optional={
                "ringed_at": JSON_VALUES,
                "hatched_on": JSON_VALUES,
                "capture": st.fixed_dictionaries({"released_at": JSON_VALUES}) | JSON_VALUES,
                "resighted_at": st.lists(JSON_VALUES, max_size=3) | JSON_VALUES,
                "last_seen_by_place": st.dictionaries(st.sampled_from(sample_names.ODD_PLACES), JSON_VALUES)
                | JSON_VALUES,
                "measurements": st.lists(
                    st.fixed_dictionaries({"taken_at": JSON_VALUES, "n": JSON_VALUES}), max_size=2
                ),
            },
        ),
        max_size=3,
    ),
)
def test_the_undo_log_restores_anything(
    client: redis.Redis,
    url: str,
    mode: FailureMode,
    hashes: list[dict[bytes, bytes]],
    documents: list[dict[str, Any]],
) -> None:
    client.flushall()
    for number, fields in enumerate(hashes):
        if fields:
            send(
                client,
                [("HSET", f"{RINGER_PREFIX}{number}", *(part for pair in fields.items() for part in pair))],
            )
    send(client, [("JSON.SET", f"{SIGHTING_PREFIX}{n}", "$", json.dumps(d)) for n, d in enumerate(documents)])
    before = documents_of(client)
    migrate_all(url, mode)
    migrate_all(url, mode)
    undo_all(url)
    assert difference(before, documents_of(client)) == []
    assert own_keys(client) == []
