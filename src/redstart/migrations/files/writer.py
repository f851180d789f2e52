"""New migration files: their names, and their source, formatted as `ruff format` leaves it."""

import dataclasses
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from redstart.display import printable, shortened
from redstart.errors import ConfigurationError, MigrationStateError
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ModelState

WIDTH: Final = 88
"""Characters of a line: the default of ruff and black."""

INDENT: Final = "    "

PUBLIC_MODULE: Final = "redstart.operations"

PUBLIC_NAMES: Final[dict[type, str]] = {FieldState: "Field", ModelState: "Model"}
"""Names in that module of classes that have another name here."""

KEYWORDS: Final = ("before", "after")
"""Arguments that are written with their names, although they may be given by position."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression: an atom, or items between brackets.

    Attributes:
        opening: the atom, or what stands before the items.
        items: with the text that precedes each, such as `name=`.
        closing: what stands after the items; "" for an atom.
        needs_comma: whether one item alone needs a comma, as in a tuple.
    """

    opening: str
    items: Sequence[tuple[str, "Expression"]] = ()
    closing: str = ""
    needs_comma: bool = False

    def flat(self) -> str:
        """Return the expression on one line."""
        inside = ", ".join(f"{prefix}{item.flat()}" for prefix, item in self.items)
        comma = "," if self.needs_comma and len(self.items) == 1 else ""
        return f"{self.opening}{inside}{comma}{self.closing}"

    def lines(self, indent: str, prefix: str, suffix: str) -> Iterator[str]:
        """Yield the lines of the expression: one if it fits, else one or more for each item."""
        line = f"{indent}{prefix}{self.flat()}{suffix}"
        if columns(line) <= WIDTH or not self.items:
            yield line
            return
        yield f"{indent}{prefix}{self.opening}"
        for name, item in self.items:
            yield from item.lines(indent + INDENT, name, ",")
        yield f"{indent}{self.closing}{suffix}"


def columns(line: str) -> int:
    """Return how many columns a line takes, as formatters count: two for a wide character, none for an accent."""
    if line.isascii():
        return len(line)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide - sum(unicodedata.category(char) in ("Mn", "Me") for char in line)


class _Writer:
    """Writes values as expressions, and keeps which names a file has to import."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self._writers: tuple[tuple[type | tuple[type, ...], Callable[[Any], Expression]], ...] = (
            (Enum, self._member),
            (str, lambda text: Expression(text_literal(text))),
            ((bool, int, type(None)), lambda value: Expression(repr(value))),
            (bytes, lambda data: Expression(bytes_literal(data))),
            (float, lambda number: Expression(float_literal(number))),
            (Decimal, lambda number: self._call("decimal", "Decimal", [text_literal(str(number))])),
            (UUID, lambda value: self._call("uuid", "UUID", [text_literal(str(value))])),
            (datetime, self._datetime),
            (date, lambda day: self._call("datetime", "date", [day.year, day.month, day.day])),
            (time, self._time),
            (timedelta, self._span),
            (timezone, self._zone),
            (list, lambda items: self._sequence("[", items, "]")),
            (tuple, lambda items: self._sequence("(", items, ")")),
            (dict, self._dict),
        )

    def name(self, module: str, name: str) -> str:
        """Return a name, and keep that it has to be imported."""
        self.imports.setdefault(module, set()).add(name)
        return name

    def value(self, value: Any) -> Expression:
        """Return the expression of a value. Raises MigrationStateError."""
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._object(value)
        for kinds, write in self._writers:
            if isinstance(value, kinds):
                return write(value)
        raise MigrationStateError(
            f"{printable(repr(value))} cannot be written to a migration file.",
            "Write operations with functions to the file yourself.",
        )

    def _object(self, value: Any) -> Expression:
        kind = type(value)
        name = self.name(PUBLIC_MODULE, PUBLIC_NAMES.get(kind, kind.__name__))
        is_ours = isinstance(value, Operation) or kind in PUBLIC_NAMES
        items: list[tuple[str, Expression]] = []
        for one in dataclasses.fields(kind):
            argument = getattr(value, one.name)
            if not one.init or _is_default(argument, one.default):
                continue
            # They make a tuple of any sequence that they are given.
            given = list(argument) if is_ours and isinstance(argument, tuple) else argument
            is_positional = (
                is_ours
                and one.default is dataclasses.MISSING
                and not one.kw_only
                and one.name not in KEYWORDS
            )
            items.append(("" if is_positional else f"{one.name}=", self.value(given)))
        return Expression(f"{name}(", items, ")")

    def _member(self, member: Enum) -> Expression:
        return Expression(f"{self.name(PUBLIC_MODULE, type(member).__name__)}.{member.name}")

    def _call(self, module: str, name: str, positional: Iterable[object], **named: Expression) -> Expression:
        items = [("", Expression(str(one))) for one in positional]
        items += [(f"{argument}=", value) for argument, value in named.items()]
        return Expression(f"{self.name(module, name)}(", items, ")")

    def _datetime(self, moment: datetime) -> Expression:
        clock = _without_last_zeros([moment.hour, moment.minute, moment.second, moment.microsecond])
        return self._call(
            "datetime",
            "datetime",
            [moment.year, moment.month, moment.day, *clock],
            **self._zone_and_fold(moment),
        )

    def _time(self, moment: time) -> Expression:
        clock = _without_last_zeros([moment.hour, moment.minute, moment.second, moment.microsecond])
        return self._call("datetime", "time", clock, **self._zone_and_fold(moment))

    def _zone_and_fold(self, moment: datetime | time) -> dict[str, Expression]:
        named = {} if moment.tzinfo is None else {"tzinfo": self.value(moment.tzinfo)}
        return named | ({"fold": Expression("1")} if moment.fold else {})

    def _span(self, span: timedelta) -> Expression:
        parts = {name: getattr(span, name) for name in ("days", "seconds", "microseconds")}
        named = {name: Expression(str(number)) for name, number in parts.items() if number}
        return self._call("datetime", "timedelta", [], **named)

    def _zone(self, zone: timezone) -> Expression:
        if zone is UTC:
            return Expression(self.name("datetime", "UTC"))
        return Expression(
            f"{self.name('datetime', 'timezone')}(", [("", self.value(zone.utcoffset(None)))], ")"
        )

    def _sequence(self, opening: str, items: Sequence[Any], closing: str) -> Expression:
        return Expression(
            opening, [("", self.value(one)) for one in items], closing, needs_comma=opening == "("
        )

    def _dict(self, members: dict[Any, Any]) -> Expression:
        items = [(f"{self.value(name).flat()}: ", self.value(one)) for name, one in members.items()]
        return Expression("{", items, "}")


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _without_last_zeros(numbers: list[int]) -> list[int]:
    while numbers and not numbers[-1]:
        _ = numbers.pop()
    return numbers


def text_literal(text: str) -> str:
    """Return the literal of a text, in double quotes unless it contains more of those than of single ones."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    inside = "".join(_escaped(char, quote) for char in text)
    return f"{quote}{inside}{quote}"


def _escaped(char: str, quote: str) -> str:
    if char in (quote, "\\"):
        return f"\\{char}"
    return char if char.isprintable() else repr(char)[1:-1]


def bytes_literal(data: bytes) -> str:
    """Return the literal of bytes; see `text_literal`."""
    quote = "'" if data.count(b'"') > data.count(b"'") else '"'
    inside = "".join(
        f"\\{char}" if char in (quote, "\\") else repr(bytes([code]))[2:-1] if char not in "'\"" else char
        for code, char in ((code, chr(code)) for code in data)
    )
    return f"b{quote}{inside}{quote}"


def float_literal(number: float) -> str:
    """Return the literal of a float; a call for those without one."""
    if not math.isfinite(number):
        return f'float("{number}")'
    return repr(number).replace("e+", "e")


def migration_source(
    description: str, operations: Iterable[Operation], dependencies: Sequence[str] = ()
) -> str:
    """Return the source of a migration file.

    Args:
        description: one line about what it changes.
        operations: its operations, in order.
        dependencies: ids of the migrations before it.

    Raises:
        MigrationStateError: an operation contains a function, or another value that is not data.
    """
    writer = _Writer()
    name = writer.name(PUBLIC_MODULE, "Migration")
    arguments = [
        ("dependencies=", writer.value(list(dependencies))),
        ("operations=", writer.value(list(operations))),
    ]
    lines = [f"migration = {name}("]
    for prefix, expression in arguments:
        lines += expression.lines(INDENT, prefix, ",")
    lines.append(")")
    declaration = "\n".join(lines)
    return f"{_docstring(description)}\n\n{_imports(writer.imports)}\n{declaration}\n"


def _docstring(description: str) -> str:
    text = printable(description).replace("\\", "\\\\").replace('"', "'").strip()
    return f'"""{text or "A migration."}"""'


def _imports(imports: dict[str, set[str]]) -> str:
    blocks = [[name for name in sorted(imports) if name != PUBLIC_MODULE], [PUBLIC_MODULE]]
    texts = ["".join(_import(module, imports[module]) for module in block) for block in blocks if block]
    return "\n".join(texts)


def _import(module: str, names: set[str]) -> str:
    # Constants first, as isort sorts them.
    ordered = sorted(names, key=lambda name: (not name.isupper(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if columns(line) <= WIDTH:
        return f"{line}\n"
    inside = "".join(f"{INDENT}{name},\n" for name in ordered)
    return f"from {module} import (\n{inside})\n"


DATA_TEMPLATE: Final = '''\
"""{description}"""

from redstart.operations import Migration, Transform, TypedDict


class Before(TypedDict):
    """The fields that the function reads, as they are stored before the migration."""

    price: float


class After(TypedDict):
    """The fields that it returns."""

    price_cents: int


def forward(old: Before) -> After:
    """Return the new fields of one document. It may be called again."""
    return {{"price_cents": round(old["price"] * 100)}}


def backward(new: After) -> Before:
    """Return the old fields of a document that is written after the migration."""
    return {{"price": new["price_cents"] / 100}}


migration = Migration(
{dependencies}
    operations=[
        # Replace the model, its fields and the functions with your own.
        Transform(
            "package.module.Model",
            forward,
            backward,
            before=Before,
            after=After,
        ),
    ],
)
'''
"""The source of a new file of `om migrate-data create`."""


def data_template(description: str, dependencies: Sequence[str] = ()) -> str:
    """Return the source of a migration file for data, to be completed by its author.

    Args:
        description, dependencies: as of `migration_source`.
    """
    listed = _Writer().value(list(dependencies)).lines(INDENT, "dependencies=", ",")
    text = _docstring(description).strip('"')
    return DATA_TEMPLATE.format(description=text, dependencies="\n".join(listed))


MAX_NAME_CHARACTERS: Final = 100
_NAME = re.compile(rf"\w{{1,{MAX_NAME_CHARACTERS}}}")


def new_id(name: str, now: datetime) -> str:
    """Return the id of a new migration file: the time, and a name.

    Args:
        name: what the file changes, in a few words; spaces and hyphens become underscores.
        now: in UTC.

    Raises:
        ConfigurationError: the name contains other characters than letters and digits, or is too long.
    """
    word = re.sub(r"[\s_-]+", "_", name).strip("_")
    if not _NAME.fullmatch(word):
        raise ConfigurationError(
            f"{shortened(name)} cannot be part of a file name.",
            f"Use letters, digits, spaces, '_' and '-', at most {MAX_NAME_CHARACTERS} characters.",
        )
    return f"{now:%Y%m%d_%H%M%S}_{word}"


def write_file(root: Path, migration_id: str, source: str) -> Path:
    """Write a migration file, and return its path. An existing file is never replaced.

    Raises:
        ConfigurationError: it exists, or cannot be written.
    """
    path = root / f"{migration_id}.py"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            try:
                _ = file.write(source)
                file.flush()
            except OSError:
                with suppress(OSError):  # every later command would find half of a file
                    path.unlink()
                raise
    except FileExistsError as exc:
        raise ConfigurationError(
            f"{printable(path if path.exists() else root)} exists already.", "Use another name."
        ) from exc
    except OSError as exc:
        raise ConfigurationError(
            f"{printable(path)} cannot be written: {exc.strerror}.",
            "Give another directory with --migrations-dir or REDIS_OM_MIGRATIONS_DIR.",
        ) from exc
    return path
