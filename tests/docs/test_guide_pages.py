"""Commands and options that pages name exist; in the guide, every symptom has a cause and an action."""

import re
import shlex

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.main import om
from redstart.cli.migrate_data.run import run
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.phase import MigrationPhase
from tests.docs.examples import GUIDE, ROOT

PAGES = sorted(GUIDE.glob("*.md"))
EXCLUDED = {"cli.md", "from-redis-om.md", "moving.md"}
"""`cli.md` is generated; the other two also show commands that Redstart does not have."""

PAGES_WITH_COMMANDS = [
    *PAGES,
    *sorted(page for page in GUIDE.parent.glob("*.md") if page.name not in EXCLUDED),
    ROOT / "README.md",
]
TROUBLE = (GUIDE / "troubleshooting.md").read_text(encoding="utf-8")


def symptoms() -> list[list[str]]:
    rows = [line.strip("|").split(" | ") for line in TROUBLE.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0].strip() != "symptom"]


def test_each_symptom_has_a_cause_and_an_action() -> None:
    assert len(symptoms()) >= 40
    for row in symptoms():
        assert len(row) == 3, row
        assert all(len(cell.strip()) > 8 for cell in row), row
    codes = {int(code) for code in re.findall(r"\(exit (\d)\)", TROUBLE)}
    assert codes <= set(Exit)


def commands_named() -> list[tuple[str, str]]:
    """Commands in running text and in blocks that are shown only; a name in capitals stands for a value."""
    found = []
    for path in PAGES_WITH_COMMANDS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [*re.findall(r"`(om [^`\n]+)`", text), *re.findall(r"^(?:\$ )?(om .+)$", text, re.MULTILINE)]
        found += [(path.name, line.partition("  #")[0]) for line in lines]
    return found


def test_every_command_and_option_named_exists() -> None:
    named = commands_named()
    assert len(named) > 400
    assert [f"{page}: {line}" for page, line in named if not exists(line)] == []


def exists(line: str) -> bool:
    """Whether a command and its options exist."""
    words = shlex.split(line)[1:]
    command: click.Command = om
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return {word for word in words if word.startswith("--")} <= options | {"--help"}


def section(page: str, heading: str) -> str:
    text = (GUIDE / page).read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_option_of_run_is_on_the_page_of_options() -> None:
    text = (GUIDE / "options.md").read_text(encoding="utf-8")
    shared = {"--url", "--models"}
    longest = {max(parameter.opts, key=len) for parameter in run.params} - shared
    assert {name for name in longest if not re.search(rf"`{name}[ `]", text)} == set()


def test_every_failure_mode_and_every_phase_has_its_row() -> None:
    modes = re.findall(r"^\| `(\w+)`", section("options.md", "Failed values"), re.MULTILINE)
    assert sorted(modes) == sorted(FailureMode), 'add a row to "Failed values" in docs/guide/options.md'
    order = section("deployment.md", "Versions and phases")
    assert set(re.findall(r"^\| `([\w ]+)`", order, re.MULTILINE)) == set(MigrationPhase)


def test_every_phase_is_in_the_glossary() -> None:
    phases = section("../glossary.md", "Phases")
    assert set(re.findall(r"^\| `([\w ]+)`", phases, re.MULTILINE)) == set(MigrationPhase)


def test_every_box_of_the_checklist_names_a_command() -> None:
    text = (GUIDE / "checklist.md").read_text(encoding="utf-8")
    boxes = text.split("\n- [ ] ")[1:]
    assert len(boxes) >= 20
    for box in boxes:
        block = box.partition("```console\n")[2].partition("```")[0]
        assert block.startswith("$ "), box
        assert any(not line.startswith("$ ") for line in block.splitlines()), box


def test_no_line_of_a_block_is_typed_in_a_place_that_is_not_executed() -> None:
    """A prompt is shown in console blocks only, for these are executed."""
    for path in PAGES:
        blocks = re.findall(
            r"^ *```(\w+)\n(.*?)^ *```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        for kind, lines in blocks:
            assert kind == "console" or "$ om" not in lines, path
