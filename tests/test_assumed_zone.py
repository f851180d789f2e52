"""Nobody said what a datetime without an offset means, and the process is not in UTC: that is told once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import warnings
warnings.simplefilter({warned!r})
from datetime import UTC, date, datetime
from pydantic import NaiveDatetime
from redstart import Field, HashModel, JsonModel

class Moment(HashModel, index=True):
    number: int = Field(primary_key=True)
    at: datetime | None = Field(default=None, index=True)
    seen: NaiveDatetime | None = None
    day: date | None = None

class Written(JsonModel):
    number: int = Field(primary_key=True)
    at: datetime

noon = datetime(2023, 1, 1, 12)
{body}
print("done")
"""

NAIVE = {
    "a hash": "Moment(number=1, at=noon).save()",
    "JSON": "Written(number=1, at=noon).save()",
    "read": "Moment.db().hset(Moment.make_primary_key('1'), mapping={'number': '1', 'seen': '1672574400.0'}); "
    "Moment.get('1')",
    "old text": "Moment.db().hset(Moment.make_primary_key('1'), mapping={'number': '1', 'at': '2023-01-01T12:00'}); "
    "Moment.get('1')",
    "a query": "Moment.find(Moment.at > noon).get_query()",
    "twice": "Moment(number=1, at=noon).save(); Written(number=2, at=noon).save(); Moment(number=1, at=noon).save()",
}
NOT_NAIVE = {
    "aware": "Moment(number=1, at=noon.replace(tzinfo=UTC)).save(); Moment.get(1)",
    "a date": "Moment(number=1, day=date(2023, 1, 1)).save(); Moment.get(1)",
    "none": "Moment(number=1).save(); Moment.get(1)",
    "a query": "Moment.find(Moment.at > noon.replace(tzinfo=UTC)).get_query()",
}
TOLD = "NaiveTimezoneWarning: Naive datetimes are interpreted as UTC"


def ran(url: str, here: Path, body: str, *, zone: str, warned: str = "default", **settings: str) -> str:
    """What a program said on stderr. AssertionError if it failed."""
    environment = {**os.environ, "REDIS_OM_URL": url, "TZ": zone, **settings}
    program = PROGRAM.format(body=body, warned=warned)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    return done.stderr


@pytest.mark.sample(2)
@pytest.mark.parametrize("what", NAIVE)
def test_it_is_said_once(url: str, tmp_path: Path, what: str) -> None:
    said = ran(url, tmp_path, NAIVE[what], zone="Asia/Kolkata", warned="always")
    assert said.count("Warning") == said.count(TOLD) == 1
    assert "(IST)" in said
    assert "Set REDSTART_NAIVE_TIMEZONE" in said


@pytest.mark.sample(2)
@pytest.mark.parametrize("what", NOT_NAIVE)
def test_what_has_an_offset_or_needs_none_is_no_occasion(url: str, tmp_path: Path, what: str) -> None:
    assert ran(url, tmp_path, NOT_NAIVE[what], zone="Asia/Kolkata", warned="always") == ""


@pytest.mark.parametrize("zone", ["UTC", "Africa/Abidjan"])
def test_in_utc_there_is_nothing_to_say(url: str, tmp_path: Path, zone: str) -> None:
    assert ran(url, tmp_path, NAIVE["twice"], zone=zone) == ""


def test_a_zone_that_is_utc_in_winter_alone_is_another(url: str, tmp_path: Path) -> None:
    assert TOLD in ran(url, tmp_path, NAIVE["a hash"], zone="Europe/London")


@pytest.mark.sample(1)
@pytest.mark.parametrize("said", ["local", "UTC", "Asia/Tokyo"])
def test_no_warning_with_a_configured_zone(url: str, tmp_path: Path, said: str) -> None:
    here = ran(url, tmp_path, NAIVE["twice"], zone="Asia/Kolkata", REDSTART_NAIVE_TIMEZONE=said)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.redstart]\nnaive_timezone = "{said}"\n', encoding="utf-8"
    )
    assert here == ran(url, tmp_path, NAIVE["twice"], zone="Asia/Kolkata") == ""


@pytest.mark.sample(2)
@pytest.mark.parametrize("what", NAIVE)
def test_as_an_error_it_is_raised_by_reads_too(url: str, tmp_path: Path, what: str) -> None:
    body = f"""
from redstart.errors import NaiveTimezoneWarning
try:
    {NAIVE[what]}
except NaiveTimezoneWarning:
    pass
else:
    raise AssertionError
"""
    assert ran(url, tmp_path, body, zone="Asia/Kolkata", warned="error") == ""


def test_as_an_error_it_names_the_line_and_saves_nothing(url: str, tmp_path: Path) -> None:
    body = """
from redstart.errors import NaiveTimezoneWarning
for _ in range(2):
    try:
        Moment(number=9, at=noon).save()
    except NaiveTimezoneWarning:
        assert not Moment.db().exists(Moment.make_primary_key(9))
    else:
        raise AssertionError
"""
    assert ran(url, tmp_path, body, zone="Asia/Kolkata", warned="error") == ""
