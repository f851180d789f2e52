"""Types and paths of fields as text in migration files.

Types: `int`, `list[str]`, `Literal['new', 'paid']`, `int | str`.
Paths: `name`, `address.street`, `lines[].sku`, `stops{}.at`, `["a.b"]`.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from redstart.display import did_you_mean, shortened
from redstart.errors import MigrationStateError
from redstart.mapping.value_paths import Each, Segment, display

NUMBERS: Final = ("bool", "int", "float", "Decimal")
MOMENTS: Final = ("datetime", "date")
VALUES: Final = ("str", *NUMBERS, *MOMENTS, "time", "timedelta", "UUID", "bytes")
"""Types of single values that Redstart reads and writes itself."""

TEXTS: Final = (
    *("Path", "PurePath", "Coordinates", "EmailStr", "ZoneInfo", "Pattern", "Url", "MultiHostUrl"),
    *("IPv4Address", "IPv6Address", "IPv4Interface", "IPv6Interface", "IPv4Network", "IPv6Network"),
)
"""Types that are stored as text and not converted, except from and to `str`."""

LITERAL: Final = "Literal"
"""The values of an Enum or a Literal: `Literal['new', 'paid']`."""
UNION: Final = "|"
ARRAYS: Final = ("list", "set", "frozenset")
TUPLE: Final = "tuple"
MAP: Final = "dict"
OBJECT: Final = "object"
"""An embedded model, dataclass or TypedDict. Its fields are those of the field."""
VECTOR: Final = "vector"
"""A vector: its component type and its dimension, as `vector[FLOAT32, 3]`."""
ANY: Final = "Any"
NONE: Final = "None"
"""None among the items of a list. Of a field, `is_optional` states it."""
RECURSIVE: Final = "recursive"
"""An embedded model that contains itself: `recursive[Node]`."""
SERIALIZED: Final = "serialized"
"""A type whose values the model writes with its own serializer: `serialized[int]`. Its stored form is not known."""

NAMES: Final = frozenset(
    {*VALUES, *TEXTS, *ARRAYS, LITERAL, TUPLE, MAP, OBJECT, VECTOR, ANY, NONE, RECURSIVE, SERIALIZED}
)


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of values.

    Attributes:
        name: its name, or `|`.
        arguments: types of the items, values or alternatives.
        choices: the values of a Literal; the arguments of a vector; the name of a recursive type.
    """

    name: str
    arguments: tuple["ValueType", ...] = ()
    choices: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.name == UNION:
            return " | ".join(map(str, self.arguments))
        if self.name in (VECTOR, RECURSIVE):
            return f"{self.name}[{', '.join(map(str, self.choices))}]"
        inside = ", ".join([*map(str, self.arguments), *map(repr, self.choices)])
        return f"{self.name}[{inside}]" if inside else self.name

    @property
    def is_compound(self) -> bool:
        """Return whether values have parts, which only JSON can store."""
        if self.name == UNION:
            return any(one.is_compound for one in self.arguments)
        return self.name in (*ARRAYS, TUPLE, MAP, OBJECT, RECURSIVE)

    def includes(self, other: "ValueType") -> bool:
        """Return whether a type differs from this one only in that it has fewer choices of a Literal, or not at all."""
        if self.name != other.name or len(self.arguments) != len(other.arguments):
            return False
        known = {(type(one), one) for one in self.choices}
        return all((type(one), one) in known for one in other.choices) and all(
            one.includes(inner) for one, inner in zip(self.arguments, other.arguments, strict=True)
        )

    def steps_to_object(self) -> tuple[Segment, ...] | None:
        """Return the steps from a value of this type to the embedded model inside it; None if it contains none."""
        if self.name == OBJECT:
            return ()
        steps: tuple[Segment, ...] = ()
        if self.name in ARRAYS:
            steps = (Each.ITEM,)
        elif self.name == MAP:
            steps = (Each.VALUE,)
        elif self.name != UNION:
            return None
        found = [inside for one in self.arguments if (inside := one.steps_to_object()) is not None]
        return (*steps, *found[0]) if found else None


@cache
def parse_type(text: str) -> ValueType:
    """Return the type of a text.

    Raises:
        MigrationStateError: the text does not describe a type.
    """
    try:
        return _read(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise MigrationStateError(
            f"{shortened(text)} is not the type of a field.",
            "Write, for example: str, int, list[str], dict[str, float], Literal['new', 'paid'], int | str",
        ) from error


def _read(node: ast.expr) -> ValueType:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return ValueType(UNION, tuple(_alternatives(node)))
    if isinstance(node, ast.Name):
        return ValueType(_known(node.id))
    if isinstance(node, ast.Constant) and node.value is None:
        return ValueType(NONE)
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        raise ValueError(ast.unparse(node))
    name = _known(node.value.id)
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == LITERAL:
        return literal_type(map(ast.literal_eval, inside))
    if name in (VECTOR, RECURSIVE):
        return ValueType(name, choices=tuple(map(ast.unparse, inside)))
    return ValueType(name, tuple(map(_read, inside)))


def literal_type(choices: Iterable[Any]) -> ValueType:
    """Return the type of these values. Their order has no meaning, so they are sorted, each once."""
    distinct = {(type(one).__name__, repr(one)): one for one in choices}
    return ValueType(LITERAL, choices=tuple(distinct[key] for key in sorted(distinct)))


def _alternatives(node: ast.expr) -> Iterator[ValueType]:
    if isinstance(node, ast.BinOp):
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    else:
        yield _read(node)


def _known(name: str) -> str:
    if name not in NAMES:
        raise MigrationStateError(
            f"{name!r} is not a type of stored values.", did_you_mean(name, NAMES) or None
        )
    return name


Segments: TypeAlias = tuple[Segment, ...]
"""A path of a model: names, and steps into each item of a list or each value of a map."""

_STEP: Final = re.compile(
    r"""(?P<item>\[\]) | (?P<value>\{\}) | \.?(?P<name>[^\W\d]\w*)
    | \[(?P<quoted>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')\]""",
    re.VERBOSE,
)


def parse_path(text: str) -> Segments:
    """Return the steps of a path; none for the empty path, which is the document.

    Raises:
        MigrationStateError: the text is not a path.
    """
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or (text[at] == ".") != (step["name"] is not None and bool(segments)):
            raise MigrationStateError(
                f"{shortened(text)} is not a path of a field.",
                "Write, for example: street, address.street, lines[].sku, stops{}.at",
            )
        if step["name"] is not None:
            segments.append(step["name"])
        elif step["quoted"] is not None:
            segments.append(str(ast.literal_eval(step["quoted"])))
        else:
            segments.append(Each.ITEM if step["item"] else Each.VALUE)
        at = step.end()
    return tuple(segments)


def path_of(name: str, within: str) -> str:
    """Return the path of a field, given that of the embedded model that contains it."""
    return display((*parse_path(within), name))
