"""`om migrate create`, `merge`, `check`, and `om migrate-data create`: new files, and the answers they need."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest
import redis

from redstart.migrations.files.migration_file import load_files
from redstart.migrations.operations.fields import AddField
from redstart.migrations.operations.moved_fields import RenameField
from tests.support.cli import Ended, om_command, om_on_terminal, refused, run_om
from tests.support.models import registry_of_its_own
from tests.support.snapshot import every_byte

Declare = Callable[..., None]

MODULE = "shop_of_new_files"
ORDER = """
    class Order(HashModel, index=True):
        {fields}

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "order"
"""


def models(fields: str, more: str = "") -> str:
    """A module with one model."""
    head = (
        "from decimal import Decimal\nfrom redstart import Field, HashModel, JsonModel, EmbeddedJsonModel\n"
    )
    return head + dedent(ORDER).format(fields=indent(dedent(fields).strip(), "    ").strip()) + dedent(more)


NAME = "name: str = Field(index=True)"
TITLE = "title: str = Field(index=True)"


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Iterator[Declare]:
    """Declares the model `Order` anew in a project, for every command that follows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", MODULE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def declare(fields: str, more: str = "") -> None:
        (tmp_path / f"{MODULE}.py").write_text(models(fields, more), encoding="utf-8")
        sys.modules.pop(MODULE, None)

    yield declare
    sys.modules.pop(MODULE, None)


def om(*words: str) -> Ended:
    """Run a command on models that are imported again."""
    sys.modules.pop(MODULE, None)
    with registry_of_its_own():
        return run_om(*words)


def on_terminal(*words: str, answer: str = "", prompt: str = "[y/n]") -> tuple[int, str]:
    """Run a command in a fork, and answer its first question."""
    sys.modules.pop(MODULE, None)
    done = om_on_terminal(*words, answer=answer, prompt=prompt)
    return done.code, " ".join(done.shown.split())


def create(*words: str) -> Path:
    found = om("migrate", "create", *words)
    assert found.code == 0, found.text
    path = re.search(r"^Created migration: (.*)$", found.stdout, re.MULTILINE)
    assert path is not None, found.text
    return Path(path[1])


def files() -> list[str]:
    return (
        sorted(path.name[16:-3] for path in Path("migrations").glob("*.py"))
        if Path("migrations").exists()
        else []
    )


class TestCreate:
    def test_the_first_file_has_all_models_and_needs_no_server(
        self, declare: Declare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        declare(NAME)
        monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
        path = create("initial")
        assert re.fullmatch(r"migrations/\d{8}_\d{6}_initial\.py", str(path))
        (one,) = load_files(Path("migrations")).files.values()
        assert one.description == "Create the model Order with keys shop:order:*."
        assert MODULE not in re.sub(rf'"{MODULE}\.Order"', "", path.read_text())  # no import of the models
        found = om("migrate", "create", "again")
        assert (found.code, files()) == (0, ["initial"])
        assert found.stdout.startswith("No pending schema changes detected")
        assert om("migrate", "create", "again", "--json").json == {
            "path": None,
            "id": None,
            "dependencies": [],
            "operations": [],
        }

    def test_a_file_is_as_ruff_formats_it(self, declare: Declare) -> None:
        declare(NAME)
        path = create("initial")
        ruff = Path(sys.executable).with_name("ruff")
        done = subprocess.run(
            [ruff, "format", "--isolated", "--check", path], capture_output=True, check=False
        )
        assert done.returncode == 0, done

    def test_a_change_depends_on_the_file_before_it(self, declare: Declare) -> None:
        declare(NAME)
        first = create("initial")
        declare(f"{NAME}\nnote: str = ''")
        found = om("migrate", "create", "note", "--json").json
        assert found["dependencies"] == [first.stem]
        assert found["operations"] == [
            {"text": "Add the field note (str) to Order with the value ''.", "reversible": True}
        ]
        assert om("migrate", "create", "none").stdout.startswith("No pending schema changes")

    def test_a_rename_is_refused_without_an_answer_and_the_options_are_named(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare(TITLE)
        found = om("migrate", "create", "order title")
        refused(
            found,
            2,
            f"Was the field name of {MODULE}.Order renamed to title?",
            f"--rename {MODULE}.Order.name=title or --no-rename",
            "om migrate create 'order title'",
        )
        assert files() == ["initial"]

    @pytest.mark.parametrize("given", ["Order.name=title", f"{MODULE}.Order.name=title"])
    def test_a_rename_is_an_option(self, declare: Declare, given: str) -> None:
        declare(NAME)
        create("initial")
        declare(TITLE)
        path = create("title", "--rename", given)
        operations = load_files(Path("migrations")).files[path.stem].operations
        assert operations[0] == RenameField(f"{MODULE}.Order", "name", "title")
        assert om("migrate", "check", "--json").json["differences"][-1]["kind"] == "index"

    def test_without_a_rename_the_field_is_removed(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare("title: str = Field('', index=True)")
        texts = om("migrate", "create", "title", "--no-rename", "--json").json["operations"]
        assert [one["text"].split()[0] for one in texts] == ["Add", "Remove", "Change"]

    def test_one_of_several_new_fields_is_the_renamed_one(self, declare: Declare) -> None:
        """The other pairs are not asked about: the option has answered them."""
        declare(NAME)
        create("initial")
        declare(f"about: str = ''\n{TITLE}\nsubject: str = ''")
        path = create("title", "--rename", "Order.name=title")
        operations = load_files(Path("migrations")).files[path.stem].operations
        assert operations[0] == RenameField(f"{MODULE}.Order", "name", "title")
        added = {one.field.name for one in operations if isinstance(one, AddField)}
        assert added == {"about", "subject"}

    @pytest.mark.parametrize(
        ("option", "value"),
        [("--rename", "Order.nmae=title"), ("--value", "Order.prioriy=1"), ("--replace", "Order.name")],
    )
    def test_an_option_that_answers_nothing_is_refused(
        self, declare: Declare, option: str, value: str
    ) -> None:
        declare(NAME)
        create("initial")
        declare(f"{NAME}\npriority: int = 0")
        refused(
            om("migrate", "create", "x", option, value), 2, f"{option} {value} fits no change of the models"
        )
        assert files() == ["initial"]

    def test_a_value_for_documents_without_one(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare(f"{NAME}\npriority: int\nprice: Decimal")
        words = ("migrate", "create", "x")
        refused(om(*words), 2, f"--value {MODULE}.Order.priority=VALUE or --no-value")
        refused(
            om(*words, "--value", "Order.priority=high"),
            2,
            f"'high' is not a value of {MODULE}.Order.priority (int)",
        )
        path = create("x", "--value", "Order.priority=3", "--value", "Order.price=0.10")
        assert "fill=3)" in path.read_text()
        assert 'Decimal("0.10")' in path.read_text()

    def test_no_value_leaves_documents_as_they_are(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare(f"{NAME}\npriority: int")
        assert "fill" not in create("x", "--no-value").read_text()

    def test_a_renamed_model_and_moved_keys(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        path = Path(f"{MODULE}.py")
        path.write_text(path.read_text().replace("class Order", "class Purchase"))
        refused(om("migrate", "create", "x"), 2, f"--rename {MODULE}.Order={MODULE}.Purchase or --no-rename")
        create("purchase", "--rename", f"{MODULE}.Order={MODULE}.Purchase")
        path.write_text(path.read_text().replace('"order"', '"purchase"'))
        refused(om("migrate", "create", "x"), 2, "--rename 'shop:order:*=shop:purchase:*' or --no-rename")
        text = create("keys", "--rename", "shop:order:*=shop:purchase:*").read_text()
        assert "ChangeKeyPrefix(" in text
        assert om("migrate", "create", "x").stdout.startswith("No pending schema changes")

    def test_keys_that_do_not_move_are_removed_with_their_documents(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        path = Path(f"{MODULE}.py")
        path.write_text(path.read_text().replace('"order"', '"purchase"'))
        found = om("migrate", "create", "keys", "--no-rename", "--json").json["operations"]
        assert [one["text"].split()[0] for one in found] == ["Remove", "Create"]

    def test_a_field_that_moves_into_an_embedded_model(self, declare: Declare) -> None:
        part = "class Part(EmbeddedJsonModel):\n    {}\n"
        box = "class Box(JsonModel, index=True):\n    part: Part = Part()\n    {}\n"
        declare(NAME, part.format("size: int = 0") + box.format("weight: int = 0"))
        create("initial")
        declare(NAME, part.format("size: int = 0\n    weight: int = 0") + box.format(""))
        refused(om("migrate", "create", "x"), 2, f"--rename {MODULE}.Box.weight=part.weight or --no-rename")
        assert "MoveField(" in create("x", "--rename", "Box.weight=part.weight").read_text()

    def test_what_cannot_be_converted_is_replaced_only_on_demand(self, declare: Declare) -> None:
        more = "class Part(EmbeddedJsonModel):\n    size: int = 0\n"
        body = "class Box(JsonModel, index=True):\n    part: {}\n"
        declare(NAME, more + body.format("Part = Part()"))
        create("initial")
        declare(NAME, more + body.format("int = 0"))
        refused(om("migrate", "create", "x"), 2, f"--replace {MODULE}.Box.part")
        assert "RemoveField(" in create("x", "--replace", "Box.part").read_text()

    @pytest.mark.parametrize(("answer", "first"), [("y", "Rename the field"), ("n", "Add the field")])
    def test_a_terminal_asks(self, declare: Declare, answer: str, first: str) -> None:
        declare(NAME)
        create("initial")
        declare("title: str = Field('', index=True)")
        code, shown = on_terminal("migrate", "create", "title", answer=answer)
        assert code == 0, shown
        assert f"Was the field name of {MODULE}.Order renamed to title? [y/n]" in shown
        assert shown.partition(".py ")[2].startswith(first)

    def test_a_terminal_asks_for_a_value(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare(f"{NAME}\npriority: int")
        code, shown = on_terminal("migrate", "create", "x", answer="7", prompt="(Enter: none)")
        assert (code, "with the value 7" in shown) == (0, True), shown

    def test_yes_does_not_answer_about_a_rename(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        declare(TITLE)
        code, shown = on_terminal("migrate", "create", "title", "--yes")
        assert (code, "or --no-rename" in shown) == (2, True), shown

    def test_an_empty_file(self, declare: Declare) -> None:
        declare(NAME)
        path = create("by hand", "--empty")
        assert path.name.endswith("_by_hand.py")
        assert load_files(Path("migrations")).files[path.stem].operations == ()

    @pytest.mark.parametrize(
        "name", ["../x", "a/b", "", " ", "a.b", "\x1b[31m", "x" * 101, "a\0b", "-", "é!"]
    )
    def test_a_name_that_is_no_file_name_is_refused(self, declare: Declare, name: str) -> None:
        declare(NAME)
        refused(om("migrate", "create", "--", name), 2, "cannot be part of a file name")
        assert not Path("migrations").exists()

    def test_a_directory_that_cannot_be_written_is_named(self, declare: Declare) -> None:
        declare(NAME)
        Path("file").write_text("")
        refused(om("migrate", "create", "x", "--migrations-dir", "file/below"), 2, "file/below")
        Path("loop").symlink_to("loop")
        refused(om("migrate", "create", "x", "--migrations-dir", "loop"), 2, "loop")

    def test_a_new_directory_is_asked_about(self, declare: Declare) -> None:
        declare(NAME)
        code, shown = on_terminal("migrate", "create", "x", answer="n", prompt="[Y/n]")
        assert (code, "Create the directory migrations?" in shown) == (1, True), shown
        assert not Path("migrations").exists()
        assert on_terminal("migrate", "create", "x", answer=" ", prompt="[Y/n]")[0] == 0
        assert len(list(Path("migrations").glob("*_x.py"))) == 1
        create("x", "--migrations-dir", "db/steps", "--yes")
        assert len(list(Path("db/steps").glob("*_x.py"))) == 1

    def test_a_full_name_is_never_replaced(self, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(NAME)
        path = create("x", "--empty")
        monkeypatch.setattr("redstart.cli.migrate.create.new_id", lambda *_: path.stem)
        before = path.read_text()
        refused(om("migrate", "create", "x", "--empty"), 2, f"{path} exists already")
        assert path.read_text() == before

    def test_files_that_cannot_be_used_come_first(self, declare: Declare) -> None:
        declare(NAME)
        path = create("initial")
        declare(f"{NAME}\nnote: str = ''")
        path.write_text(path.read_text().replace("shop:order:*", "x").replace('"str"', '"strr"'))
        refused(om("migrate", "create", "x"), 1, f"{path}, line ")
        assert files() == ["initial"]

    def test_an_operation_that_does_not_fit_is_named_with_its_file(self, declare: Declare) -> None:
        declare(NAME)
        create("initial")
        path = create("rename", "--empty")
        text = path.read_text().replace("import Migration", "import Migration, RenameField")
        path.write_text(
            text.replace("operations=[]", f'operations=[RenameField("{MODULE}.Order", "nmae", "x")]')
        )
        refused(om("migrate", "create", "x"), 1, f"{path}: operation 1 does not fit the files", "'nmae'")
        (found,) = [
            one for one in om("migrate", "check", "--json").json["differences"] if one["kind"] == "models"
        ]
        assert "operation 1 does not fit" in found["text"]

    def test_models_are_needed(self, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
        declare(NAME)
        monkeypatch.delenv("REDSTART_MODELS")
        refused(om("migrate", "create", "x"), 2, "No models were given.")
        assert om("migrate", "create", "x", "--empty").code == 0


def test_a_template_for_data_can_be_loaded(declare: Declare) -> None:
    declare(NAME)
    first = create("initial")
    found = om("migrate-data", "create", "cents", "--json").json
    assert found["dependencies"] == [first.stem]
    loaded = load_files(Path("migrations"))
    assert loaded.problems == ()
    assert [type(one).__name__ for one in loaded.files[found["id"]].operations] == ["Transform"]
    # The model of the template is still to be replaced: the error names the file.
    refused(om("migrate", "plan"), 1, f"{found['path']}: operation 1 does not fit", "Correct the operation")
    assert "Created migration: migrations/" in om("migrate-data", "create", "euros").stdout


class TestMerge:
    @pytest.fixture
    def branches(self, declare: Declare) -> list[str]:
        """Two files that depend on the same one."""
        declare(NAME)
        create("initial")
        declare(f"{NAME}\na: str = ''")
        one = create("one")
        hidden = one.read_text()
        one.unlink()
        declare(f"{NAME}\nb: str = ''")
        other = create("other")
        one.write_text(hidden)
        return sorted([one.stem, other.stem])

    def test_branches_are_joined(self, branches: list[str], declare: Declare) -> None:
        declare(f"{NAME}\na: str = ''\nb: str = ''")
        refused(om("migrate", "create", "x"), 1, f"2 heads: {', '.join(branches)}", "om migrate merge")
        refused(om("migrate-data", "create", "x"), 1, "2 heads", "om migrate merge")
        found = om("migrate", "merge", "--json").json
        assert (found["dependencies"], found["path"]) == (branches, f"migrations/{found['id']}.py")
        assert found["id"].endswith("_merge")
        assert om("migrate", "history", "--json").json["heads"] == [found["id"]]
        assert om("migrate", "create", "x").stdout.startswith("No pending schema changes")
        assert om("migrate", "merge", "again").stdout.startswith("Nothing to merge")
        assert om("migrate", "merge", "--json").json == {"path": None, "id": None, "dependencies": []}

    @pytest.mark.parametrize("field", ['Field("a", "str", default="")', 'Field("a", "int", default=1)'])
    def test_branches_that_add_the_same_field_are_refused(self, branches: list[str], field: str) -> None:
        path = next(Path("migrations").glob("*_other.py"))
        path.write_text(path.read_text().replace('Field("b", "str", default="")', field))
        said = f"The branches that end with {' and '.join(branches)} conflict."
        refused(om("migrate", "merge"), 1, said, "Let one branch follow the other")
        assert len(files()) == 3

    def test_the_same_change_in_another_order_is_a_conflict(self, branches: list[str]) -> None:
        """Both set the default of one field: the result would depend on the order."""
        for path, default in zip(sorted(Path("migrations").glob("*_o*.py")), ("'x'", "'y'"), strict=True):
            text = path.read_text()
            after = f'Field("name", "str", default={default})'
            alter = f'AlterField("{MODULE}.Order", before=Field("name", "str"), after={after})'
            text = text.replace("AddField", "AlterField", 1)
            path.write_text(re.sub(r"operations=\[.*\]", f"operations=[{alter}]", text, flags=re.DOTALL))
        refused(om("migrate", "merge"), 1, "conflict")

    def test_the_next_command_has_only_options_that_it_accepts(self, branches: list[str], url: str) -> None:
        found = om("migrate", "plan", "--url", url, "--migrations-dir", "migrations")
        assert found.stderr.endswith("Join them with: om migrate merge --migrations-dir migrations\n")
        assert om("migrate", "merge", "--migrations-dir", "migrations").code == 0
        found = om("migrate", "check", "--url", url, "--models", MODULE)
        assert f"om migrate create --models {MODULE} NAME" in found.stdout


class TestCheck:
    def kinds(self) -> list[str]:
        found = om("migrate", "check", "--json")
        assert found.code == (3 if found.json["differences"] else 0)
        return [one["kind"] for one in found.json["differences"]]

    def test_without_files_the_indexes_are_compared(self, declare: Declare, client: redis.Redis) -> None:
        declare(NAME)
        assert self.kinds() == ["index"]
        assert om("migrate", "run").code == 0
        assert self.kinds() == []
        assert om("migrate", "check").stdout == "No differences between models, migration files and server.\n"
        assert not Path("migrations").exists()

    def test_models_files_and_server(self, declare: Declare, client: redis.Redis) -> None:
        declare(NAME)
        path = create("initial")
        assert self.kinds() == ["pending", "index"]
        assert om("migrate", "run").code == 0
        assert om("migrate", "stamp", path.stem).code == 0
        assert self.kinds() == []
        declare(TITLE)
        assert self.kinds() == ["models", "index"]
        found = om("migrate", "check")
        assert f"In the models, and in no file: Was the field name of {MODULE}.Order renamed" in found.stdout
        assert "om migrate create NAME" in found.stdout
        declare(NAME)
        path.write_text(path.read_text() + "\n")
        assert self.kinds() == ["edited"]
        path.unlink()
        assert self.kinds() == ["without_file"]

    def test_it_writes_nothing(self, declare: Declare, client: redis.Redis) -> None:
        declare(NAME)
        create("initial")
        before = every_byte(client)
        assert om("migrate", "check").code == 3
        assert every_byte(client) == before

    def test_files_of_redis_om_are_included(self, declare: Declare, client: redis.Redis) -> None:
        declare(NAME)
        assert om("migrate", "run").code == 0
        folder = Path("migrations/data-migrations")
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(
            "from aredis_om.model.migrations.data import BaseMigration\n\n\nclass A(BaseMigration):\n"
            "    migration_id = 'a'\n\n    async def up(self): ...\n"
        )
        assert self.kinds() == ["pending"]
        client.sadd("redis_om:applied_migrations", "a")
        assert self.kinds() == []


def test_a_run_without_files_of_redstart_does_what_it_did(declare: Declare, client: redis.Redis) -> None:
    """Helpers, and files of redis-om that lie in the directory itself, are not executed and change nothing."""
    declare(NAME)
    Path("migrations").mkdir()
    for name in ("helpers", "env", "0001_initial"):
        Path(f"migrations/{name}.py").write_text("raise SystemExit('executed')")
    Path("migrations/20250101_000000_a.py").write_text(
        "from aredis_om.model.migrations.data import BaseMigration\nraise SystemExit('executed')\n"
        "class A(BaseMigration): ...\n"
    )
    found = om("migrate", "run", "--json")
    assert (found.code, found.json["pending_files"]) == (0, [])
    assert found.json["indexes"][0]["state"] == "created"
    assert "executed" not in found.text
    assert om("migrate", "check").code == 0


@pytest.mark.sample(0)
def test_the_whole_way_as_processes(declare: Declare, client: redis.Redis) -> None:
    """As a user types it: nothing depends on state that this test process keeps."""
    declare(NAME)

    def run(*words: str) -> dict[str, object]:
        done = subprocess.run(om_command(*words, "--json"), capture_output=True, text=True, check=False)
        assert done.returncode in (0, 3), done
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    assert run("migrate", "create", "initial")["dependencies"] == []
    declare(TITLE)
    run("migrate", "create", "title", "--rename", "Order.name=title")
    history = run("migrate", "history")
    assert isinstance(history["migrations"], list)
    assert [one["state"] for one in history["migrations"]] == ["pending", "pending"]
    (head,) = history["heads"]  # type: ignore[misc]  # JSON
    run("migrate", "stamp", "--to", head)
    assert run("migrate", "current")["current"] == [head]
