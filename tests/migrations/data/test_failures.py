"""Failed values are recorded once, with their last reason, up to a limit, and counted beyond it."""

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart.display import one_line
from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.data.failures import FailureLog, failure_at
from redstart.migrations.data.record import read_record
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.server.clients import open_sync
from tests.support.migration import KEYS, new_context


def bad(number: int, value: str = "N/A", reason: str = "not a date") -> Failure:
    return failure_at(b"v:%d" % number, ("at",), value.encode(), reason)


def recorded(url: str, failures: list[Failure], *, most_records: int = 100) -> list[Failure]:
    """Record some; those that were new."""

    def work(lease: Lease) -> Op[list[Failure]]:
        return FailureLog(KEYS, most_records=most_records).record(lease, failures)

    with open_sync(url) as driver:
        return driver.run(new_context().under_lease(work))


def on_record(url: str) -> list[Failure]:
    with open_sync(url) as driver:
        return driver.run(FailureLog(KEYS).all(count=10))


def not_kept(url: str) -> int:
    with open_sync(url) as driver:
        return driver.run(read_record(KEYS)).failures_not_kept


def test_a_value_is_recorded_once_and_in_its_last_form(client: redis.Redis, url: str) -> None:
    assert recorded(url, [bad(1), bad(1), bad(2)]) == [bad(1), bad(2)]
    changed = bad(1, "tbd", "not a date; replaced by 0.0")
    assert recorded(url, [changed, bad(2), bad(3)]) == [bad(3)]
    assert on_record(url) == [changed, bad(2), bad(3)]


def test_beyond_the_limit_they_are_only_counted(client: redis.Redis, url: str) -> None:
    assert len(recorded(url, [bad(number) for number in range(3)], most_records=5)) == 3
    assert len(recorded(url, [bad(number) for number in range(3, 12)], most_records=5)) == 9
    assert on_record(url) == [bad(number) for number in range(5)]
    assert not_kept(url) == 7
    # At the limit recorded failures can still be corrected.
    changed = bad(4, reason="empty")
    assert recorded(url, [changed], most_records=5) == []
    assert changed in on_record(url)
    assert not_kept(url) == 7


def test_more_than_one_script_takes(client: redis.Redis, url: str) -> None:
    many = [bad(number) for number in range(1_203)]
    assert recorded(url, many, most_records=1_201) == many
    assert (client.hlen(KEYS.failures), not_kept(url)) == (1_201, 2)


def test_what_is_known_and_what_is_removed(client: redis.Redis, url: str) -> None:
    log = FailureLog(KEYS)
    assert recorded(url, []) == []
    _ = recorded(url, [bad(1), bad(2)])
    with open_sync(url) as driver:
        asked = [bad(2, "other"), bad(3)]
        assert driver.run(log.recorded(asked)) == [bad(2), None]
        assert driver.run(log.unknown([*asked, bad(3)])) == [bad(3)]
        assert driver.run(log.recorded([])) == []
        driver.run(new_context().under_lease(lambda lease: log.remove(lease, [bad(1).name, bad(9).name])))
    assert on_record(url) == [bad(2)]


@given(st.binary(max_size=40), st.integers(1, 20))
def test_any_bytes_are_one_short_printable_line(data: bytes, most: int) -> None:
    text = one_line(data, most)
    assert len(text) <= most
    assert text.isprintable()


def test_what_is_short_and_printable_stays() -> None:
    assert one_line("Ω '\"".encode(), 10) == "Ω '\""
    assert one_line(b"12345", 4) == "123…"
    assert str(failure_at(b"k\n", ("a",), b"\xff", "not valid UTF-8")) == "k\\n a: not valid UTF-8: \\xff"


# What identifies a value is its key and path, whatever is shown of them

LONG = b"v:" + b"x" * 300
ALIKE = [
    (LONG + b"1", ("at",)),
    (LONG + b"2", ("at",)),  # shown, both end before they differ
    (b"v:\xff", ("at",)),
    (b"v:\\xff", ("at",)),  # shown, other bytes look like this
    (b"v:1\n", ("at",)),
    (b"v:1\\n", ("at",)),
    (b"v:1", ("a", "b")),
    (b"v:1", ("a.b",)),
    (b"v:1", ("y" * 300 + "1",)),
    (b"v:1", ("y" * 300 + "2",)),
    (b"v:1", ("a", 0)),
    (b"v:1", ("a", "0")),
    # Only the shown text is known; empty for the whole document.
    (b"v:1", "a.b"),
    (b"v:1", "a[0]"),
    (b"v:1", ""),
    (b"v:1", ("",)),
]


def test_values_that_look_alike_are_recorded_and_removed_one_by_one(client: redis.Redis, url: str) -> None:
    failures = [failure_at(key, place, b"N/A", "not a date") for key, place in ALIKE]
    assert recorded(url, failures) == failures
    assert sorted(on_record(url), key=str) == sorted(failures, key=str)
    assert {one.name for one in on_record(url)} == {one.name for one in failures}
    with open_sync(url) as driver:
        log = FailureLog(KEYS)
        driver.run(new_context().under_lease(lambda lease: log.remove(lease, [failures[0].name])))
        assert driver.run(log.unknown(failures)) == failures[:1]


def test_another_value_at_a_recorded_place_is_another_value(client: redis.Redis, url: str) -> None:
    _ = recorded(url, [bad(1, "x" * 200 + "1")])
    with open_sync(url) as driver:
        (known,) = driver.run(FailureLog(KEYS).recorded([bad(1)]))
    assert known is not None
    assert known.value == bad(1, "x" * 200 + "2").value
    assert known.digest != bad(1, "x" * 200 + "2").digest


def test_a_record_that_this_version_did_not_write_is_named(client: redis.Redis, url: str) -> None:
    client.hset(KEYS.failures, '["v:1","at"]', '["N/A","not a date"]')
    with open_sync(url) as driver, pytest.raises(StateDamagedError, match="failures"):
        driver.run(FailureLog(KEYS).all())


def test_any_number_is_removed(client: redis.Redis, url: str) -> None:
    """A page of 100,000 documents may have as many that are converted by now, and a script takes 8,000 arguments."""
    many = [bad(number) for number in range(9_000)]
    recorded(url, many, most_records=10_000)

    def work(lease: Lease) -> Op[None]:
        return FailureLog(KEYS).remove(lease, [failure.name for failure in many[1:]])

    with open_sync(url) as driver:
        driver.run(new_context().under_lease(work))
    assert on_record(url) == many[:1]
