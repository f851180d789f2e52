"""Dates are a data migration like any other: nothing else in `migrations/` speaks of them."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import redstart.migrations

FOLDER = Path(redstart.migrations.__path__[0])
OF_DATES = ("data/datetime_conversion.py", "date_migration.py")
TYPES_OF_FIELDS = ("operations", "files")
"""Folders that name the types of fields, as users declare them, and the times in names of files."""
WORDS = re.compile(
    r"DATETIME_MIGRATION|(?<![a-z])dates?(?![a-z])|datetime|temporal|timestamp|isoformat|epoch|0\.3\.5",
    re.IGNORECASE,
)
ENGINE_WORDS = re.compile(
    r"(?<![a-z])(?:time)?zones?(?![a-z])|naive|(?<![a-z])aware(?![a-z])|numeric|text format", re.IGNORECASE
)
"""Words that the index engine and checks of models need, and the document engine does not."""
UP_TO_DATE = re.compile("up[ _]to[ _]date", re.IGNORECASE)
ALLOWED = {
    "state_keys.py": {'"001_datetime_fields_to_timestamps"'},  # the id of the only migration without a file
    "record.py": {'"aware_fields"'},  # the name of a field of the record, which versions share
    "model_check.py": {
        "# redis-om 0.3.5 wrote an unused `pk` next to a custom primary key.",
        # errors of pydantic
        '"datetime_"',
        '"a datetime"',
        '"date_"',
        '"a date"',
    },
}


def words_of(path: Path) -> Iterator[tuple[int, str]]:
    """Return the names, texts and comments of a module, with their lines."""
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
                yield token.start[0], token.string


def test_no_other_module_speaks_of_dates() -> None:
    modules = [
        path
        for path in FOLDER.rglob("*.py")
        if str(path.relative_to(FOLDER)) not in OF_DATES and path.parent.name not in TYPES_OF_FIELDS
    ]
    assert len(modules) > 60
    found, used = [], set()
    for path in modules:
        is_engine = path.parent.name == "data" or path.name == "transformation.py"
        for line, text in words_of(path):
            rest = UP_TO_DATE.sub("", text)
            if WORDS.search(rest) or (is_engine and ENGINE_WORDS.search(rest)):
                if text in ALLOWED.get(path.name, ()):
                    used.add((path.name, text))
                else:
                    found.append(f"{path.relative_to(FOLDER)}:{line}: {text}")
    assert found == []
    assert used == {(name, text) for name, texts in ALLOWED.items() for text in texts}
