"""The documents that a run or a rollback has processed, where the documents themselves do not show it.

A price in cents looks like a price in euros. So the script that changes a document also adds a digest of its key to a
set on the server, and changes no document of that set. The set is split into parts that Redis stores as a compact list
of integers: 8 to 16 bytes a document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from redstart.commands.keyspace import scard, sismember
from redstart.effects import Argument, Op, batch, gather
from redstart.migrations.lease import Lease

DOCUMENTS_PER_PART = 200
"""On average. Redis stores a set of up to 512 integers as a list (`set-max-intset-entries`)."""
_MAX_BITS = 16
_PARTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ProcessedDocuments:
    """A set of documents on the server.

    Attributes:
        prefix: the beginning of the keys of its parts.
        bits: the number of parts, as a power of two.
    """

    prefix: str
    bits: int

    def part_and_member(self, key: bytes) -> tuple[str, str]:
        """Return the key of the part for a document, and its member there: a signed 64-bit integer as text."""
        member = int.from_bytes(blake2b(key, digest_size=8).digest(), signed=True)
        return f"{self.prefix}{member & ((1 << self.bits) - 1):x}", str(member)

    def contained(self, keys: Sequence[bytes]) -> Op[set[bytes]]:
        """Return the keys of documents in the set. One read."""
        if not keys:
            return set()
        found = yield from batch(gather([sismember(*self.part_and_member(key)) for key in keys]))
        return {key for key, is_member in zip(keys, found, strict=True) if is_member is True}

    @property
    def counted_as(self) -> str:
        """The field of the record that counts the members, so that the loss of a part is noticed."""
        return f"members:{self.prefix.rstrip(':').rpartition(':')[2]}"

    def count(self) -> Op[int]:
        """Return the number of members; a part of another type has none. A read for each 500 parts."""
        number = 0
        for parts in self._parts():
            replies = yield from batch(gather([scard(part) for part in parts]))
            number += sum(reply for reply in replies if isinstance(reply, int))
        return number

    def remove(self, lease: Lease) -> Op[None]:
        """Remove the set. Effects: a script for each 500 parts. Safe to repeat."""
        for parts in self._parts():
            words: list[Argument] = ["REMOVE"]
            for part in parts:
                words += ["set", part]
            yield from lease.commit([words])

    def _parts(self) -> Iterator[list[str]]:
        """Yield the keys of the parts, 500 at a time."""
        for start in range(0, 1 << self.bits, _PARTS_AT_ONCE):
            numbers = range(start, min(start + _PARTS_AT_ONCE, 1 << self.bits))
            yield [f"{self.prefix}{number:x}" for number in numbers]


@dataclass(frozen=True, slots=True)
class ConvertedDocuments:
    """Which documents a rollback has to revert, where the documents do not show it.

    Attributes:
        processed: those that an incomplete run has converted; None after a complete run, which converts all.
        reverted: those that the rollback has reverted; None before it has begun.
        marks: the marks of documents.
    """

    processed: ProcessedDocuments | None = None
    reverted: ProcessedDocuments | None = None
    marks: ProcessedDocuments | None = None

    def keys_among(self, keys: Sequence[bytes]) -> Op[set[bytes]]:
        """Return the keys of documents that are still converted. One or two reads if there is a set."""
        found = set(keys)
        if self.processed is not None:
            found = yield from self.processed.contained(keys)
        if self.reverted is not None:
            found -= yield from self.reverted.contained(list(found))
        return found


def bits_for(documents: int) -> int:
    """Return the number of parts for a number of documents, as a power of two."""
    return min(_MAX_BITS, max(0, (documents // DOCUMENTS_PER_PART).bit_length()))
