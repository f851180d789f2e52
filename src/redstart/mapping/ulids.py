"""ULIDs: the time in milliseconds and 80 random bits, as 26 characters. https://github.com/ulid/spec"""

import os
import time
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_CHARACTERS: Final = 16
MADE_AT_ONCE: Final = 256

_TO_ALPHABET: Final = ALPHABET.encode() * 8
"""For each byte the character of its last five bits, so that all are equally likely."""

_random_parts: list[str] = []
_time_part = (0, "")

if hasattr(os, "register_at_fork"):  # a process and its fork must not go on with the same parts
    os.register_at_fork(after_in_child=_random_parts.clear)


def new_ulid() -> str:
    """A ULID of now. Safe in threads and after a fork."""
    global _time_part  # noqa: PLW0603 - a pair that is replaced as a whole: the text of a millisecond is made once
    milliseconds = time.time_ns() // 1_000_000
    known, text = _time_part
    if known != milliseconds:
        text = "".join(ALPHABET[milliseconds >> shift & 31] for shift in range(45, -1, -5))
        _time_part = milliseconds, text
    try:
        return text + _random_parts.pop()
    except IndexError:
        return text + _more_random_parts()


def _more_random_parts() -> str:
    """Random parts for the ULIDs to come, and one for now: asking the system for few bytes takes long."""
    characters = os.urandom(RANDOM_CHARACTERS * MADE_AT_ONCE).translate(_TO_ALPHABET).decode()
    parts = [
        characters[start : start + RANDOM_CHARACTERS]
        for start in range(0, len(characters), RANDOM_CHARACTERS)
    ]
    one = parts.pop()
    _random_parts.extend(parts)
    return one
