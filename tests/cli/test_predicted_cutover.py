"""A dry run predicts which cutovers a run refuses, and for which documents."""

import json
import os
import random
import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.cli.index_report import RESULTS
from redstart.migrations.indexes.expand import IndexOutcome
from tests.support.cli import run_om
from tests.support.snapshot import difference, snapshot

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))
MODEL = """
    import datetime
    from redstart import Field, {base}

    class Log({base}, index=True):
        at: datetime.datetime = Field(index=True)
        until: datetime.date | None = Field(default=None, index=True)
        size: int = Field(default=0, index=True)
        noted: datetime.datetime | None = None

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
            index_name = "app:log:index"
"""
INDEX = "app:log:index"
DATES = ["2020-01-01T00:00:00", "2021-05-05T05:05:05", "N/A", "", 1577836800.0, "-inf", 1e300, "1_0", "nan"]
DAYS = [None, "2020-01-01", "2020-13-45", "", 1577836800.0, "Infinity"]
SIZES = [0, 12, "12", "large", None, " 1", "1_0", "1e400"]
MODES = ["skip", "log_and_skip", "default", "quarantine"]


def create_index(client: redis.Redis, base: str, size: str = "TAG") -> None:
    """Create the index of the earlier version."""
    kind, at = ("HASH", "") if base == "HashModel" else ("JSON", "$.")
    fields = ["at", "TAG", "until", "TAG", "size", size]
    words = [
        word for name in range(0, 6, 2) for word in (f"{at}{fields[name]}", "AS", *fields[name : name + 2])
    ]
    client.execute_command("FT.CREATE", INDEX, "ON", kind, "PREFIX", 1, "app:log:", "SCHEMA", *words)


def save(client: redis.Redis, base: str, documents: Iterable[dict[str, Any]]) -> None:
    for number, document in enumerate(documents):
        if base == "HashModel":
            known = {name: value for name, value in document.items() if value is not None}
            client.hset(f"app:log:{number}", mapping={"pk": number, **known})
        else:
            client.execute_command(
                "JSON.SET", f"app:log:{number}", "$", json.dumps({"pk": str(number), **document})
            )


def some_documents(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return documents of which some have values that cannot be indexed."""

    def pick(values: list[Any]) -> Any:
        return values[0] if rng.random() < 0.7 else rng.choice(values)

    return [
        {"at": pick(DATES), "until": pick(DAYS), "size": pick(SIZES), "noted": pick(DATES)}
        for _ in range(count)
    ]


def predicted(found: dict[str, Any]) -> dict[str, int]:
    return {one["index"]: one["documents"] for one in found["blocked_documents"]}


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("base", ["HashModel", "JsonModel"])
def test_a_dry_run_predicts_the_refused_cutover_of_a_run(
    configured: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    base: str,
    mode: str,
) -> None:
    models = write_module(MODEL.format(base=base))
    rng = random.Random(SEED)
    create_index(client, base, rng.choice(["TAG", "NUMERIC"]))
    save(client, base, some_documents(rng, 60))
    words = ["--models", models, "--failure-mode", mode]
    before = snapshot(client)

    dry = run_om("migrate-data", "run", "--dry-run", "--json", *words)
    accepting = run_om("migrate-data", "run", "--dry-run", "--json", "--accept-unindexed", *words)
    assert difference(before, snapshot(client)) == []
    run = run_om("migrate-data", "run", "--json", *words)

    refused = {one["index"]: one["missing"] for one in run.json["indexes"] if one["state"] == "refused"}
    assert (dry.code, run.code) == (0, 3 if refused else 0), SEED
    assert predicted(dry.json) == predicted(accepting.json) == refused, SEED
    named = {one["key"] for one in run.json["blocking"]}
    assert {one["key"] for one in dry.json["blocking"]} == named, SEED

    by_index = run_om("migrate", "run", "--dry-run", "--json", "--models", models)
    assert predicted(by_index.json) == refused, SEED
    assert {one["key"] for one in by_index.json["blocking"]} == named, SEED
    accepted = run_om("migrate-data", "run", "--json", "--accept-unindexed", *words)
    assert [one["missing"] or 0 for one in accepted.json["indexes"]] == [sum(refused.values())], SEED


@pytest.mark.parametrize("base", ["HashModel", "JsonModel"])
@pytest.mark.parametrize("is_new", [False, True])
def test_a_dry_run_predicts_the_refused_cutover_of_another_type(
    configured: str, client: redis.Redis, write_module: Callable[[str], str], base: str, is_new: bool
) -> None:
    models = write_module(
        MODEL.format(base=base).replace("datetime.date ", "str ").replace("datetime.datetime", "str")
    )
    if not is_new:
        create_index(client, base)
    documents = [{"at": "x", "until": "y", "size": one} for one in (1, 2, "3", "large", "larger")]
    save(client, base, documents)
    expected = 2 if base == "HashModel" else 3
    words = ("migrate", "run", "--models", models)
    before = snapshot(client)

    dry = run_om(*words, "--dry-run", "--json")
    shown = run_om(*words, "--dry-run").stdout
    assert difference(before, snapshot(client)) == []
    run = run_om(*words, "--json")

    assert predicted(dry.json) == {INDEX: expected}
    assert (run.code, run.json["indexes"][0]["missing"]) == (3, expected)
    assert {(one["key"], one["path"]) for one in dry.json["blocking"]} == {
        (one["key"], one["path"]) for one in run.json["blocking"]
    }
    if is_new:
        assert f"{INDEX}: would be created without {expected} documents\n" in shown
    else:
        assert shown.startswith(
            "Dry run: the cutover would be refused for 1 of 1 index; nothing was written.\n"
        )
    assert "size: the index accepts only numbers: " in shown
    assert "migrate-data" not in shown


def test_a_dry_run_names_the_documents_and_the_options(
    configured: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    models = write_module(MODEL.format(base="HashModel"))
    create_index(client, "HashModel", "NUMERIC")
    save(client, "HashModel", [{"at": "N/A"}, {"at": "2020-01-01"}, {"at": "2020-01-01", "until": ""}])

    shown = run_om("migrate-data", "run", "--dry-run", "--models", models, "--batch-size", "7").stdout

    assert shown.startswith(
        "Dry run complete; the cutover would be refused for 1 index. 3 documents were read, "
    )
    assert f"{INDEX}: the cutover would be refused: 2 documents would drop out of query results\n" in shown
    assert "  blocking: app:log:0 at: not a date: N/A\n" in shown
    assert "  blocking: app:log:2 until: empty string, not a number\n" in shown
    run = f"om migrate-data run --models {models} --batch-size 7"
    for option in ("", " --failure-mode quarantine", " --failure-mode default", " --accept-unindexed"):
        assert f"\n  {run}{option}\n" in shown
    assert shown.endswith(f"\nOr convert now and cut over later with: {run}\n")

    stops = run_om("migrate-data", "run", "--dry-run", "--models", models, "--failure-mode", "fail").stdout
    assert "cutover would be refused" not in stops, "such a run does not reach it"
    cured = run_om("migrate-data", "run", "--dry-run", "--models", models, "--failure-mode", "quarantine")
    assert cured.stdout.startswith("Dry run complete. 3 documents were read, nothing was written.\n")
    accepting = run_om("migrate-data", "run", "--dry-run", "--models", models, "--accept-unindexed").stdout
    assert f"{INDEX}: 2 documents would drop out of query results (--accept-unindexed)\n" in accepting
    assert "To cut over, do one of" not in accepting


def test_the_columns_of_a_dry_run_add_up(
    configured: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    noted = "noted: datetime.datetime | None = None"
    models = write_module(
        MODEL.format(base="JsonModel").replace(noted, "noted: list[datetime.datetime] = []")
    )
    save(client, "JsonModel", [{"at": "N/A"}, {"at": "2020-01-01", "noted": ["2020-01-01", "N/A"]}])
    words = ("migrate-data", "run", "--dry-run", "--models", models)

    shown = run_om(*words, "--failure-mode", "quarantine").stdout

    rows = [line.split() for line in shown.splitlines()]
    assert ["at", "datetime", "1", "1", "0"] in rows, shown
    assert ["noted[]", "datetime", "1", "0", "1"] in rows, shown
    assert ["field", "type", "convertible", "quarantined", "failed"] in rows, shown
    assert ["at", "datetime", "1", "1"] in [line.split() for line in run_om(*words).stdout.splitlines()]
    replaced = run_om(*words, "--failure-mode", "default").stdout
    assert re.search(r"^field +type +convertible +replaced by 0\.0$", replaced, re.M), replaced


ORDERS = "shop:order:"
INDEX_OF_ORDERS = "shop:order:index"
FIELD = 'IndexField("{at}{name}", "{name}", FieldKind.{kind}, separator={separator})'
FILES = {
    "initial": """
        from redstart.operations import *

        migration = Migration(
            operations=[
                CreateModel(
                    Model(
                        "shop.Order", key_prefix="shop:order:", storage="{storage}",
                        fields=[Field("price", "{before}"), Field("code", "str"), Field("size", "{before}")],
                        index={old},
                    )
                )
            ]
        )
        """,
    "types": """
        from redstart.operations import *

        migration = Migration(
            dependencies=["20260101_000000_initial"],
            operations=[
                {operations}
                AlterIndex("shop.Order", before={old}, after={new}),
            ],
        )
        """,
}
CONVERT = (
    'ConvertField("shop.Order", Field("price", "{before}"), Field("price", "{after}"), '
    'on_failure="{mode}", default={default}),'
)
RENAME = 'RenameField("shop.Order", "code", "label"),'
VALUES_OF_FILES: dict[str, list[Any]] = {
    "str": ["12", "7", "free", "", None, 12, True, ["1"], {"a": 1}],
    "int": [12, 7, "12", "free", None, True, [1], {"a": 1}],
}


def index_of_orders(storage: str, name: str = INDEX_OF_ORDERS, **kinds: str) -> str:
    fields = (
        FIELD.format(
            at="" if storage == "hash" else "$.",
            name=field,
            kind=kind,
            separator="'|'" if kind == "TAG" else None,
        )
        for field, kind in kinds.items()
    )
    return f'Index("{name}", Storage.{storage.upper()}, ("shop:order:",), ({", ".join(fields)},))'


def save_order(client: redis.Redis, storage: str, number: int, values: dict[str, Any]) -> None:
    if storage == "json":
        client.execute_command("JSON.SET", f"{ORDERS}{number}", "$", json.dumps(values))
    else:
        texts = {name: str(value) for name, value in values.items() if value is not None}
        client.hset(f"{ORDERS}{number}", mapping={"pk": number, **texts})


def write_files(
    storage: str, *, is_to_text: bool, mode: str, changes: bool, renames: bool, new_index: str
) -> None:
    """Write files in which a type changes, in documents too or only in the index, and perhaps a name."""
    before, after, kinds = "str", "int", ("TAG", "NUMERIC")
    if is_to_text:
        before, after, kinds = after, before, kinds[::-1]
    old = index_of_orders(storage, price=kinds[0], size=kinds[0], code="TAG")
    label = "label" if renames else "code"
    new = index_of_orders(storage, new_index, price=kinds[1], size=kinds[not changes], **{label: "TAG"})
    convert = CONVERT.format(before=before, after=after, mode=mode, default='"x"' if is_to_text else 0)
    operations = (convert if changes else "") + (RENAME if renames else "")
    Path("migrations").mkdir()
    for number, (name, text) in enumerate(FILES.items(), start=1):
        content = text.format(storage=storage, before=before, old=old, new=new, operations=operations)
        Path("migrations", f"2026010{number}_000000_{name}.py").write_text(textwrap.dedent(content))


def without(documents: int) -> str:
    number = "1 document" if documents == 1 else f"{documents:,} documents"
    return f"missing from the new index: {number}; stored, but not returned by queries\n"


@pytest.mark.parametrize("storage", ["hash", "json"])
@pytest.mark.parametrize(
    ("new_index", "state"),
    [(INDEX_OF_ORDERS, IndexOutcome.CUT_OVER), ("shop:order:new", IndexOutcome.CREATED)],
)
def test_a_run_and_a_rollback_report_the_documents_that_an_index_lacks(
    client: redis.Redis,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    new_index: str,
    state: IndexOutcome,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    write_files(
        storage, is_to_text=False, mode="log_and_skip", changes=True, renames=False, new_index=new_index
    )
    assert run_om("upgrade", "--to", "20260101_000000_initial").code == 0
    for number, price in enumerate(["free", "many", "3"]):
        save_order(client, storage, number, {"price": price, "size": "1", "code": "a"})
    run = run_om("upgrade", "--accept-unindexed")
    assert run.code == 0
    assert run.stdout.startswith("1 migration file applied.\n")
    assert f"{new_index}: {RESULTS[state]}\n  {without(2)}" in run.stdout
    save_order(
        client, storage, 3, {"price": {"a": 1} if storage == "json" else "7", "size": "1", "code": "a"}
    )
    back = run_om("migrate", "rollback", "--yes", "--accept-unindexed")
    assert back.stdout.startswith("1 migration file rolled back.\n"), back.text
    assert (without(1) in back.stdout) == (storage == "json"), back.text
    assert back.stdout.count("missing") == back.stdout.count(without(1))


@pytest.mark.sample(2)
@pytest.mark.parametrize("mode", ["log_and_skip", "default", "quarantine"])
@pytest.mark.parametrize("is_to_text", [False, True])
@pytest.mark.parametrize("storage", ["hash", "json"])
@pytest.mark.parametrize("new_index", [INDEX_OF_ORDERS, "shop:order:new"])
def test_a_dry_run_predicts_the_refused_cutover_of_a_file(
    client: redis.Redis,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    is_to_text: bool,
    mode: str,
    new_index: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    rng = random.Random(SEED)
    changes, renames = rng.random() < 0.7, rng.random() < 0.5
    write_files(
        storage, is_to_text=is_to_text, mode=mode, changes=changes, renames=renames, new_index=new_index
    )
    assert run_om("upgrade", "--to", "20260101_000000_initial").code == 0
    values = VALUES_OF_FILES["int" if is_to_text else "str"]
    for number in range(60):
        found = {name: rng.choice(values) if rng.random() < 0.3 else values[0] for name in ("price", "size")}
        found["code"] = rng.choice(["a", None, 3]) if rng.random() < 0.2 else "a"
        save_order(client, storage, number, found)
    before = snapshot(client)
    dry = run_om("upgrade", "--dry-run", "--json")
    shown = run_om("upgrade", "--dry-run").stdout
    assert difference(before, snapshot(client)) == []
    run = run_om("upgrade", "--json")
    (file,) = run.json["migrations"]
    is_new = new_index != INDEX_OF_ORDERS
    state = "created" if is_new else "refused"
    missing = {one["index"]: one["missing"] for one in file["indexes"] if one["state"] == state}
    missing = {name: number for name, number in missing.items() if number}
    refused = {} if is_new else missing
    context = (SEED, changes, renames, file, dry.json["blocking"])
    assert (dry.code, run.code) == (0, 3 if refused else 0), context
    assert predicted(dry.json) == missing, context
    named = {one["key"] for one in dry.json["blocking"]}
    assert len(named) == sum(missing.values()), context
    assert ("the cutover would be refused" in " ".join(shown.split())) == bool(refused), context
    for name, number in missing.items() if is_new else ():
        assert f"{name}: would be created without {number} documents\n" in shown, context
        assert "Correct these documents before the run; otherwise queries will not find them.\n" in shown, (
            context
        )
    if refused:
        accepting = run_om("upgrade", "--dry-run", "--accept-unindexed").stdout
        assert "would be refused" not in accepting
        accepted = run_om("upgrade", "--accept-unindexed")
        assert accepted.code == 0
        assert all(
            f"{name}: {RESULTS[IndexOutcome.CUT_OVER]}\n  {without(number)}" in accepted.stdout
            for name, number in refused.items()
        )


@pytest.mark.parametrize("storage", ["hash", "json"])
def test_a_plan_and_a_dry_run_tell_which_queries_fail_from_the_start(
    url: str, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    write_files(storage, is_to_text=True, mode="skip", changes=True, renames=False, new_index=INDEX_OF_ORDERS)
    path = Path("migrations", "20260102_000000_types.py")
    path.write_text(path.read_text().replace('on_failure="skip"', "parse=lambda number: f'n{number}'"))
    assert run_om("upgrade", "--to", "20260101_000000_initial").code == 0
    save_order(client, storage, 1, {"price": 12, "size": 1, "code": "a"})
    for words in (("migrate", "plan"), ("upgrade", "--dry-run")):
        lines = run_om(*words).stdout.splitlines()
        warning = "  Queries of the old version by Order.price fail from the start of the run."
        assert (warning in lines) == (storage == "hash"), lines
        (estimate,) = [one["estimate"] for one in run_om(*words, "--json").json["migrations"]]
        assert estimate["lost_at_start"] == ["Order.price"] * (storage == "hash")
        assert estimate["lost_attributes"] == ["Order.price"]
