"""Keys under the key prefix of a model with dates that are another model's: never converted unasked."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redstart.errors import MigrationError
from redstart.mapping.base_model import model_registry
from redstart.sync.data_migrations import DatetimeFieldMigration
from tests.migrations.indexes.conftest import drop_all, total, wait_until_built
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

ORDER = """
from datetime import datetime
from redstart import Field, HashModel, JsonModel

class Order({base}, index=True):
    at: datetime = Field(index=True)
    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"
        index_name = "shop:order"
"""
ITEM = """
from redstart import Field, HashModel, JsonModel

class Item({base}, index=True):
    at: str = Field(index=True)
    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order:item"
        index_name = "shop:item"
"""
TEXT = "2024-01-01T00:00:00"
NUMBER = "1704067200.0"
INNER = "shop:order:item:"
RUN = ("migrate-data", "run", "--yes")
BASES = ["HashModel", "JsonModel"]


@pytest.fixture(autouse=True)
def surroundings(url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REDIS_OM_URL", url)
    known = dict(model_registry)
    model_registry.clear()  # models of other tests may be inside
    yield
    model_registry.clear()
    model_registry.update(known)
    drop_all(client)


def write(client: redis.Redis, base: str, key: str) -> None:
    if base == "HashModel":
        client.hset(key, mapping={"at": TEXT})
    else:
        client.json().set(key, "$", {"at": TEXT})


def stored(client: redis.Redis, base: str, key: str) -> str:
    if base == "HashModel":
        found: Any = client.hget(key, "at")
        return found.decode()
    (found,) = client.json().get(key, "$.at")
    return found if isinstance(found, str) else str(float(found))


def seen_by(how: str, base: str, client: redis.Redis, write_module: Callable[[str], str]) -> str:
    """Make the inner prefix known in one way; returns what a message calls its owner."""
    if how == "registry":
        name = write_module(ITEM.format(base=base))
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(".")
            _ = importlib.import_module(name)
        return f"{name}.Item"
    on, field = ("HASH", ("at",)) if base == "HashModel" else ("JSON", ("$.at", "AS", "at"))
    client.execute_command(
        *("FT.CREATE", "items", "ON", on, "PREFIX", 2, "other:", INNER, "SCHEMA", *field, "TEXT")
    )
    wait_until_built(client, ["items"])
    return "items"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("how", ["registry", "index"])
def test_refused_left_alone_or_converted(
    how: str,
    base: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = write_module(ORDER.format(base=base))
    monkeypatch.setenv("REDSTART_MODELS", orders)
    write(client, base, "shop:order:1")
    write(client, base, f"{INNER}1")
    owner = seen_by(how, base, client, write_module)

    rehearsed = run_om("migrate-data", "run", "--dry-run", "--json")
    assert f"--exclude-prefix {INNER}" in rehearsed.json["refusal"]
    before = sorted(client.scan_iter())
    refused = run_om(*RUN)
    assert refused.code == 1, refused.text
    for text in (owner, f"{orders}.Order", "'shop:order:'", f"'{INNER}'", "--include-prefix"):
        assert text in refused.text
    assert sorted(client.scan_iter()) == before  # nothing was written
    assert stored(client, base, "shop:order:1") == TEXT

    done = run_om(*RUN, "--exclude-prefix", INNER)
    assert done.code == 0, done.text
    assert stored(client, base, "shop:order:1") == NUMBER
    assert stored(client, base, f"{INNER}1") == TEXT
    verified = run_om("migrate-data", "verify", "--check-data", "--exclude-prefix", INNER)
    assert verified.code == 0, verified.text
    assert run_om("migrate-data", "status", "--exclude-prefix", INNER).code == 0

    refused = run_om(*RUN, "--include-prefix", INNER, "--accept-unindexed")
    assert (refused.code, "the previous run excluded" in refused.stderr) == (1, True), refused.text
    undone = run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps", "--yes")
    assert (undone.code, stored(client, base, f"{INNER}1")) == (0, TEXT), undone.text
    included = run_om(*RUN, "--include-prefix", INNER, "--accept-unindexed")
    assert included.code == 0, included.text
    assert stored(client, base, f"{INNER}1") == NUMBER
    undone = run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps", "--yes")
    assert undone.code == 0, undone.text
    assert stored(client, base, "shop:order:1") == TEXT
    assert stored(client, base, f"{INNER}1") == TEXT


@pytest.mark.parametrize("base", BASES)
def test_what_was_excluded_is_no_part_of_a_rollback(
    base: str, client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_MODELS", write_module(ORDER.format(base=base)))
    write(client, base, "shop:order:1")
    assert run_om(*RUN, "--exclude-prefix", INNER).code == 0
    if base == "HashModel":
        client.hset(f"{INNER}1", mapping={"at": NUMBER})
    else:
        client.json().set(f"{INNER}1", "$", {"at": float(NUMBER)})
    assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps", "--yes").code == 0
    assert stored(client, base, "shop:order:1") == TEXT
    assert stored(client, base, f"{INNER}1") == NUMBER


def test_documents_of_another_type_are_no_reason(
    client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_MODELS", write_module(ORDER.format(base="HashModel")))
    write(client, "HashModel", "shop:order:1")
    write(client, "JsonModel", f"{INNER}1")
    _ = seen_by("index", "JsonModel", client, write_module)
    done = run_om(*RUN)
    assert done.code == 0, done.text
    assert stored(client, "JsonModel", f"{INNER}1") == TEXT


@pytest.mark.parametrize("base", BASES)
def test_both_models_named_and_one_excluded(
    base: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    both = write_module(ORDER.format(base=base) + ITEM.format(base=base))
    monkeypatch.setenv("REDSTART_MODELS", both)
    write(client, base, "shop:order:1")
    write(client, base, f"{INNER}1")
    refused = run_om(*RUN)
    assert refused.code == 2, refused.text
    assert f"exclude_prefixes = ['{INNER}']" in refused.text
    (tmp_path / "pyproject.toml").write_text(f"[tool.redstart]\nexclude_prefixes = ['{INNER}']\n")
    assert run_om(*RUN).code == 0
    assert run_om("migrate-data", "verify").code == 0
    assert stored(client, base, "shop:order:1") == NUMBER
    assert stored(client, base, f"{INNER}1") == TEXT


@pytest.mark.parametrize("base", BASES)
def test_the_index_of_the_orders_loses_the_items_when_asked_only(
    base: str, client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the items, too, whose text does not fit the new index: queries found them until now."""
    monkeypatch.setenv("REDSTART_MODELS", write_module(ORDER.format(base=base)))
    write(client, base, "shop:order:1")
    write(client, base, f"{INNER}1")
    on, field = ("HASH", ("at",)) if base == "HashModel" else ("JSON", ("$.at", "AS", "at"))
    client.execute_command(
        *("FT.CREATE", "shop:order", "ON", on, "PREFIX", 1, "shop:order:", "SCHEMA", *field, "TAG")
    )
    wait_until_built(client, ["shop:order"])
    before = every_byte(client)
    rehearsed = run_om("migrate-data", "run", "--dry-run", "--json", "--exclude-prefix", INNER)
    assert "--accept-unindexed" in rehearsed.json["refusal"]
    refused = run_om(*RUN, "--exclude-prefix", INNER)
    assert refused.code == 1, refused.text
    for text in (f"{INNER}1", "shop:order", "--accept-unindexed", "--include-prefix"):
        assert text in refused.stderr
    assert every_byte(client) == before
    assert client.execute_command("FT._LIST") == [b"shop:order"]
    accepted = run_om(*RUN, "--exclude-prefix", INNER, "--accept-unindexed")
    assert accepted.code == 0, accepted.text
    assert total(client, "shop:order", "@at:[0 +inf]") == 1
    assert stored(client, base, f"{INNER}1") == TEXT
    assert run_om(*RUN, "--exclude-prefix", INNER).code == 0  # the index has no text dates any more


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("value", [NUMBER, None])
def test_excluded_documents_that_fit_the_numeric_index_do_not_refuse_a_run(
    base: str,
    value: str | None,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDSTART_MODELS", write_module(ORDER.format(base=base)))
    write(client, base, "shop:order:1")
    content: dict[str, Any] = {"other": "x"} if value is None else {"at": value}
    if base == "HashModel":
        client.hset(f"{INNER}1", mapping=content)
    else:
        client.json().set(
            f"{INNER}1", "$", {name: float(NUMBER) if value else text for name, text in content.items()}
        )
    on, field = ("HASH", ("at",)) if base == "HashModel" else ("JSON", ("$.at", "AS", "at"))
    client.execute_command(
        *("FT.CREATE", "shop:order", "ON", on, "PREFIX", 1, "shop:order:", "SCHEMA", *field, "TAG")
    )
    wait_until_built(client, ["shop:order"])
    done = run_om(*RUN, "--exclude-prefix", INNER)
    assert done.code == 0, done.text


@pytest.mark.parametrize("base", BASES)
def test_excluded_documents_that_their_own_model_converts_do_not_refuse_a_run(
    base: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    models = ",".join(write_module(text.format(base=base)) for text in (ORDER, DATED_ITEM))
    write(client, base, "shop:order:1")
    write(client, base, f"{INNER}1")
    on, field = ("HASH", ("at",)) if base == "HashModel" else ("JSON", ("$.at", "AS", "at"))
    client.execute_command(
        *("FT.CREATE", "shop:order", "ON", on, "PREFIX", 1, "shop:order:", "SCHEMA", *field, "TAG")
    )
    wait_until_built(client, ["shop:order"])
    done = run_om(*RUN, "--models", models, "--exclude-prefix", INNER)
    assert done.code == 0, done.text
    assert total(client, "shop:order", "@at:[0 +inf]") == 2


DATED_ITEM = """
from datetime import datetime
from redstart import Field, HashModel, JsonModel

class Item({base}, index=True):
    at: datetime
    due: datetime | None = None
    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order:item"
        index_name = "shop:item"
"""
ID = "001_datetime_fields_to_timestamps"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("mode", ["default", "quarantine"])
def test_the_undo_log_of_an_inner_model_is_not_read_as_that_of_the_outer(
    base: str, mode: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    """A copy of a document with a failed value has no original in the undo log, so a rollback has to name it."""
    models = ",".join(write_module(text.format(base=base)) for text in (ORDER, DATED_ITEM))
    options = ("--models", models, "--exclude-prefix", INNER)
    write(client, base, "shop:order:1")
    for field, value in (("at", TEXT), ("due", "N/A")):
        if base == "HashModel":
            client.hset(f"{INNER}1", field, value)
        elif field == "at":
            client.json().set(f"{INNER}1", "$", {"at": value})
        else:
            client.json().set(f"{INNER}1", f"$.{field}", value)
    assert run_om(*RUN, "--failure-mode", mode, *options).code == 0
    verified = run_om("migrate-data", "verify", "--check-data", *options)
    assert verified.code == 0, verified.text
    client.copy(f"{INNER}1", f"{INNER}copy")
    undone = run_om("migrate-data", "rollback", ID, "--yes", "--models", models)
    assert (undone.code, f"{INNER}copy" in undone.stdout) == (6, True), undone.text
    assert stored(client, base, f"{INNER}1") == TEXT


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("first", [(), ("--exclude-prefix", INNER)])
def test_the_exclusions_of_a_run_hold_until_the_rollback(
    base: str, first: tuple[str, ...], client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    name = write_module(ORDER.format(base=base))
    write(client, base, "shop:order:1")
    write(client, base, f"{INNER}1")
    second = () if first else ("--exclude-prefix", INNER)
    assert run_om(*RUN, "--models", name, *first).code == 0
    before = stored(client, base, f"{INNER}1")
    for words in (("migrate-data", "verify"), ("migrate-data", "status", "--check")):
        found = run_om(*words, "--models", name)
        assert found.code == 0, found.text
    rehearsed = run_om("migrate-data", "run", "--dry-run", "--json", "--models", name, *second)
    assert "the previous run excluded" in rehearsed.json["refusal"]
    refused = run_om(*RUN, "--models", name, *second)
    assert (refused.code, "the previous run excluded" in refused.stderr) == (1, True), refused.text
    assert stored(client, base, f"{INNER}1") == before
    assert run_om("migrate-data", "rollback", ID, "--yes", "--models", name).code == 0
    assert stored(client, base, f"{INNER}1") == TEXT


def write_number(client: redis.Redis, base: str, key: str) -> None:
    if base == "HashModel":
        client.hset(key, mapping={"at": NUMBER})
    else:
        client.json().set(key, "$", {"at": float(NUMBER)})


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("how", ["registry", "index"])
@pytest.mark.parametrize("option", ["--exclude-prefix", "--include-prefix"])
def test_a_rollback_looks_for_models_that_were_created_after_the_run(
    option: str,
    how: str,
    base: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = write_module(ORDER.format(base=base))
    monkeypatch.setenv("REDSTART_MODELS", orders)
    write(client, base, "shop:order:1")
    assert run_om(*RUN).code == 0
    write_number(client, base, f"{INNER}1")
    owner = seen_by(how, base, client, write_module)
    before = every_byte(client)
    rollback = ("migrate-data", "rollback", ID, "--yes")
    for words in (rollback, (*rollback, "--dry-run")):
        refused = run_om(*words)
        assert refused.code == 1, refused.text
        for text in (owner, f"{ID} --exclude-prefix {INNER}", f"{ID} --include-prefix {INNER}"):
            assert text in refused.stderr
        assert every_byte(client) == before
    with pytest.raises(MigrationError, match=INNER):
        DatetimeFieldMigration(client).down()
    assert every_byte(client) == before
    rehearsed = run_om(*rollback, "--dry-run", "--json", option, INNER).json
    assert rehearsed["rewritten_as_text"] == (option == "--include-prefix")
    done = run_om(*rollback, option, INNER)
    assert stored(client, base, "shop:order:1") == TEXT, done.text
    assert stored(client, base, f"{INNER}1") == (NUMBER if option == "--exclude-prefix" else TEXT)
    assert done.code == 0, done.text


TWIN = """
from datetime import date, datetime
from typing import Optional
from redstart import Field, HashModel, JsonModel

class Twin({base}, index=True):
    at: {kind} = Field(index=True)
    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"
        index_name = "shop:twin"
"""
KINDS = ["str", "float", "date", "Optional[int]", "datetime | str"]
COMMANDS = {
    "run": RUN,
    "verify": ("migrate-data", "verify"),
    "rollback": ("migrate-data", "rollback", ID, "--yes"),
    "preview": ("migrate-data", "rollback", ID, "--dry-run"),
}


def imported(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(".")
        _ = importlib.import_module(name)


@pytest.mark.sample(9)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_the_same_prefix_and_another_type_is_named(
    kind: str,
    base: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = write_module(ORDER.format(base=base))
    monkeypatch.setenv("REDSTART_MODELS", orders)
    write(client, base, "shop:order:1")
    twins = write_module(TWIN.format(base=base, kind=kind))
    imported(twins)
    before = every_byte(client)
    for words in (RUN, COMMANDS["verify"]):
        refused = run_om(*words)
        assert refused.code == 1, refused.text
        for text in (
            f"{orders}.Order",
            f"{twins}.Twin",
            "'shop:order:'",
            "at is datetime in",
            "model_key_prefix",
        ):
            assert text in refused.stderr
    assert "same key prefix" in run_om("migrate-data", "run", "--dry-run", "--json").json["refusal"]
    assert every_byte(client) == before
    twin = model_registry.pop(f"{twins}.Twin")
    assert run_om(*RUN).code == 0
    model_registry[f"{twins}.Twin"] = twin
    converted = every_byte(client)
    for name in ("rollback", "preview"):
        refused = run_om(*COMMANDS[name])
        assert (refused.code, f"{twins}.Twin" in refused.stderr) == (1, True), refused.text
    assert every_byte(client) == converted
    del model_registry[f"{twins}.Twin"]
    assert run_om(*COMMANDS["rollback"]).code == 0
    assert stored(client, base, "shop:order:1") == TEXT


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", ["datetime", "Optional[datetime]"])
def test_a_model_with_the_same_prefix_and_type_shares_the_documents(
    kind: str,
    base: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDSTART_MODELS", write_module(ORDER.format(base=base)))
    write(client, base, "shop:order:1")
    imported(write_module(TWIN.format(base=base, kind=kind)))
    for name in ("run", "verify", "preview", "rollback"):
        done = run_om(*COMMANDS[name])
        assert done.code == 0, (name, done.text)
    assert stored(client, base, "shop:order:1") == TEXT


@pytest.mark.parametrize("base", BASES)
def test_runs_of_two_models_with_the_same_prefix_and_different_types(
    base: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    orders, twins = write_module(ORDER.format(base=base)), write_module(TWIN.format(base=base, kind="date"))
    both = run_om(*RUN, "--models", f"{orders},{twins}")
    assert both.code == 2, both.text
    assert "at is datetime in" in both.stderr
    twin = model_registry.pop(f"{twins}.Twin")
    write(client, base, "shop:order:1")
    assert run_om(*RUN, "--models", orders).code == 0
    before = every_byte(client)
    model_registry[f"{twins}.Twin"] = twin
    del model_registry[f"{orders}.Order"]
    refused = run_om(*RUN, "--models", twins)
    assert (refused.code, "at was converted as" in refused.stderr) == (1, True), refused.text
    assert every_byte(client) == before
