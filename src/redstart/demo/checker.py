"""The independent checker: compares the stored values with the correct ones, which came with the sample.

It shares no code with the migration: an instant is right if the stored number is the float nearest to the
integer from which the value was generated, and everything else must be unchanged, to the byte.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, TypeAlias

from redstart.commands.server_info import command_known
from redstart.demo.load import FOREIGN_KEYS, ForeignKey, load_batches
from redstart.demo.sample import SampleDocument
from redstart.demo.slots import Expected, Location
from redstart.effects import Batch, Op, batch, call
from redstart.errors import CommandError
from redstart.values.types import Storage

Span: TypeAlias = tuple[int, int]
"""The first character, and the one after the last."""

_decode = json.JSONDecoder().raw_decode


def value_spans(text: str) -> dict[Location, Span]:
    """Return the span of every value in `text`, containers included; of a repeated member, the last.

    Args:
        text: JSON without white space between its tokens (RFC 8259), as JSON.GET returns it.

    Raises:
        ValueError: the text is not such JSON.
    """
    spans: dict[Location, Span] = {}
    if _read_value(text, 0, (), spans) != len(text):
        raise ValueError("JSON text with extra data after its end")
    return spans


def _read_value(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    """Add the span of the value at `start` and of all values inside. Return its end."""
    opening = text[start : start + 1]
    if opening == "{":
        end = _read_members(text, start, location, spans)
    elif opening == "[":
        end = _read_items(text, start, location, spans)
    else:
        _, end = _decode(text, start)
    spans[location] = (start, end)
    return end


def _read_members(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    if text.startswith("{}", start):
        return start + 2
    end, separator = start + 1, ","
    while separator == ",":
        name, end = _decode(text, end)
        if not isinstance(name, str) or text[end : end + 1] != ":":
            raise ValueError(f"JSON text without a member name at character {end}")
        end = _read_value(text, end + 1, (*location, name), spans)
        separator, end = text[end : end + 1], end + 1
    return _closed(separator, "}", end)


def _read_items(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    if text.startswith("[]", start):
        return start + 2
    end, separator, index = start + 1, ",", 0
    while separator == ",":
        end = _read_value(text, end, (*location, index), spans)
        separator, end, index = text[end : end + 1], end + 1, index + 1
    return _closed(separator, "]", end)


def _closed(separator: str, closing: str, end: int) -> int:
    if separator != closing:
        raise ValueError(f"JSON text without {closing!r} at character {end - 1}")
    return end


def text_without(text: str, spans: Mapping[Location, Span], locations: Iterable[Location]) -> str:
    """Return `text` with each existing value at `locations` replaced by a character that JSON does not allow."""
    kept, position = [], 0
    for start, end in sorted(spans[location] for location in locations if location in spans):
        kept.append(text[position:start])
        position = end
    return "\0".join([*kept, text[position:]])


Stored: TypeAlias = Mapping[bytes, bytes] | bytes | None
"""The content of a key: a hash, the text of JSON.GET, or nothing."""

STORED_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
MICROSECONDS_PER_SECOND = 1_000_000


class Outcome(StrEnum):
    """The state of one value after a migration, or of the rest of its document."""

    EXACT = "exact"
    """The expected number."""
    WRONG = "wrong"
    """Neither the expected number nor unchanged."""
    UNCONVERTED = "unconverted"
    """Unchanged, although it denotes an instant."""
    KEPT = "kept"
    """Unchanged, and does not denote an instant."""
    LOST = "lost"
    """Changed, although it does not denote an instant."""
    COLLATERAL = "collateral"
    """Another part of the document, or an unrelated key, has changed."""
    MISSING = "missing"
    """The key does not exist, or has another type."""


GOOD = frozenset({Outcome.EXACT, Outcome.KEPT})


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome with its location (empty for a whole document) and the bytes before and after."""

    outcome: Outcome
    key: bytes
    location: Location
    before: bytes | None
    after: bytes | None


@dataclass(slots=True)
class Tally:
    """Counts of findings, with examples of each bad outcome.

    Args:
        examples_of_each: limit of examples per outcome.
    """

    examples_of_each: int = 5
    counts: Counter[Outcome] = field(default_factory=Counter)
    examples: dict[Outcome, list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count one finding."""
        self.counts[finding.outcome] += 1
        if finding.outcome not in GOOD:
            examples = self.examples.setdefault(finding.outcome, [])
            if len(examples) < self.examples_of_each:
                examples.append(finding)

    @property
    def clean(self) -> bool:
        """Return whether there are findings, all of them exact or kept."""
        return bool(self.counts) and GOOD.issuperset(self.counts)


def check_document(document: SampleDocument, stored: Stored) -> Iterator[Finding]:
    """Yield the outcome of every temporal value of a document, and of the rest if it changed.

    Args:
        document: as it was generated and loaded.
        stored: the present content of its key, undecoded.
    """
    if isinstance(document.content, dict):
        if not isinstance(stored, Mapping):
            yield Finding(Outcome.MISSING, document.key, (), None, stored)
            return
        yield from _check_hash(document, document.content, stored)
    elif isinstance(stored, bytes):
        yield from _check_json(document, document.content.decode(), stored.decode())
    else:
        yield Finding(Outcome.MISSING, document.key, (), document.content, None)


def check_foreign(foreign: ForeignKey, reply: object) -> Iterator[Finding]:
    """Yield a finding if `reply`, the undecoded reply to `foreign.read`, has changed."""
    if reply != foreign.reply:
        yield Finding(Outcome.COLLATERAL, foreign.key, (), repr(foreign.reply).encode(), repr(reply).encode())


def _check_hash(
    document: SampleDocument, content: Mapping[bytes, bytes], stored: Mapping[bytes, bytes]
) -> Iterator[Finding]:
    names = {str(location[0]).encode(): location for location in document.expected}
    for name, location in names.items():
        before, after = content[name], stored.get(name)
        outcome = _outcome(document.expected[location], before, after)
        yield Finding(outcome, document.key, location, before, after)
    # In a fixed order: the server does not define the order of a hash's fields.
    for name in sorted((content.keys() | stored.keys()) - names.keys()):
        if content.get(name) != stored.get(name):
            location = (name.decode(errors="backslashreplace"),)
            yield Finding(Outcome.COLLATERAL, document.key, location, content.get(name), stored.get(name))


def _check_json(document: SampleDocument, content: str, stored: str) -> Iterator[Finding]:
    spans_before, spans_after = value_spans(content), value_spans(stored)
    for location, expected in document.expected.items():
        start, end = spans_before[location]
        before, after = content[start:end].encode(), None
        if location in spans_after:
            start, end = spans_after[location]
            after = stored[start:end].encode()
        yield Finding(_outcome(expected, before, after), document.key, location, before, after)
    rest_before = text_without(content, spans_before, document.expected)
    rest_after = text_without(stored, spans_after, document.expected)
    if rest_before != rest_after:
        yield Finding(Outcome.COLLATERAL, document.key, (), rest_before.encode(), rest_after.encode())


def _outcome(expected: Expected, before: bytes, after: bytes | None) -> Outcome:
    if not isinstance(expected, int):
        return Outcome.KEPT if after == before else Outcome.LOST
    if after is not None and _is_instant(after, expected):
        return Outcome.EXACT
    return Outcome.UNCONVERTED if after == before else Outcome.WRONG


def _is_instant(stored: bytes, microseconds: int) -> bool:
    """Return whether the stored number is the float nearest to an instant. The division rounds correctly."""
    text = stored.decode(errors="replace")
    return STORED_NUMBER.fullmatch(text) is not None and float(text) == microseconds / MICROSECONDS_PER_SECOND


BATCH_DOCUMENTS = 500


def load_sample(documents: Iterable[SampleDocument]) -> Op[None]:
    """Write the sample into an empty database.

    Raises:
        CommandError: the server rejected a command.

    Effects: a round trip for every 500 documents. Safe to repeat.
    """
    field_expiries = yield from call(command_known("HPEXPIREAT"))
    for commands in load_batches(documents, field_expiries=field_expiries, batch_documents=BATCH_DOCUMENTS):
        for reply in (yield from batch(Batch(commands, list))):
            if isinstance(reply, CommandError):
                raise reply


def check_sample(documents: Iterable[SampleDocument]) -> Op[Tally]:
    """Compare the database with the correct values, which came with the sample.

    Effects: reads only; a round trip for every 500 documents.
    """
    tally = Tally()
    for page in _pages(documents):
        replies = yield from batch(Batch([_read_command(document) for document in page], list))
        for document, reply in zip(page, replies, strict=True):
            for finding in check_document(document, _stored(reply)):
                tally.add(finding)
    replies = yield from batch(Batch([foreign.read for foreign in FOREIGN_KEYS], list))
    for foreign, reply in zip(FOREIGN_KEYS, replies, strict=True):
        for finding in check_foreign(foreign, reply):
            tally.add(finding)
    return tally


def _pages(documents: Iterable[SampleDocument]) -> Iterator[Sequence[SampleDocument]]:
    source = iter(documents)
    while page := list(islice(source, BATCH_DOCUMENTS)):
        yield page


def _read_command(document: SampleDocument) -> tuple[str, bytes]:
    return ("HGETALL" if document.storage is Storage.HASH else "JSON.GET", document.key)


def _stored(reply: Any) -> Stored:
    """Return a reply for the checker: a hash as a mapping, in both protocols; None for a key of another type."""
    if isinstance(reply, CommandError):
        return None
    if isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True)) or None
    stored: Stored = reply
    return stored
