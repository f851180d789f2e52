"""Documents that the server recognizes are what the general path classifies, whatever they contain."""

import itertools
import json
from collections import Counter
from typing import Any

import pytest
import redis

from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.plain_documents import counts_of
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.reader import read_documents
from redstart.migrations.data.recognition import Recognition, RecognizedPage
from redstart.server.clients import open_sync
from redstart.values.types import Storage, TemporalKind

TEXTS = [
    *(
        "2021-05-04T03:02:01.123456",
        "2021-05-04T03:02:01",
        "2021-05-04",
        "2021-05-04 03:02:01",
        "2021-05-04t03:02:01",
    ),
    *("2021-05-04T03:02:01Z", "2021-05-04T03:02:01+02:00", "2021-05-04T03:02", "2021-05-04T03:02:01.123"),
    *(
        "2021-02-29",
        "2021-02-30T00:00:00",
        "2021-04-31",
        "2021-00-10",
        "2021-13-10",
        "2021-10-00",
        "2020-02-29",
    ),
    *(
        "2021-05-04T24:00:00",
        "2021-05-04T23:59:60",
        "2021-05-04T23:60:00",
        "2021-05-04T20:00:00",
        "0001-01-01",
    ),
    *(
        "9999-12-31T23:59:59.999999",
        "1700-01-01",
        "1969-12-31T23:59:59.999999",
        "2021-05-04T03:02:01.12345678",
    ),
    *("2021-05-04\n", "2021-05-04T03:02:01\n", " 2021-05-04", "2021-05-04T", "12021-01-01T00:00:00"),
    *("", "N/A", "null", "nan", "inf", "0", "-0", "1.", ".5", "1e3", "+5", "1620000000", "1620000000.5"),
    *(
        "1620000000.123456789",
        "1620086400",
        "-86400.0",
        "99999999999",
        "253402300799",
        "253402300800",
        "1700000000123",
    ),
    *("0x10", "00000000000000000000000000000001", "1" * 70, "٢٠٢١-05-04", "2021-05-04T03:02:01.123456\0"),
    "01234567890123.123456",
]
JSON_VALUES: list[Any] = [
    *TEXTS,
    *(
        None,
        True,
        False,
        0,
        -0.0,
        1,
        86400,
        1620000000,
        1620000000.5,
        1.5e-7,
        1e9,
        9999999999,
        10000000000,
        -1e300,
    ),
    *([], {}, ["2021-05-04"], {"at": "2021-05-04"}, [[]], [None], 2**60),
]
ZONES = ("UTC", "Europe/Berlin")
KINDS = list(TemporalKind)


def recognized(
    url: str, plan: Plan, conversion: DatetimeConversion, key: bytes, *, converted: bool
) -> RecognizedPage:
    (model,) = plan.models
    recognition = Recognition(plan, conversion, converted=converted)
    with open_sync(url) as driver:
        under_way = driver.run(recognition.send([(key, model)]))
        if under_way is None:
            return RecognizedPage(unread=[(key, model)])
        return driver.run(recognition.receive(under_way))


def check(url: str, plan: Plan, conversion: DatetimeConversion, keys: list[bytes]) -> int:
    """Compare the documents. Return how many were recognized."""
    (model,) = plan.models
    number = 0
    with open_sync(url) as driver:
        for converted in (False, True):
            recognition = Recognition(plan, conversion, converted=converted)
            for key in keys:
                recognition._pause = 0
                under_way = driver.run(recognition.send([(key, model)]))
                if under_way is None:
                    continue
                page = driver.run(recognition.receive(under_way))
                (document,) = driver.run(read_documents([(key, model)]))
                judged = Counter(
                    (value.path, one.outcome, one.is_default_style)
                    for value, one in classify(document, conversion)
                )
                for _, kinds, count in page.groups:
                    assert count == 1
                    found = counts_of(model, zip(kinds[::2], kinds[1::2], strict=True))
                    assert Counter(found) == judged, (key, converted)
                    number += 1
                assert [one.fields for one in page.documents] in ([], [document.fields])
                assert len(page.groups) + len(page.documents) + len(page.unread) == 1
    return number


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_hashes(client: redis.Redis, url: str, kind: TemporalKind, zone: str) -> None:
    paths = tuple(ValuePath((name,), kind, optional=True) for name in ("a", "b"))
    conversion = DatetimeConversion.of_zone(zone)
    plan = Plan((PlannedModel("Hash", "h:", "", Storage.HASH, paths),), conversion.settings)
    keys = []
    for number, text in enumerate([*TEXTS, b"\xff", b"2021-05-04\xff"]):
        for other in ("2021-05-04", "1620086400", None):
            keys.append(f"h:{number}:{other}".encode())
            client.hset(keys[-1], mapping={"a": text, "other": "x"} | ({} if other is None else {"b": other}))
    assert check(url, plan, conversion, keys) > 10


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_json_documents(client: redis.Redis, url: str, kind: TemporalKind, zone: str) -> None:
    steps: list[tuple[Any, ...]] = [("a",), ("in", "b"), ("list", Each.ITEM), ("items", Each.ITEM, "at")]
    paths = tuple(ValuePath(one, kind, optional=True) for one in steps)
    conversion = DatetimeConversion.of_zone(zone)
    plan = Plan((PlannedModel("Json", "j:", "", Storage.JSON, paths),), conversion.settings)
    keys = []
    for number, (value, place) in enumerate(itertools.product(JSON_VALUES, range(7))):
        shapes: list[dict[str, Any]] = [
            {"a": value},
            {"in": {"b": value}},
            {"in": value},
            {"list": ["2021-05-04", value]},
            {"list": value},
            {"items": [{"at": value}, {}, None], "a": "1620086400"},
            {"items": [value, {"at": 1620086400}], "note": None},
        ]
        keys.append(b"j:%d" % number)
        client.execute_command("JSON.SET", keys[-1], "$", json.dumps(shapes[place]))
    assert check(url, plan, conversion, keys) > 10


def test_keys_of_other_types_and_missing_keys(client: redis.Redis, url: str) -> None:
    conversion = DatetimeConversion.of_zone("UTC")
    client.set("h:text", "x")
    for storage in Storage:
        model = PlannedModel(
            "M", "h:", "", storage, (ValuePath(("a",), TemporalKind.DATETIME, optional=True),)
        )
        for key in (b"h:text", b"h:missing"):
            page = recognized(url, Plan((model,), conversion.settings), conversion, key, converted=True)
            assert (page.groups, page.documents) == ([], [])
            with open_sync(url) as driver:
                found = [
                    [one.fields for one in driver.run(read_documents(keys))]
                    for keys in (page.unread, [(key, model)])
                ]
            assert found[0] == found[1]


def test_a_script_that_the_server_has_forgotten_leaves_the_documents_to_be_read(
    client: redis.Redis, url: str
) -> None:
    conversion = DatetimeConversion.of_zone("UTC")
    model = PlannedModel(
        "M", "h:", "", Storage.HASH, (ValuePath(("a",), TemporalKind.DATETIME, optional=True),)
    )
    client.hset("h:1", "a", "2021-05-04")
    recognition = Recognition(Plan((model,), conversion.settings), conversion, converted=False)
    with open_sync(url) as driver:
        for is_known in (True, False, True):
            if not is_known:
                client.script_flush()
            recognition._pause = 0
            under_way = driver.run(recognition.send([(b"h:1", model)]))
            assert under_way is not None
            page = driver.run(recognition.receive(under_way))
            assert (len(page.groups), len(page.unread)) == ((1, 0) if is_known else (0, 1))
