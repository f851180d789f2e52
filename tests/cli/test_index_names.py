"""Indexes whose names are any bytes: no command fails for them, none is overlooked, and none reaches a terminal raw."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, wait_until_built
from tests.support.cli import Ended, run_om

MODELS = """\
from datetime import datetime
from redstart import Field, JsonModel

class Note(JsonModel, index=True):
    at: datetime = Field(index=True)

    class Meta:
        global_key_prefix = "names"
        model_key_prefix = "note"
        index_name = "names:note:index"
"""

NAMES = [
    b"\xff\xfe\x80",
    b"names:note:index\xe9",
    b"a\nb",
    b"a\r\nb",
    b"\\n",
    b"a\\nb\nc",
    b"\x1b[31mred\x1b]0;title\x07",
    b"tab\there",
    b"",
    b" ",
    "größe".encode(),
    "\u202egnp".encode(),
    b"names:note:index@00000000\n",
    b"with 'quotes\"",
    b"{tag}%s%d",
]


@pytest.fixture
def notes(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[redis.Redis]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "notes_of_names")
    (tmp_path / "notes_of_names.py").write_text(MODELS)
    drop_all(client)
    client.json().set("names:note:1", "$", {"pk": "1", "at": "2023-01-01T12:00:00"})
    make(client, b"names:note:index")
    yield client
    for name in [*NAMES, b"a\0b"]:
        try:
            client.execute_command("FT.DROPINDEX", name)
        except redis.ResponseError:
            continue
    drop_all(client)


def make(client: redis.Redis, name: bytes, path: str = "$.at") -> None:
    client.execute_command(
        "FT.CREATE", name, "ON", "JSON", "PREFIX", 1, "names:note:", "SCHEMA", path, "AS", "x", "TAG"
    )


COMMANDS = [
    ("migrate", "status"),
    ("migrate", "run", "--dry-run"),
    ("migrate-data", "stats"),
    ("migrate-data", "status"),
    ("migrate-data", "check-schema"),
    ("migrate-data", "run", "--dry-run"),
    ("migrate", "run"),
    ("migrate-data", "run"),
    ("migrate-data", "verify", "--check-data"),
    ("migrate-data", "rollback", ID),
    ("migrate", "rollback"),
    ("migrate", "cleanup"),
]


def is_well(found: Ended) -> bool:
    return "Traceback" not in found.text and not any(
        ord(letter) < 32 and letter not in "\n\t" for letter in found.text
    )


def test_no_command_fails_for_a_name(notes: redis.Redis) -> None:
    for name in NAMES:
        make(notes, name, "$.other")
    for words in COMMANDS:
        found = run_om(*words)
        assert is_well(found), (words, found.text)
        assert found.code in (0, 3), (words, found.text)


@pytest.mark.parametrize("name", [*NAMES, b"a\0b"], ids=ascii)
def test_none_is_overlooked(notes: redis.Redis, name: bytes) -> None:
    """An unmanaged index that would lose documents: the run is refused, whatever its name is."""
    make(notes, name)
    wait_until_built(notes, ["names:note:index"])
    before = notes.json().get("names:note:1")
    found = run_om("migrate-data", "run")
    assert (found.code, is_well(found)) == (1, True), found.text
    assert "may lose" in found.stderr or "indexes $.at as text" in found.stderr
    assert notes.json().get("names:note:1") == before


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_index_of_any_name_behind_an_alias_is_replaced(notes: redis.Redis, name: bytes) -> None:
    notes.execute_command("FT.DROPINDEX", "names:note:index")
    notes.execute_command(
        *("FT.CREATE", name, "ON", "JSON", "PREFIX", 1, "names:note:"),
        *("SCHEMA", "$.pk", "AS", "pk", "TAG", "$.at", "AS", "at", "TAG"),
    )
    notes.execute_command("FT.ALIASADD", "names:note:index", name)
    for words in (("migrate", "status"), ("migrate-data", "run"), ("migrate", "status")):
        found = run_om(*words)
        assert (found.code, is_well(found)) == (0, True), (words, found.text)
    found = run_om("migrate-data", "rollback", ID)
    assert (found.code, is_well(found)) == (0, True), found.text
