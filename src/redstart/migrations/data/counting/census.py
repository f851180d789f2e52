"""Record pre-existing numbers in the initial scan, so that a rollback leaves them unchanged.

A number from redis-om 1.x or another tool looks like a converted one. The census therefore holds a digest of the key,
the path and the bytes of each number. For an item of a list the digest has the planned path without the position,
because items may move.
"""

from collections.abc import Iterable
from hashlib import blake2b

from redstart.commands.keyspace import smismember
from redstart.effects import Argument, Op, call
from redstart.mapping.value_paths import Each
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.edit_builder import JudgedDocument
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.json_path import path_text
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import counted
from redstart.migrations.lease import Activity, Lease
from redstart.migrations.state_keys import StateKeys

_DIGEST_BYTES = 12
_PER_COMMAND = 1_000

_ALREADY = Outcome.ALREADY  # looking up a member of an enum costs as much as parsing a date


def digest(document: StoredDocument, value: StoredValue) -> bytes:
    """Return the census entry of one value."""
    place = str(value.path) if Each.ITEM in value.path.segments else path_text(value.location)
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    for part in (document.key, place.encode(), value.raw):
        hashed.update(b"%d:%b" % (len(part), part))
    return hashed.digest()


class CensusRecorder:
    """Records, page by page, the numbers under paths that no earlier initial scan has covered."""

    def __init__(self, keys: StateKeys, lease: Lease, covered: Plan | None) -> None:
        self._keys = keys
        self._lease = lease
        self._documents = 0
        self._covered = {
            (model.key_prefix, path.segments)
            for model in (covered.models if covered else ())
            for path in model.paths
        }

    def visit(self, page: list[JudgedDocument]) -> Op[None]:
        """Record a page. Effects: one script per thousand numbers, or a renewal of the lease when it is due."""
        found = [
            digest(document, value)
            for document, judged in page
            for value, verdict in judged
            if verdict.outcome is _ALREADY
            and (document.model.key_prefix, value.path.segments) not in self._covered
        ]
        for start in range(0, len(found), _PER_COMMAND):
            added: list[Argument] = ["SADD", self._keys.census, *found[start : start + _PER_COMMAND]]
            yield from self._lease.commit([added, *counted(self._keys, "census")])
        self._documents += len(page)
        yield from self._lease.keep(Activity("initial scan", self._documents))


def born_as_numbers(keys: StateKeys, values: Iterable[tuple[StoredDocument, StoredValue]]) -> Op[list[bool]]:
    """Return for each value whether the census has it: whether it is a pre-existing number. One read."""
    digests = [digest(document, value) for document, value in values]
    if not digests:
        return []
    return (yield from call(smismember(keys.census, digests)))
