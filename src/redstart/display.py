"""Display values, and text from servers, files and command lines: short, without passwords or control characters."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = ("redis", "rediss", "unix")

MAX_CHARACTERS_SHOWN: Final = 80
"""Limit for a value."""
MAX_KEY_CHARACTERS_SHOWN: Final = 200
"""Limit for a key or a path."""
MAX_LINE_CHARACTERS_SHOWN: Final = 300
"""Limit for a line of text."""
MAX_EXAMPLES_SHOWN: Final = 3
"""Limit for examples, such as keys, in one message; `--verbose` shows more."""

_ONLY_A_HOST = re.compile(r"((https?://)?[\w.-]+:\d{1,5}|localhost|\d{1,3}(\.\d{1,3}){3})(/\d*)?", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}\S+?(?=[\[\]\s'\"`()<>,;:.]*(?:\s|$))")
_CREDENTIALS = re.compile(r"@|pass|user|secret|token|auth", re.IGNORECASE)
_SENT_CREDENTIALS = re.compile(r"(?<!\w)(AUTH)(?!\w).*", re.DOTALL)
"""Servers that do not know a command repeat its arguments."""


def escaped(text: str) -> str:
    """Return text of one or more lines with all characters that are not printable as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def shortened(value: object) -> str:
    """Return a Python value for a message: its `repr`, at most 80 characters."""
    text = repr(value)
    return text if len(text) <= MAX_CHARACTERS_SHOWN else f"{text[: MAX_CHARACTERS_SHOWN - 3]}..."


def shown_value(data: bytes) -> str:
    """Return a stored value as one line of at most `MAX_CHARACTERS_SHOWN` characters."""
    return one_line(data, MAX_CHARACTERS_SHOWN)


def shown_key(key: bytes) -> str:
    """Return a key as one line of at most `MAX_KEY_CHARACTERS_SHOWN` characters."""
    return one_line(key, MAX_KEY_CHARACTERS_SHOWN)


def one_line(data: bytes, limit: int) -> str:
    """Return bytes as one line of at most `limit` characters, cut at the end; unprintable bytes as escapes."""
    return cut(whole_line(data[: limit * 4]), limit)


def whole_line(data: bytes) -> str:
    """Return bytes as one line of any length; unprintable bytes as escapes."""
    text = data.decode("utf-8", errors="backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def cut(text: str, limit: int) -> str:
    """Return text, cut at the end if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: object) -> str:
    """Return text or bytes from outside as one line, with each run of white space as one space."""
    line = text.decode(errors="backslashreplace") if isinstance(text, bytes) else str(text)
    return one_line(" ".join(line.split()).encode(errors="backslashreplace"), MAX_LINE_CHARACTERS_SHOWN)


def did_you_mean(name: str, candidates: Iterable[str], *, min_likeness: float = 0.6) -> str:
    """Return a question with the nearest candidate, such as `Did you mean 'run'?`; empty if none is near.

    Args:
        min_likeness: see `nearest`.
    """
    found = nearest(name, candidates, min_likeness=min_likeness)
    return "" if found is None else f"Did you mean {found!r}?"


def nearest(name: str, candidates: Iterable[str], *, min_likeness: float = 0.6) -> str | None:
    """Return the candidate that is most like a name; None if none is near.

    Args:
        min_likeness: the least likeness of the candidate, 0 to 1.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only errors need it

    by_spelling = {candidate.lower(): candidate for candidate in candidates}
    found = get_close_matches(name.lower(), by_spelling, n=1, cutoff=min_likeness)
    return by_spelling[found[0]] if found else None


def _escape(char: str) -> str:
    number = ord(char)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8, as `surrogateescape` keeps it
        return f"\\x{number - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def without_password(url: str) -> str:
    """Return a URL for display: scheme, user, host, port and database, never the password or the query.

    Of a malformed URL only the scheme is shown, since its password may be anywhere in it. A host without a scheme,
    or with that of the web, contains no password.
    """
    if _ONLY_A_HOST.fullmatch(url):
        return url
    return shown_url(url) or next(
        (f"{scheme}://..." for scheme in SCHEMES if url.lower().startswith(f"{scheme}:")), "..."
    )


def shown_url(url: str) -> str | None:
    """Return the URL without password and query; None if the password cannot be located."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        place = f"[{host}]" if ":" in host else host
        place += f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # an invalid port, brackets, invalid characters of a host
        return None
    if parts.scheme not in SCHEMES or "@" in parts.path + parts.query + parts.fragment:
        return None
    # A user without a password may be a password in the wrong place.
    user = f"{parts.username}@" if parts.username and parts.password else ""
    return f"{parts.scheme}://{user}{place}{parts.path}"


def has_credentials(url: str) -> bool:
    """Return whether a URL, malformed or not, may contain a password."""
    return "@" in url or ("://" in url and without_password(url) != url)


def without_passwords(text: str) -> str:
    """Return text in which every URL that may contain a password is shown by `without_password`."""
    text = _SENT_CREDENTIALS.sub(r"\1 ...", text) if "with args beginning with" in text else text
    return _URL.sub(lambda match: _shown(match[0]), text)


def _shown(url: str) -> str:
    is_ours = url.lower().startswith(tuple(f"{scheme}:" for scheme in SCHEMES))
    return without_password(url) if is_ours or _CREDENTIALS.search(url) else url
