"""A run converts every value in the tables of docs/storage.md to the number there, or records the reason there."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from tests.docs.examples import ROOT
from tests.support.cli import run_om
from tests.support.models import registry_of_its_own

PAGE = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
TABLE = re.compile(
    r"^\| field \| stored value \| (?P<heading>.+) \|\n\|(?:---\|)+\n(?P<rows>(?:\|.+\n)+)", re.MULTILINE
)

MODELS = """
import datetime
from redstart import HashModel, JsonModel

class HashDatetime(HashModel):
    at: datetime.datetime

class HashOptionalDatetime(HashModel):
    at: datetime.datetime | None = None

class HashDate(HashModel):
    at: datetime.date

class JsonDatetime(JsonModel):
    at: datetime.datetime | None = None
"""


class Row(NamedTuple):
    """A row of a table. The result is a number, or `unchanged`, or the reason of a failed value."""

    field: str
    stored: str
    number: str
    reason: str

    @property
    def is_json(self) -> bool:
        return self.field.startswith("JSON")

    @property
    def model(self) -> str:
        return "".join(word.strip(",").capitalize() for word in self.field.split())


def rows_of(zone: str) -> list[Row]:
    rows = []
    for table in TABLE.finditer(PAGE):
        if ("Europe/Berlin" in table["heading"]) is not (zone == "Europe/Berlin"):
            continue
        for line in table["rows"].splitlines():
            field, value, result = re.fullmatch(r"\| (.+?) \| (.+?) \| (.+) \|", line).groups()  # type: ignore[union-attr]
            stored = "" if value == "empty" else value.strip("`")
            if result.startswith("`"):
                rows.append(Row(field, stored, result.strip("`"), ""))
            elif result == "unchanged":
                rows.append(Row(field, stored, stored, ""))
            else:
                rows.append(Row(field, stored, stored, result.removeprefix("failed value: ")))
    return rows


@pytest.mark.parametrize(("zone", "count"), [("UTC", 36), ("Europe/Berlin", 3)])
def test_a_run_does_what_the_tables_state(
    zone: str, count: int, client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "REDIS_OM_URL": url,
        "REDSTART_MODELS": "storage_rows",
        "REDSTART_NAIVE_TIMEZONE": zone,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "storage_rows", raising=False)
    (tmp_path / "storage_rows.py").write_text(MODELS)
    rows = {f":storage_rows.{row.model}:{number}": row for number, row in enumerate(rows_of(zone))}
    assert len(rows) == count
    for key, row in rows.items():
        if row.is_json:
            client.execute_command("JSON.SET", key, "$", f'{{"at":{row.stored}}}')
        else:
            client.hset(key, "at", row.stored)
    with registry_of_its_own():
        done = run_om("migrate-data", "run", "--yes")
        failed = run_om("migrate-data", "errors", "--json").json["errors"]
    assert done.code == 0, done.text
    stored = {
        key: client.execute_command("JSON.GET", key, "at") if row.is_json else client.hget(key, "at")
        for key, row in rows.items()
    }
    assert {key: value.decode() for key, value in stored.items()} == {
        key: row.number for key, row in rows.items()
    }
    assert {one["key"]: one["reason"] for one in failed} == {
        key: row.reason for key, row in rows.items() if row.reason
    }
