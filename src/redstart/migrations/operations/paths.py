"""Paths of fields in migration files: `name`, `address.street`, `lines[].sku`, `stops{}.at`, `["a.b"]`.

`redstart.mapping.value_paths.display` writes them; this module reads them.
"""

import ast
import re
from typing import Final, TypeAlias

from redstart.display import shortened
from redstart.errors import MigrationStateError
from redstart.mapping.value_paths import Each, Segment, display

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
