"""Names as steps of JSON paths.

RedisJSON and the search module parse paths differently, so the steps in an index, to read a value, and to write one
have their own rules each.
"""

import json
import re
from enum import Enum
from typing import Final, TypeAlias

PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_:-]+")
"""Names that the server finds without quotes."""

STEP: Final = re.compile(
    r'\.(?P<plain>[^.\[]+)|\[(?P<quoted>"(?:\\.|[^"\\])*")\]|(?P<each>\[\*\])', re.DOTALL
)


_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def member(name: str) -> str:
    """Return the step to a member in the path of an indexed field, such as `$.name` or `$["größe"]`."""
    return f".{name}" if PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"


def readable_member(name: str) -> str:
    """Return the step to a member that is to be read."""
    if _IDENTIFIER.fullmatch(name):
        return f".{name}"
    if "'" not in name and "\\" not in name and '"' in name:
        return f"['{name}']"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def writable_member(name: str) -> str | None:
    """Return the step to a member that is to be written; None if there is none.

    In RedisJSON 2.8, a path with an escape can be read, but JSON.SET with such a path replies OK and writes another
    member, or none.
    """
    if "\\" in name or min(name, default=" ") < " ":
        return None
    quote = next((one for one in "\"'" if one not in name), None)
    return None if quote is None else f"[{quote}{name}{quote}]"


def shown_path(path: str) -> str:
    """Return the path of an indexed field for a message: `lines[*].sku`."""
    return path.removeprefix("$").removeprefix(".")


def steps(path: str) -> tuple[str, ...]:
    """Return the names of the path of a value, and `[*]` for each item of a list."""
    found = STEP.finditer(path)
    return tuple(
        json.loads(step["quoted"]) if step["quoted"] else step["plain"] or step["each"] for step in found
    )


class Wildcard(Enum):
    """A step of a JSON path that selects more than one named member or one position."""

    ANY = "*"
    DESCENT = ".."


Selector: TypeAlias = str | int | Wildcard
"""A step of a JSON path that anyone wrote: a name, a position, or several of them."""

_SELECTOR: Final = re.compile(
    r"""(?P<descent>\.\.) | \.?(?P<any>\*) | \.(?P<dotted>[^.\[\]*\s]+) | (?P<first>[^.\[\]*\s]+)
    | \.?\[\s*(?:
        (?P<position>-?\d+)
      | "(?P<double>[^"\\]*)" | '(?P<single>[^'\\]*)'
      | (?P<other>(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^\[\]]*\]|[^\[\]"'])+)
    )\s*\]""",
    re.DOTALL | re.VERBOSE,
)


def selectors(path: str) -> tuple[Selector, ...] | None:
    """Return the steps of a JSON path in any of its spellings; None if the syntax is not known.

    Names with escapes, slices, unions and filters are `Wildcard.ANY`.
    """
    at = 1 if path.startswith("$") else 0
    found: list[Selector] = []
    follows_descent = at == 0  # a name needs no dot behind `..`, and at the begin of a path without `$`
    while at < len(path):
        match = _SELECTOR.match(path, at)
        if match is None or (match["first"] is not None and not follows_descent):
            return None
        follows_descent = match["descent"] is not None
        if follows_descent:
            found.append(Wildcard.DESCENT)
        elif match["position"] is not None:
            found.append(int(match["position"]))
        else:
            names = (match[name] for name in ("dotted", "first", "double", "single"))
            found.append(next((name for name in names if name is not None), Wildcard.ANY))
        at = match.end()
    return tuple(found)
