"""Quarantine never moves a value into a place that a model reads, however that is declared."""

from collections.abc import Callable

import pytest
import redis

from tests.support.cli import refused, run_om
from tests.support.snapshot import every_byte

HEAD = """
from __future__ import annotations
import datetime
from pydantic import AliasChoices, BaseModel, ConfigDict, Field as PydanticField
from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel

class Part(EmbeddedJsonModel):
    at: datetime.datetime
    {part}

class Log({base}, index=True):
    {fields}

    class Meta:
        global_key_prefix = "app"
        model_key_prefix = "log"
"""
AT, TEXT = "at: datetime.datetime", "at__invalid: str | None = None"

TAKEN: dict[str, tuple[str, list[str], str, str]] = {
    # the class, its fields, those of its part, and the path whose values would be moved
    "a field of a hash": ("HashModel", [AT, TEXT], "", "at"),
    "an indexed field": ("HashModel", [AT, "at__invalid: str = Field(default='', index=True)"], "", "at"),
    "a date itself": ("HashModel", [AT, "at__invalid: datetime.date | None = None"], "", "at"),
    "a primary key": ("HashModel", [AT, "at__invalid: str = Field(primary_key=True)"], "", "at"),
    "an alias": (
        "HashModel",
        [
            "model_config = ConfigDict(populate_by_name=True)",
            AT,
            "note: str = PydanticField(default='', alias='at__invalid')",
        ],
        "",
        "at",
    ),
    "a choice of aliases": (
        "JsonModel",
        [
            "model_config = ConfigDict(populate_by_name=True)",
            AT,
            "note: str = PydanticField(default='', validation_alias=AliasChoices('n', 'at__invalid'))",
        ],
        "",
        "at",
    ),
    "a field of JSON": ("JsonModel", [AT, TEXT], "", "at"),
    "a field of an embedded model": ("JsonModel", ["part: Part"], TEXT, "part.at"),
    "a field of one of two embedded models": ("JsonModel", ["part: Part | None = None"], TEXT, "part.at"),
}

FREE: dict[str, tuple[str, list[str], str]] = {
    "none": ("HashModel", [AT], ""),
    "of another field": ("HashModel", [AT, "other__invalid: str = ''"], ""),
    "of an embedded model, beside another": ("JsonModel", [TEXT, "part: Part"], ""),
    "beside a part": ("JsonModel", [AT, "part: Part"], "other__invalid: str = ''"),
    "in a list, where nothing is moved": ("JsonModel", ["parts: list[Part] = []"], TEXT),
}


def source(base: str, fields: list[str], part: str) -> str:
    return HEAD.format(base=base, fields="\n    ".join(fields), part=part or "pass")


def write(client: redis.Redis, base: str) -> None:
    if base == "HashModel":
        client.hset("app:log:1", "at", "no date")
    else:
        client.execute_command("JSON.SET", "app:log:1", "$", '{"at":"no date","part":{"at":"no date"}}')


@pytest.mark.parametrize("case", TAKEN)
def test_a_run_is_refused_before_the_first_write(
    client: redis.Redis, url: str, write_module: Callable[[str], str], case: str
) -> None:
    base, fields, part, path = TAKEN[case]
    models = write_module(source(base, fields, part))
    write(client, base)
    before = every_byte(client)
    words = ("--url", url, "migrate-data", "run", "--models", models)
    said = (
        f"{models}.Log declares at__invalid",
        f"failed values of {path} there",
        "--failure-mode log_and_skip",
    )
    refused(run_om(*words, "--yes", "--failure-mode", "quarantine"), 2, *said)
    assert every_byte(client) == before
    dry = run_om(*words, "--dry-run", "--failure-mode", "quarantine", "--json")
    assert all(text in str(dry.json["refusal"]) for text in said[:2])
    assert every_byte(client) == before
    assert run_om(*words, "--yes", "--failure-mode", "log_and_skip").code in (0, 3)


@pytest.mark.parametrize("case", FREE)
def test_a_place_that_no_model_reads_is_free(
    client: redis.Redis, url: str, write_module: Callable[[str], str], case: str
) -> None:
    base, fields, part = FREE[case]
    models = write_module(source(base, fields, part))
    write(client, base)
    words = ("--url", url, "migrate-data", "run", "--models", models)
    assert run_om(*words, "--yes", "--failure-mode", "quarantine").code in (0, 3)
