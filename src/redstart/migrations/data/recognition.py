"""Reading without reading: a script tells what the values of documents are, and only the others are sent.

The initial scan counts values, and the passes after the first one look for values that are not converted yet. Most
values are of one kind that is easy to recognize: then a script on the server returns a few bytes for each document. All
other documents are read and classified as usual. A document is never recognized as something else than what the general
path (edit_builder.py) classifies.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from redstart.commands.resp import packed_batch, packed_command
from redstart.commands.scripts import load, run_script
from redstart.effects import Op, Pending, receive, send_ahead
from redstart.errors import CommandError
from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.transformation import Transformation
from redstart.values.types import Storage

KEYS_PER_SCRIPT = 100
MAX_MICROSECONDS = 5_000
"""After this time a script looks at no other document."""

MAX_BYTES = 256_000
"""Of values that one script returns."""

_PAUSE_PAGES = 20
"""So many pages are read as usual after one of which most documents were not recognized."""


@dataclass(slots=True)
class RecognizedPage:
    """The documents of some keys.

    Attributes:
        groups: number of recognized documents with the same values, by model and kinds.
        documents: documents with other values.
        unread: keys that have to be read.
    """

    groups: list[tuple[PlannedModel, bytes, int]] = field(default_factory=list)
    documents: list[StoredDocument] = field(default_factory=list)
    unread: list[tuple[bytes, PlannedModel]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RecognitionUnderWay:
    """Keys whose documents the server is looking at."""

    chunks: list[tuple[PlannedModel, list[bytes]]]
    unknown: list[tuple[bytes, PlannedModel]]
    replies: Pending[list[Any]]

    @property
    def count(self) -> int:
        """The number of keys."""
        return sum(len(keys) for _, keys in self.chunks) + len(self.unknown)


class Recognition:
    """Has the server look at documents.

    Args:
        converted: whether values in the new format are recognized, or those in the old one.
    """

    def __init__(self, plan: Plan, transformation: Transformation, *, converted: bool) -> None:
        requests = {
            id(model): _request_for(model, transformation, converted=converted) for model in plan.models
        }
        self._plan = plan  # keeps the models, so that their ids stay their own
        self._requests = {number: request for number, request in requests.items() if request is not None}
        self._script = load("recognize.lua")
        self._pause = 0
        self._is_loaded = False

    def send(self, found: Sequence[tuple[bytes, PlannedModel]]) -> Op[RecognitionUnderWay | None]:
        """Ask the server about some keys, without waiting. None if they should be read as usual."""
        if not self._requests or not found:
            return None
        if self._pause:
            self._pause -= 1
            return None
        if not self._is_loaded:
            request = next(iter(self._requests.values()))
            yield from run_script(self._script, (), (request,))
            self._is_loaded = True
        by_model: dict[int, list[bytes]] = {}
        unknown: list[tuple[bytes, PlannedModel]] = []
        for item in found:
            if id(item[1]) in self._requests:
                by_model.setdefault(id(item[1]), []).append(item[0])
            else:
                unknown.append(item)
        models = {id(model): model for model in self._plan.models}
        chunks = [
            (models[number], keys[start : start + KEYS_PER_SCRIPT])
            for number, keys in by_model.items()
            for start in range(0, len(keys), KEYS_PER_SCRIPT)
        ]
        commands = (
            packed_command([b"EVALSHA", self._script.sha1, b"0", self._requests[id(model)], *keys])
            for model, keys in chunks
        )
        replies = yield from send_ahead(packed_batch(commands, len(chunks)))
        return RecognitionUnderWay(chunks, unknown, replies)

    def receive(self, under_way: RecognitionUnderWay) -> Op[RecognizedPage]:
        """Return what the server has found."""
        replies = yield from receive(under_way.replies)
        page = RecognizedPage(unread=list(under_way.unknown))
        recognized = 0
        for (model, keys), reply in zip(under_way.chunks, replies, strict=True):
            if isinstance(reply, CommandError):  # it was restarted, or does not permit it: reading will tell
                self._is_loaded = False
                page.unread += [(key, model) for key in keys]
                continue
            kinds = Counter(one for one in reply if type(one) is bytes)
            page.groups += [(model, one, number) for one, number in kinds.items()]
            known = sum(kinds.values())
            recognized += known
            if known == len(keys):
                continue
            for key, one in zip(keys, reply, strict=True):
                if type(one) is list:
                    if any(raw is not None for raw in one):
                        page.documents.append(StoredDocument.of_hash(key, model, one))
                    else:
                        page.unread.append((key, model))
                elif type(one) is int:
                    page.unread.append((key, model))
        if 2 * recognized < under_way.count:
            self._pause = _PAUSE_PAGES
        return page


def _request_for(model: PlannedModel, transformation: Transformation, *, converted: bool) -> bytes | None:
    """Return the request for documents of a model; None if the server cannot recognize them."""
    checks = [transformation.recognizable(path, model.storage, converted=converted) for path in model.paths]
    paths = [_steps(path, model.storage) for path in model.paths]
    is_large = len(paths) > _MAX_PATHS
    if is_large or not all(checks) or any(path is None for path in paths):
        return None
    packed: bytes = msgpack.packb(
        [model.storage.value, paths, checks, MAX_MICROSECONDS, MAX_BYTES], use_bin_type=False
    )
    return packed


_MAX_PATHS = 100


def _steps(path: ValuePath, storage: Storage) -> Any:
    """Return a path as recognize.lua takes it; None if that is not possible."""
    if storage is Storage.HASH:
        return str(path.segments[0])
    if any(step is Each.VALUE or isinstance(step, int) for step in path.segments):
        return None
    return [True if step is Each.ITEM else step for step in path.segments]
