"""JSON paths of an index: `$.name`, `$.lines[*].sku`, `$["größe"]`."""

import json
import re
from typing import Final

PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_:-]+")
"""Names that the server finds without quotes."""

STEP: Final = re.compile(
    r'\.(?P<plain>[^.\[]+)|\[(?P<quoted>"(?:\\.|[^"\\])*")\]|(?P<each>\[\*\])', re.DOTALL
)


def member(name: str) -> str:
    """Return the step to a member, behind the path of what holds it."""
    return f".{name}" if PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"


def writable_member(name: str) -> str | None:
    """Return the step to a member that is to be written; None if there is none.

    Measured with RedisJSON 2.8: a path with an escape is read well, but JSON.SET with it answers OK and writes another
    member, or none.
    """
    if "\\" in name or min(name, default=" ") < " ":
        return None
    quote = next((one for one in "\"'" if one not in name), None)
    return None if quote is None else f"[{quote}{name}{quote}]"


def steps(path: str) -> tuple[str, ...]:
    """Return the names on the way to a value, and `[*]` for each item of a list."""
    found = STEP.finditer(path)
    return tuple(
        json.loads(step["quoted"]) if step["quoted"] else step["plain"] or step["each"] for step in found
    )
