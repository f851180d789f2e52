"""What is shown of text from outside, as a server, a file or a command line: no password, no control character."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = ("redis", "rediss", "unix")

_LINE_CHARACTERS = 300
_ONLY_A_HOST = re.compile(r"(https?://)?[\w.-]+:\d{1,5}(/\d*)?", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}\S+?(?=[\[\]\s'\"`()<>,;:.]*(?:\s|$))")
_CREDENTIALS = re.compile(r"@|pass|user|secret|token|auth", re.IGNORECASE)
_SENT_CREDENTIALS = re.compile(r"(?<!\w)(AUTH)(?!\w).*", re.DOTALL)
"""Servers that do not know a command repeat its arguments."""


def escaped(text: str) -> str:
    """Return a text of one or more lines in which a terminal finds nothing but text: other characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def one_line(data: bytes, limit: int) -> str:
    """Return bytes as one line, at most `limit` characters: other bytes and characters as escapes, the end cut off."""
    return cut(whole_line(data[: limit * 4]), limit)


def whole_line(data: bytes) -> str:
    """Return bytes as one line of any length: other bytes and characters as escapes."""
    text = data.decode("utf-8", errors="backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def cut(text: str, limit: int) -> str:
    """Return a text with its end cut off if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: object) -> str:
    """Return text from outside as one line; white space of any kind is one space."""
    return one_line(" ".join(str(text).split()).encode(errors="backslashreplace"), _LINE_CHARACTERS)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return the question that names the nearest candidate, as `Did you mean 'run'?`; empty if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only errors need it

    nearest = get_close_matches(name, list(candidates), n=1)
    return f"Did you mean {nearest[0]!r}?" if nearest else ""


def _escape(char: str) -> str:
    number = ord(char)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not text, as `surrogateescape` keeps it
        return f"\\x{number - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def without_password(url: str) -> str:
    """Return a URL as it may be shown: scheme, user, host, port and database, never the password or the query.

    Of a URL that is not well formed only the scheme is shown: its password may be anywhere in it. A host
    without a scheme, or with that of the web, has no place for one.
    """
    if _ONLY_A_HOST.fullmatch(url):
        return url
    return shown_url(url) or next(
        (f"{scheme}://..." for scheme in SCHEMES if url.lower().startswith(f"{scheme}:")), "..."
    )


def shown_url(url: str) -> str | None:
    """Return the URL without password and query; None where it is not clear what the password is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        place = f"[{host}]" if ":" in host else host
        place += f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # a port that is no number, brackets, characters that no host has
        return None
    if parts.scheme not in SCHEMES or "@" in parts.path + parts.query + parts.fragment:
        return None
    # A user without a password may be a password in the wrong place.
    user = f"{parts.username}@" if parts.username and parts.password else ""
    return f"{parts.scheme}://{user}{place}{parts.path}"


def has_credentials(url: str) -> bool:
    """Whether a URL, well formed or not, may contain a password."""
    return "@" in url or ("://" in url and without_password(url) != url)


def without_passwords(text: str) -> str:
    """Return a text with every URL in it as `without_password` shows it, if it may contain a password."""
    text = _SENT_CREDENTIALS.sub(r"\1 ...", text) if "with args beginning with" in text else text
    return _URL.sub(lambda found: _shown(found[0]), text)


def _shown(url: str) -> str:
    is_ours = url.lower().startswith(tuple(f"{scheme}:" for scheme in SCHEMES))
    return without_password(url) if is_ours or _CREDENTIALS.search(url) else url
