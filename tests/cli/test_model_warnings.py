"""A renamed field, another key prefix, a removed model: noticed from what the server has, and reported."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.migrations.indexes.conftest import drop_all, serving, total, wait_until_built
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

DOCUMENTS = 12
MODEL = """
class {name}({base}, index=True):
    {field}: str = Field(index=True{options})
    at: datetime = Field(index=True)

    class Meta:
        global_key_prefix = "fit"
        model_key_prefix = "{prefix}"
"""
KEPT = MODEL.format(name="Kept", base="JsonModel", field="title", prefix="kept", options="")

Models = Callable[[str], None]


@pytest.fixture
def declared(
    client: redis.Redis,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Models]:
    """Declares the models of the next commands, in a module of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    drop_all(client)
    made = 0

    def declare(text: str) -> None:
        nonlocal made
        made += 1
        module = f"fit_{re.sub(r'[^a-z]', '_', request.node.name.lower())}_{made}"
        head = "from datetime import datetime\nfrom redstart import Field, HashModel, JsonModel\n"
        (tmp_path / f"{module}.py").write_text(head + text)
        monkeypatch.setenv("REDSTART_MODELS", module)

    yield declare
    drop_all(client)


def model(
    base: str, *, name: str = "Order", field: str = "title", prefix: str = "order", options: str = ""
) -> str:
    return MODEL.format(name=name, base=base, field=field, prefix=prefix, options=options)


def store(client: redis.Redis, base: str) -> None:
    for number in range(DOCUMENTS):
        values = {"pk": str(number), "title": "a", "at": "2023-01-01T12:00:00"}
        if base == "HashModel":
            client.hset(f"fit:order:{number}", mapping=values)
        else:
            client.json().set(f"fit:order:{number}", "$", values)
        client.json().set(f"fit:kept:{number}", "$", values)


@pytest.fixture(params=["HashModel", "JsonModel"])
def base(request: pytest.FixtureRequest, client: redis.Redis, declared: Models) -> str:
    """Converted and cut over, by models that are changed then."""
    found = str(request.param)
    store(client, found)
    declared(model(found) + KEPT)
    for words in (("migrate", "run"), ("migrate-data", "run"), ("migrate-data", "verify", "--check-data")):
        ran = run_om(*words)
        assert (ran.code, "no model in --models" in ran.text) == (0, False), ran.text
    return found


def test_a_renamed_field_is_refused_before_the_index_is_changed(
    client: redis.Redis, base: str, declared: Models
) -> None:
    declared(model(base, field="name") + KEPT)
    before, indexes = every_byte(client), sorted(client.execute_command("FT._LIST"))
    refused = run_om("migrate", "run")
    told = run_om("migrate", "run", "--dry-run", "--json").json["refusal"]
    for text in (refused.stderr, told):
        assert f"cannot read its field name in {DOCUMENTS} of {DOCUMENTS} sampled documents" in text
        assert re.search(r"Example: fit:order:\d+: the field is missing", text)
    assert refused.code == 1
    assert "--accept-unreadable" in refused.stderr
    typed = run_om("--url", os.environ["REDIS_OM_URL"], "migrate", "run")
    assert typed.stderr.count("--url") == 1
    assert (every_byte(client), sorted(client.execute_command("FT._LIST"))) == (before, indexes)
    assert total(client, "fit:order:index", "@title:{a}") == DOCUMENTS
    warned = run_om("migrate-data", "run", "--dry-run")
    unreadable = refused.stderr.removeprefix("Error: ").partition(" These documents")[0]
    assert f"Warning: {unreadable}" in warned.stderr
    assert run_om("migrate", "run", "--accept-unreadable").code == 0


def test_a_new_field_with_a_default_is_no_rename(base: str, declared: Models) -> None:
    other = "    other: str = Field(index=True, default='b')\n\n    class Meta:"
    declared(model(base).replace("    class Meta:", other) + KEPT)
    assert run_om("migrate", "run").code == 0


CHANGES = {
    "another key prefix": lambda base: model(base, prefix="orders") + KEPT,
    "another name and key prefix": lambda base: model(base, name="Sale", prefix="sale") + KEPT,
    "no model any more": lambda base: KEPT,
}


@pytest.mark.sample(1)
@pytest.mark.parametrize("change", CHANGES)
def test_documents_and_indexes_of_no_model_are_listed(
    client: redis.Redis, base: str, declared: Models, change: str
) -> None:
    declared(CHANGES[change](base))
    for words in (("migrate-data", "run"), ("migrate-data", "verify")):
        found = run_om(*words)
        assert (
            f"Warning: {DOCUMENTS} documents under fit:order: (index fit:order:index) are skipped"
            in found.stderr
        )
    for words in (("migrate", "status"), ("migrate-data", "status")):
        assert re.search(rf"fit:order: +fit:order:index +{DOCUMENTS}\n", run_om(*words).stdout)
        assert run_om(*words, "--json").json["unmanaged"] == [
            {"key_prefix": "fit:order:", "index": "fit:order:index", "documents": DOCUMENTS}
        ]
    client.execute_command("FT.DROPINDEX", serving(client, "fit:order:index"))
    (left,) = run_om("migrate", "status", "--json").json["unmanaged"]
    assert (left["index"], left["documents"]) == (None, DOCUMENTS)
    client.delete(*client.scan_iter("fit:order:*"))
    assert run_om("migrate", "status", "--json").json["unmanaged"] == []


def test_an_unmanaged_index_without_documents_is_listed(
    client: redis.Redis, base: str, declared: Models
) -> None:
    client.delete(*client.scan_iter("fit:kept:*"))
    declared(model(base))
    found = run_om("migrate", "run", "--dry-run", "--json")
    assert [(one["index"], one["documents"]) for one in found.json["unmanaged"]] == [("fit:kept:index", 0)]
    assert "Warning: The index fit:kept:index belongs to no model in --models" in found.stderr


def test_an_index_of_redis_om_without_a_model_is_listed(client: redis.Redis, declared: Models) -> None:
    """One that Redstart has never seen: redis-om's hash beside it tells."""
    client.execute_command("FT.CREATE", "fit:gone:index", "PREFIX", 1, "fit:gone:", "SCHEMA", "title", "TAG")
    client.execute_command("FT.CREATE", "theirs", "PREFIX", 1, "theirs:", "SCHEMA", "title", "TAG")
    client.set("fit:gone:index:hash", "x")
    client.hset("fit:gone:1", "title", "a")
    client.hset("theirs:1", "title", "a")
    wait_until_built(client, ["fit:gone:index"])
    declared(KEPT)
    assert run_om("migrate", "status", "--json").json["unmanaged"] == [
        {"key_prefix": "fit:gone:", "index": "fit:gone:index", "documents": 1}
    ]


def test_a_renamed_field_with_a_default_is_reported(base: str, declared: Models) -> None:
    declared(model(base, field="heading", options=", default='b'") + KEPT)
    warned = run_om("migrate", "run", "--dry-run").stdout
    assert run_om("migrate", "run").code == 1
    assert "have fields that the model does not declare (title)" in warned
    assert "document in a sample has heading" in warned
    declared(model(base) + KEPT)
    assert "that the model does not declare" not in run_om("migrate", "run", "--dry-run").text


def test_fields_that_no_model_reads_are_counted(base: str, declared: Models, client: redis.Redis) -> None:
    declared(model(base, field="heading", options=", default='b'") + KEPT)
    for words in (("migrate-data", "verify"), ("migrate-data", "status")):
        found = run_om(*words)
        assert found.code == 0, found.text
        assert "have fields that the model does not declare (title)" in found.stderr
    found = run_om("migrate-data", "verify", "--check-data", "--json")
    assert found.code == 0, found.text
    (undeclared,) = found.json["undeclared_fields"]
    assert undeclared["model"].endswith(".Order")
    assert (undeclared["field"], undeclared["documents"]) == ("title", DOCUMENTS)
    assert (
        f"{DOCUMENTS} documents have a field that {undeclared['model']} does not declare: title"
        in found.stderr
    )
    kept = "a save removes undeclared fields" if base == "JsonModel" else "the model reads its default"
    assert kept in found.stderr


def test_a_converted_date_that_no_model_declares_is_a_problem(base: str, declared: Models) -> None:
    declared(
        model(base)
        .replace(" at: datetime", " since: datetime | None")
        .replace("(index=True)\n\n", "(default=None, index=True)\n\n")
        + KEPT
    )
    found = run_om("migrate-data", "verify", "--check-data", "--json")
    assert found.code == 6, found.text
    assert {problem["path"] for problem in found.json["problems"]} == {"at"}
    assert found.json["problem_count"] == DOCUMENTS
