"""What must hold on data that redis-om 0.3.5 really wrote: converted exactly, undone exactly, nothing else touched."""

import json
from functools import cache
from typing import Any

import pytest
import redis

from redstart.demo.checker import text_without, value_spans
from tests.corpus.conftest import Om, answer_of_0_3_5, first_answer_of_0_3_5
from tests.support.cli import run_om
from tests.support.corpus import check_corpus, corpus_path
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot
from tests.support.soak import SOAK

ID = "001_datetime_fields_to_timestamps"

CONVERTIBLE, NULL, UNCONVERTIBLE, NUMBERS = 20_258, 3_782, 58, 22
"""Values of the corpus by kind: counted from expected.jsonl and dump.jsonl; 22 already read as their number."""

EMPTY_AND_INDEXED = 1
"""Empty values of optional indexed fields of hashes: `default` removes them."""

REFUSED = 3
"""Failed values of indexed fields block the cutover of active indexes."""

pytestmark = pytest.mark.corpus


def user_data(client: redis.Redis) -> Snapshot:
    return snapshot(client, exclude_prefixes=STATE_PREFIXES)


def counts(url: str) -> dict[str, int]:
    found: dict[str, int] = check_corpus(url)["counts"]
    return found


@pytest.mark.soak
@pytest.mark.parametrize("timezone", ["Asia/Kolkata", *(["UTC", "America/New_York"] if SOAK else [])])
def test_every_value_is_exact_and_the_undo_restores_every_byte(
    corpus: redis.Redis, url: str, om: Om, timezone: str
) -> None:
    before = user_data(corpus)

    run = om("run", timezone=timezone, exit_code=REFUSED)

    assert run["status"] == "completed"
    assert (run["converted"], run["already_numeric"], run["null"]) == (CONVERTIBLE, NUMBERS, NULL)
    assert (run["failed"], run["rounded"]) == (UNCONVERTIBLE, 0)
    report = check_corpus(url)
    assert report["exact_share"] == 1.0
    wrong = ["unconverted", "wrong", "lost", "alt_ok", "collateral", "missing_keys", "ttl_lost"]
    assert {name: report["counts"][name] for name in wrong} == dict.fromkeys(wrong, 0), report["examples"]
    only_planned_values_changed(before, user_data(corpus))
    verified = om("verify", "--check-data", exit_code=6, timezone=timezone)
    # Documents with failed values: no model reads them, and everything else is right.
    assert verified["problem_count"] == verified["unreadable"] == verified["recorded_failures"]

    back = om("rollback", ID, timezone=timezone)

    assert (back["restored_exactly"], back["rewritten_as_text"], back["not_reversible"]) == (
        CONVERTIBLE,
        0,
        0,
    )
    assert difference(before, snapshot(corpus)) == [], "not even state is left"


def only_planned_values_changed(before: Snapshot, after: Snapshot) -> None:
    """What check.py does not see: the raw text around the values, and expiry times to the millisecond."""
    expected = expected_values()
    assert before.keys() == after.keys()
    for key, old in before.items():
        new = after[key]
        assert (old.type, old.expires_at_milliseconds) == (new.type, new.expires_at_milliseconds)
        assert old.field_expiries == new.field_expiries
        places = [location(path) for path in expected.get(key.decode(), {})]
        if old.type == b"hash":
            assert isinstance(old.content, dict)
            assert isinstance(new.content, dict)
            names = {str(place[0]).encode() for place in places}
            assert {k: v for k, v in old.content.items() if k not in names} == {
                k: v for k, v in new.content.items() if k not in names
            }
        elif places:
            assert around(old.content, places) == around(new.content, places), key


def around(content: Any, places: list[tuple[str | int, ...]]) -> str:
    text = content.decode()
    return text_without(text, value_spans(text), places)


@cache
def expected_values() -> dict[str, dict[str, Any]]:
    path = corpus_path()
    assert path is not None
    lines = (path / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    return {item["key"]: item["expected"] for item in map(json.loads, lines)}


def location(path: str) -> tuple[str | int, ...]:
    """`lines[0].added_at` as steps."""
    steps: list[str | int] = []
    for part in path.replace("[", ".[").split("."):
        steps.append(int(part[1:-1]) if part.startswith("[") else part)
    return tuple(steps)


@pytest.mark.sample(0)
def test_a_second_run_writes_nothing_and_a_second_round_is_as_exact(
    corpus: redis.Redis, url: str, om: Om
) -> None:
    before = user_data(corpus)
    om("run", exit_code=REFUSED)
    converted = user_data(corpus)

    again = om("run", exit_code=REFUSED)

    assert (again["converted"], again["already_numeric"]) == (0, CONVERTIBLE + NUMBERS)
    assert difference(converted, user_data(corpus)) == []
    om("rollback", ID)
    assert om("rollback", ID)["status"] == "nothing_to_do"
    assert difference(before, snapshot(corpus)) == []
    om("run", exit_code=REFUSED)
    assert difference(converted, user_data(corpus)) == []
    om("rollback", ID)
    assert difference(before, snapshot(corpus)) == []


@pytest.mark.sample(0)
def test_default_after_log_and_skip_is_undone_as_exactly(corpus: redis.Redis, url: str, om: Om) -> None:
    before = user_data(corpus)
    om("run", exit_code=REFUSED)

    om("run", "--failure-mode", "default")

    found = counts(url)
    changed = UNCONVERTIBLE + EMPTY_AND_INDEXED
    assert (found["lost"], found["unconverted"], found["wrong"]) == (changed, 0, 0)
    assert om("verify")["values"]["unconvertible"] == 0
    assert om("rollback", ID)["restored_exactly"] == CONVERTIBLE + changed
    assert difference(before, snapshot(corpus)) == []


@pytest.mark.sample(0)
def test_quarantine_moves_failed_values_and_a_rollback_restores_them(
    corpus: redis.Redis, url: str, om: Om
) -> None:
    before = user_data(corpus)

    om("run", "--failure-mode", "quarantine")

    bad = [line for line in dirty_lines() if line["expected"] == "unconvertible"]
    assert len(bad) == UNCONVERTIBLE
    for item in bad:
        if "[" in item["path"]:
            continue  # a list item has no quarantine field: it stays, and is reported
        assert beside(corpus, item["key"], item["path"]) == item["raw"]
    om("rollback", ID)
    assert difference(before, snapshot(corpus)) == []


def dirty_lines() -> list[dict[str, Any]]:
    path = corpus_path()
    assert path is not None
    return [json.loads(line) for line in (path / "dirty.jsonl").read_text(encoding="utf-8").splitlines()]


def beside(client: redis.Redis, key: str, path: str) -> str:
    """The quarantined value, and that its place is empty."""
    if key.startswith("shop:order:"):
        assert json.loads(client.execute_command("JSON.GET", key, f"$.{path}")) == [None]
        (value,) = json.loads(client.execute_command("JSON.GET", key, f"$.{path}__invalid"))
        return str(value)
    assert client.hget(key, path) is None
    value = client.hget(key, f"{path}__invalid")
    assert isinstance(value, bytes)
    return value.decode()


@pytest.mark.sample(0)
def test_fail_stops_at_the_first_bad_value_and_max_errors_at_the_tenth(
    corpus: redis.Redis, url: str, om: Om
) -> None:
    stopped = om("run", "--failure-mode", "fail", "--batch-size", "100", exit_code=5)
    assert stopped["status"] == "stopped"
    assert om("progress")["state"] == "interrupted"
    assert counts(url)["unconverted"] > 0

    stopped = om("run", "--max-errors", "10", "--batch-size", "100", exit_code=5)
    assert (stopped["reason"], stopped["failed"]) == ("--max-errors 10 reached", 10)
    assert om("errors")["count"] == 10

    finished = om("run", exit_code=REFUSED)
    assert (finished["status"], finished["resumed"], finished["failed"]) == ("completed", True, UNCONVERTIBLE)
    assert counts(url)["unconverted"] == 0


def test_stats_counts_what_the_corpus_holds(corpus: redis.Redis, om: Om) -> None:
    exact = om("stats", "--exact")
    assert exact["exact"]
    assert exact["documents"] == 6_000
    assert exact["values"] == {
        "convertible": CONVERTIBLE,
        "numeric": NUMBERS,
        "null": NULL,
        "rounded": 0,
        "unconvertible": UNCONVERTIBLE,
    }
    sampled = om("stats")
    assert abs(sampled["documents"] - 6_000) < 600
    assert sampled["estimated_seconds"]["high"] <= 3 * sampled["estimated_seconds"]["low"]


READ_WITH_0_3_5 = """
import json, sys
import shop_models as models
unreadable = []
for model in (models.Customer, models.Order, models.LoginSession):
    for pk in model.all_pks():
        try:
            model.get(pk)
        except Exception as error:
            unreadable.append(f"{model.__name__} {pk}")
print(json.dumps(sorted(unreadable)))
"""


@pytest.mark.soak
@pytest.mark.redis_om
def test_newer_values_are_readable_by_0_3_5_after_a_rollback(
    part_of_corpus: redis.Redis, url: str, om: Om, old_python: str
) -> None:
    corpus = part_of_corpus
    orders = sorted(corpus.scan_iter("shop:order:SO-*", 1_000))
    unreadable_before = answer_of_0_3_5(old_python, url, READ_WITH_0_3_5)
    om("run", exit_code=REFUSED)
    born = {b"pk": b"born", b"name": b"n", b"email": b"e", b"age": b"1", b"external_ref": b"x"}
    dates = {b"created_at": b"1700000000.25", b"updated_at": b"1700000001.0", b"birth_date": b"0.0"}
    corpus.hset("shop:shop_models.Customer:born", mapping=born | dates)
    corpus.execute_command("JSON.SET", orders[0], "$.created_at", "1700000000.5")
    corpus.execute_command("JSON.ARRINSERT", orders[1], "$.lines", "0", json.dumps(a_new_line()))

    back = om("rollback", ID)

    assert back["not_reversible"] == 0
    assert back["rewritten_as_text"] >= 5
    created, birth = corpus.hmget("shop:shop_models.Customer:born", "created_at", "birth_date")
    assert (created, birth) == (b"2023-11-14T22:13:20.250000+00:00", b"1970-01-01"), (
        "most of the field has an offset"
    )
    assert answer_of_0_3_5(old_python, url, READ_WITH_0_3_5) == unreadable_before


@pytest.mark.sample(0)
@pytest.mark.redis_om
def test_after_the_guides_order_0_3_5_reads_and_finds_everything_again(
    corpus: redis.Redis, url: str, om: Om, old_python: str
) -> None:
    """Indexes first, then the new application, then the run: what it wrote in between was there before the run."""
    before = user_data(corpus)
    unreadable_before = first_answer_of_0_3_5(old_python, url, READ_WITH_0_3_5)
    assert run_om("migrate", "run", "--yes").code == 0
    line = {**a_new_line(), "added_at": 1_700_000_000.25}
    corpus.execute_command("JSON.SET", "shop:order:SO-00001", "$.created_at", "1700000000.5")
    corpus.execute_command("JSON.SET", "shop:order:SO-00003", "$.lines", json.dumps([line]))
    corpus.hset("shop:session:new", mapping={"session_id": "new", "user_email": "e", **NEW_SESSION})
    om("run", "--failure-mode", "default")

    back = om("rollback", ID, "--reformat-preexisting")

    written = {b"shop:order:SO-00001", b"shop:order:SO-00003", b"shop:session:new"}
    assert (back["not_reversible"], back["preexisting_numbers"]) == (0, 0)
    assert back["rewritten_as_text"] == NUMBERS + 5
    changed = {key for key, value in user_data(corpus).items() if before.get(key) != value}
    assert written <= changed
    assert len(changed - written) <= NUMBERS, "all else is as it was, to the byte"
    assert answer_of_0_3_5(old_python, url, READ_WITH_0_3_5) == unreadable_before
    (new_line,) = json.loads(corpus.execute_command("JSON.GET", "shop:order:SO-00003"))["lines"]
    assert (new_line["added_at"], new_line["gift_until"]) == ("2023-11-14T22:13:20.250000Z", "2023-11-14")


NEW_SESSION = {"started_at": "1700000000.125", "expires_on": "1699920000.0", "user_agent": ""}


def a_new_line() -> dict[str, Any]:
    return {"pk": None, "sku": "s", "quantity": 1, "added_at": 1_700_000_000.0, "gift_until": 1_699_920_000.0}
