"""Full-text searches in the query language of the server, limited to their field.

The server splits the words of documents at punctuation, and does not index its stop words. In a query it interprets
some punctuation as operators or parts of numbers, and finds nothing for stop words in quotes (RediSearch 2.10). So the
words of a query are split like those of documents.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Final

from redstart.errors import QuerySyntaxError
from redstart.search.escaping import encodable
from redstart.search.query_errors import cannot_find, wrong_operand
from redstart.search.query_field import QueryField
from redstart.search.schema import Index

ESCAPES: Final = re.compile(r"\\(.)", re.DOTALL)
ESCAPED_CHARACTER: Final = re.compile(r"\\.", re.DOTALL)
LEAVING: Final = re.compile(r"[@{}\[\]$\\\x00-\x08\x0e-\x1f\x7f]|=>")
"""Characters that could end the part of the field in a query, or start another part."""

TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\n\v\f\r]+)
    | (?P<phrase>"(?:\\.|[^"\\])*")
    | (?P<opening>\()
    | (?P<closing>\))
    | (?P<alternative>\|)
    | (?P<sign>[-~])
    | (?P<word>(?:\\.|[^ \t\n\v\f\r()|"])+)
    """,
    re.VERBOSE | re.DOTALL,
)
SUBWORD: Final = re.compile(r"(?:\\.|[^-~,.<>:;!?#^&+=/`'\\])+", re.DOTALL)
SUBWORD_OF_PHRASE: Final = re.compile(r"(?:\\.|[^-~,.<>:;!?#^&+=/`'\\*%|() \t\n\v\f\r])+", re.DOTALL)
NOTHING: Final = re.compile(r"(?<!\\)\(\s*\)")
"""Parentheses around omitted stop words."""
FUZZY: Final = re.compile(r"(%+)[^%]+\1")
PERCENT_SIGN: Final = re.compile(r"(\\.)|%", re.DOTALL)
PART_OF_WORD: Final = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)
"""Text without a space, unless that is escaped."""

STOP_WORDS: Final[frozenset[str]] = frozenset(
    re.findall(
        r"\w+",
        "a is the an and are as at be but by for if in into it no not of on or such that their then there these they "
        "this to was will with",
    )
)
"""The stop words of an index without its own list."""


def stop_words_of(index: Index) -> frozenset[str]:
    """Return the stop words of an index."""
    if "STOPWORDS" not in index.options:
        return STOP_WORDS
    at = index.options.index("STOPWORDS")
    count = int(index.options[at + 1])
    return frozenset(word.lower() for word in index.options[at + 2 : at + 2 + count])


@dataclass(frozen=True, slots=True)
class FullText:
    """The words after the name of a field.

    Args:
        text: one word, or several in parentheses.
        shortest: the length of the shortest part of a word, such as `win*`, in bytes; 0 if there are only fuzzy words,
            such as `%wine%`; None if there are neither.
    """

    text: str
    shortest: int | None = None


def full_text(queried: QueryField, value: object, stop_words: Container[str] = STOP_WORDS) -> FullText:
    """Return words in the query language of the server.

    Args:
        stop_words: the stop words of the index.

    Raises:
        QuerySyntaxError: they could query another field, or there are none.
        QueryNotSupportedError: they are all stop words.
    """
    if not isinstance(value, str) or not value.strip():
        raise wrong_operand(queried, value, "words to search for")
    value = encodable(queried, value)
    if "\0" in value:
        raise _leaves(queried, value, "it contains a NUL character")
    bare = ESCAPED_CHARACTER.sub("", value)
    found = LEAVING.search(bare)
    if found is not None:
        raise _leaves(queried, value, f"{found.group()!r} is an operator of the query language")
    if bare.count('"') % 2:
        raise _leaves(queried, value, "a quotation mark is not closed")
    reader = _Reader(queried, value, stop_words)
    return reader.read()


@dataclass(slots=True)
class _Level:
    """The contents of a pair of parentheses: for each alternative, whether it has an indexed word."""

    sign: str = ""
    alternatives: list[bool | None] = field(default_factory=lambda: [None])

    def add(self, *, indexed: bool) -> None:
        self.alternatives[-1] = bool(self.alternatives[-1]) or indexed


class _Reader:
    def __init__(self, queried: QueryField, value: str, stop_words: Container[str]) -> None:
        self._field = queried
        self._value = value
        self._stop_words = stop_words
        self._levels = [_Level()]
        self._sign = ""
        self._parts: list[int] = []

    def read(self) -> FullText:
        text = "".join(self._token(found) for found in TOKEN.finditer(self._value))
        if self._sign or len(self._levels) > 1:
            raise self._unreadable()
        self._close(self._levels[0])
        while (shorter := NOTHING.sub(" ", text)) != text:
            text = shorter
        shortest = min((size for size in self._parts if size), default=0) if self._parts else None
        is_single = not re.search(r'[ \t\n\v\f\r|()"~-]', text)
        return FullText(text if is_single else f"({text})", shortest)

    def _token(self, found: "re.Match[str]") -> str:
        text = found.group()
        readers: dict[str, Callable[[str], str]] = {
            "space": str,
            "sign": self._note_sign,
            "opening": self._opened,
            "closing": self._closed,
            "alternative": self._next_alternative,
            "phrase": self._phrase,
        }
        return readers.get(found.lastgroup or "", self._word)(text)

    def _note_sign(self, text: str) -> str:
        self._sign += text
        return ""

    def _next_alternative(self, text: str) -> str:
        if self._sign or self._levels[-1].alternatives[-1] is None:
            raise self._unreadable()
        self._levels[-1].alternatives.append(None)
        return text

    def _opened(self, text: str) -> str:
        self._levels.append(_Level(self._taken_sign()))
        return self._levels[-1].sign + text

    def _closed(self, text: str) -> str:
        level = self._levels.pop()
        if not self._levels or self._sign:
            raise self._unreadable()
        is_indexed = self._close(level)
        if level.sign and not is_indexed:
            raise self._not_indexed()
        self._levels[-1].add(indexed=is_indexed)
        return text

    def _close(self, level: _Level) -> bool:
        """Return whether a level contains an indexed word."""
        if None in level.alternatives:
            raise self._unreadable()
        is_outermost = not self._levels or level is self._levels[0]
        if not all(level.alternatives) and (len(level.alternatives) > 1 or is_outermost):
            raise self._not_indexed()
        return all(level.alternatives)

    def _phrase(self, text: str) -> str:
        words = SUBWORD_OF_PHRASE.findall(text[1:-1])
        kept = self._indexed(words)
        self._add(words, kept)
        return f'{self._taken_sign()}"{" ".join(kept)}"' if kept else ""

    def _word(self, text: str) -> str:
        words = SUBWORD.findall(text)
        words = [part for word in words for part in PART_OF_WORD.findall(self._without_stray(word))]
        if not words:
            return ""
        kept = self._indexed(words)
        self._add(words, kept)
        for word in kept:
            self._note_part(word)
        if not kept:
            return ""
        # The server does not omit all stop words itself, for example not digits.
        sign, written = self._taken_sign(), " ".join(kept)
        # After a sign several words form a group, and digits would be a negative number.
        is_apart = len(kept) > 1 and (sign or "|" in self._value)
        return f"{sign}({written})" if is_apart or (sign and written[0].isdigit()) else sign + written

    def _indexed(self, words: list[str]) -> list[str]:
        """Return the words that are not stop words."""
        words = [r"\_" if word == "_" else word for word in words]  # a letter, except on its own
        return [word for word in words if ESCAPES.sub(r"\1", word).lower() not in self._stop_words]

    def _without_stray(self, word: str) -> str:
        """Return a word without asterisks and percent signs that have no meaning."""
        if FUZZY.fullmatch(ESCAPED_CHARACTER.sub("x", word)):
            return word
        word = PERCENT_SIGN.sub(lambda found: found[1] or " ", word)
        return word if word.strip("* ") else ""

    def _note_part(self, word: str) -> None:
        bare = ESCAPED_CHARACTER.sub("x", word)
        if "*" in bare:
            self._parts += [len(part.encode()) for part in word.split("*") if part]
        elif "%" in bare:
            self._parts.append(0)

    def _add(self, words: list[str], kept: list[str]) -> None:
        if not words:
            raise self._unreadable()
        if self._sign and not kept:
            raise self._not_indexed()
        self._levels[-1].add(indexed=bool(kept))

    def _taken_sign(self) -> str:
        sign, self._sign = self._sign, ""
        return sign

    def _unreadable(self) -> QuerySyntaxError:
        return _leaves(self._field, self._value, "unbalanced parentheses, or an operator without a word")

    def _not_indexed(self) -> Exception:
        return cannot_find(
            self._field,
            self._value,
            "the words, or an alternative of them, are stop words (STOPWORDS), which are not indexed",
            "Remove the stop words.",
        )


def _leaves(queried: QueryField, value: str, reason: str) -> QuerySyntaxError:
    return QuerySyntaxError(
        f"Cannot search {queried.label} for the words {value!r}: {reason}.",
        "Escape a character with a backslash to search for it.",
        field=queried.label,
        value=value,
    )
