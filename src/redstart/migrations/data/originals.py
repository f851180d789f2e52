"""The end of a replay: originals whose last copy is in the undo log, and that were not restored at their location.

They are tried together, document by document, when every entry is undone. Only then is it known how many of them a
value in a list may replace. An original that cannot be restored with certainty is kept and reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redstart.display import one_line
from redstart.effects import Op
from redstart.mapping.value_paths import Each, Location, ValuePath, display, in_list
from redstart.migrations.data.applier import Applied, Applier, split_large
from redstart.migrations.data.conflicts import MAX_TRIES
from redstart.migrations.data.edit_builder import guard_paths
from redstart.migrations.data.edits import DocumentEdits, StoredDocument, StoredValue
from redstart.migrations.data.reader import lists_at, texts_at
from redstart.migrations.data.record import counted
from redstart.migrations.data.undo_replay import Contents, Field, Overlay, Undoing, digest_of
from redstart.migrations.data.unrestored import (
    Original,
    UnrestoredDocument,
    keep_unrestored,
    unrestored_page,
)
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit, Transformation

GONE = "the document no longer exists"
NO_SUCH_ITEM = "the value that the run wrote in its place no longer exists"
NOT_WRITTEN = "the server did not write it"
KEEPS_CHANGING = "other clients keep changing the document"
_MAX_CHARACTERS_SHOWN = 40


@dataclass(slots=True)
class Unrestored:
    """Originals that stay unrestored.

    Attributes:
        count: number of values; `examples`: the first of them.
        replaced: fields in which a run replaced a failed value. Any default there may be a copy of it: in a document
            that was copied or renamed, or in a list that was changed.
        moved: fields in which a run quarantined failed values.
    """

    count: int = 0
    examples: list[Failure] = field(default_factory=list)
    replaced: set[Field] = field(default_factory=set)
    moved: set[Field] = field(default_factory=set)

    def add(self, document: UnrestoredDocument, undoing: Undoing) -> None:
        """Add the originals of a document."""
        self.count += len(document.originals)
        if len(self.examples) < MAX_EXAMPLES:
            self.examples += document.failures()[: MAX_EXAMPLES - len(self.examples)]
        for original in document.originals:
            field = undoing.field_of(document.key, original.location)
            if field is None or original.new is None:
                continue
            if undoing.transformation.is_default(original.new):
                self.replaced.add(field)

    def may_be_at(self, document: StoredDocument, value: StoredValue, transformation: Transformation) -> bool:
        """Return whether a value may have replaced a failed one: a default that need not be a client's value."""
        return (
            transformation.is_default(value.raw)
            and (document.model.key_prefix, str(value.path)) in self.replaced
        )


@dataclass(frozen=True, slots=True)
class _Try:
    """The originals of a document that can be restored, and those that cannot, with reasons.

    Attributes:
        moved: of the former, those that are written to another position of their list.
    """

    possible: DocumentEdits
    left: list[Original]
    moved: list[Original] = field(default_factory=list)


class Restoring:
    """Restores outstanding originals.

    Args:
        under: run id of the server on which the log was replayed; "" without a replay.
    """

    def __init__(self, undoing: Undoing, *, under: str = "") -> None:
        self._undoing = undoing
        self._under = under

    def restore_all(self, keys: StateKeys, lease: Lease, applier: Applier) -> Op[None]:
        """Restore all unrestored originals on the server where possible, and keep the others with their reasons.

        Effects: a few reads, a script per chunk, and one that updates the stored originals, for each 200 documents.
            Safe to repeat: restored originals are not restored twice.
        """
        cursor = -1
        while cursor:
            cursor, documents = yield from unrestored_page(keys, max(cursor, 0))
            left = yield from self._restore(documents, keys, lease, applier)
            if left:
                commands = [keep_unrestored(keys, document) for document in left]
                yield from lease.commit([*commands, *counted(keys, "unrestored")], under=self._under)

    def _restore(
        self, documents: Sequence[UnrestoredDocument], keys: StateKeys, lease: Lease, applier: Applier
    ) -> Op[list[UnrestoredDocument]]:
        left: dict[bytes, UnrestoredDocument] = {}
        todo = {document.key: document for document in documents}
        for last in (*[False] * (MAX_TRIES - 1), True):
            tries = yield from self.tries(list(todo.values()), {})
            conflicts: dict[bytes, UnrestoredDocument] = {}
            # Only this record has the position of a restored item, if the program dies before the list is updated.
            moves = [
                keep_unrestored(keys, _with(document, [*attempt.moved, *_unmoved(document, attempt)]))
                for document, attempt in zip(todo.values(), tries, strict=True)
                if attempt.moved
            ]
            if moves:
                yield from lease.commit(moves, under=self._under)
            for document, attempt in zip(todo.values(), tries, strict=True):
                left[document.key] = _with(document, attempt.left)
            parts = [part for attempt in tries for part in split_large(attempt.possible) if part.count]
            for chunk in applier.chunks(parts):
                applied = yield from applier.apply(chunk, label=None)
                conflicts |= {one.key: todo[one.key] for one in applied.conflicts}
                for key, places in _not_written(applied).items():
                    again = [
                        one._replace(reason=NOT_WRITTEN)
                        for one in todo[key].originals
                        if one.location in places
                    ]
                    left[key] = _with(todo[key], [*left[key].originals, *again])
            if last:
                for key, document in conflicts.items():
                    left[key] = _with(
                        document, [one._replace(reason=KEEPS_CHANGING) for one in document.originals]
                    )
            todo = conflicts
            if not todo:
                break
        return list(left.values())

    def tries(self, documents: Sequence[UnrestoredDocument], overlay: Overlay) -> Op[list[_Try]]:
        """Decide for each document what can be restored now. A few reads."""
        if not documents:
            return []
        undos = [
            DocumentEdits(
                document.key,
                document.json,
                [
                    *(
                        Edit(one.location, one.new, one.old, one.aside, restores=True)
                        for one in document.originals
                    ),
                    *(Edit(one.written_to, None, one.old) for one in document.originals if one.written_to),
                ],
            )
            for document in documents
        ]
        guards = yield from self._guards(documents)
        contents = yield from self._undoing.read(undos, overlay)
        homeless = yield from _without_parent(undos, contents)
        with_lists = [document.key for document in documents if self._listed(document)]
        stored = yield from self._undoing.documents(with_lists, overlay)
        values = ((one, value) for one in stored.values() for value in one.values)
        pre_existing = yield from self._undoing.pre_existing(values)
        return [
            self._try(
                document,
                found,
                stored[document.key].values if document.key in stored else [],
                pre_existing.get(document.key, frozenset()),
                guards.get(document.key, []),
                homeless,
            )
            for document, found in zip(documents, contents, strict=True)
        ]

    def _failed(self, document: UnrestoredDocument, originals: Sequence[Original]) -> list[Original]:
        """Return the originals that cannot be converted; the others are not lost with the value that the run wrote."""
        return [one for one in originals if self._undoing.is_failed(document, one)]

    def _listed(self, document: UnrestoredDocument) -> list[Original]:
        """Return the originals whose location may have moved within a list or map."""
        return [
            one for one in document.originals if self._path_with_items(document.key, one.location) is not None
        ]

    def _path_with_items(self, key: bytes, location: Location) -> ValuePath | None:
        path = self._undoing.path_of(key, location)
        return path if path is not None and any(isinstance(step, Each) for step in path.segments) else None

    def _guards(
        self, documents: Sequence[UnrestoredDocument]
    ) -> Op[dict[bytes, list[tuple[str, bytes | None]]]]:
        """Return the lists in which originals are sought, with their digests: read before the values."""
        keys = [document.key for document in documents if document.json and self._listed(document)]
        stored = yield from self._undoing.documents(keys, {})
        wanted: list[tuple[bytes, str]] = []
        for key, document in stored.items():
            edits = [Edit(value.location, value.raw, None) for value in document.values]
            wanted += [(key, path) for path in guard_paths(edits, large=document.large)]
        replies = yield from lists_at(wanted)
        guards: dict[bytes, list[tuple[str, bytes | None]]] = {}
        for (key, path), reply in zip(wanted, replies, strict=True):
            guards.setdefault(key, []).append((path, digest_of(reply)))
        return guards

    def _try(
        self,
        document: UnrestoredDocument,
        found: Contents,
        values: Sequence[StoredValue],
        pre_existing: frozenset[Location],
        guards: list[tuple[str, bytes | None]],
        homeless: set[tuple[bytes, Location]],
    ) -> _Try:
        if not found.exists:
            gone = [one._replace(reason=GONE) for one in self._failed(document, document.originals)]
            return _Try(DocumentEdits(document.key, document.json, []), gone)
        edits: list[Edit] = []
        left: list[Original] = []
        texts = dict(found.texts)
        is_default = self._undoing.transformation.is_default
        groups: dict[tuple[ValuePath, bytes | None], list[Original]] = {}  # None: the default, as any text
        for one in document.originals:
            if one.reason == GONE:  # the document that has the key now is another one
                left.append(one)
                continue
            if one.written_to is not None and texts[one.written_to] == one.old:
                continue
            path = self._path_with_items(document.key, one.location)
            if path is not None and one.new is not None:
                groups.setdefault((path, None if is_default(one.new) else one.new), []).append(one)
            elif texts[one.location] != one.old:
                has_room = (document.key, one.location) not in homeless
                edit = _edit_of(one, texts, is_default, json=document.json) if has_room else None
                if edit is None:
                    reason = one.reason if in_list(one.location) else _reason(one, texts)
                    left.append(one._replace(reason=reason or NO_SUCH_ITEM))
                else:
                    edits.append(edit)
                    texts[one.location] = one.old
        moved: list[Original] = []
        for (path, written), originals in groups.items():
            # An original whose text is at its location needs no item; it has no effect on the others.
            sought = [one for one in originals if not (one.stands and texts[one.location] == one.old)]
            restored, rest = _matched(
                sought or originals,
                [v for v in values if v.path == path],
                is_default if written is None else written.__eq__,
                self._undoing.transformation.texts.default if written is None else _shown(written),
                pre_existing,
                is_sought=bool(sought),
            )
            edits += restored
            moved += [
                one._replace(written_to=edit.location) for one, edit in zip(sought, restored, strict=False)
            ]
            if rest and rest[0].reason == NO_SUCH_ITEM:
                rest = self._failed(document, rest) if sought else []
            left += rest
        needed = guards if any(in_list(edit.location) for edit in edits) else []
        return _Try(DocumentEdits(document.key, document.json, edits, needed), left, moved)


def _without_parent(
    undos: Sequence[DocumentEdits], contents: Sequence[Contents]
) -> Op[set[tuple[bytes, Location]]]:
    """Return the locations in JSON documents whose parent object is missing. One read if any value is missing."""
    absent = [
        (undo.key, edit.location)
        for undo, found in zip(undos, contents, strict=True)
        for edit in undo.edits
        if undo.json and len(edit.location) > 1 and found.exists and found.texts[edit.location] is None
    ]
    if not absent:
        return set()
    parents = yield from texts_at([(key, True, location[:-1]) for key, location in absent])
    return {place for place, text in zip(absent, parents, strict=True) if text is None or text[:1] != b"{"}


def _edit_of(
    original: Original,
    texts: dict[Location, bytes | None],
    is_default: Callable[[bytes], bool],
    *,
    json: bool,
) -> Edit | None:
    """Return the edit that restores a single value, unless another client has written to its location."""
    if in_list(original.location):
        return None  # no plan describes its list
    text = texts[original.location]
    absent = (None, b"null") if json else (None,)
    is_as_written = text in absent if original.new in absent else text == original.new
    if original.new is not None and text is not None and is_default(original.new):
        is_as_written = is_default(text)
    if not is_as_written:
        return None
    moves_back = original.aside is not None and texts[original.aside] == original.old
    if moves_back and original.aside is not None:
        texts[original.aside] = None
    return Edit(original.location, text, original.old, original.aside if moves_back else None, restores=True)


def _reason(original: Original, texts: dict[Location, bytes | None]) -> str:
    text = texts[original.location]
    reason = "the field was removed after the run" if text is None else f"the document now has {_shown(text)}"
    if original.aside is not None and texts[original.aside] == original.old:
        reason += f"; {display(original.aside)} still has the original"
    return reason


def _matched(
    originals: list[Original],
    values: Sequence[StoredValue],
    is_written: Callable[[bytes], bool],
    shown: str,
    pre_existing: frozenset[Location],
    *,
    is_sought: bool,
) -> tuple[list[Edit], list[Original]]:
    """Return the edits that restore items with one value, and the originals without a certain item.

    Args:
        is_written: whether stored bytes are that value; `shown`: the value for people.
        is_sought: whether the originals may be restored; if not, their text is at its place already.
    """
    places = [value for value in values if value.misplaced is None and is_written(value.raw)]
    if all(one.stands for one in originals):
        places = [value for value in places if value.location not in pre_existing]
    texts = list(dict.fromkeys(one.old for one in originals))
    certain = is_sought and len(texts) == 1 and len(places) <= len(originals)
    if places and not (certain and pre_existing.isdisjoint(value.location for value in places)):
        return [], [one._replace(reason=f"ambiguous: several items hold {shown}") for one in originals]
    edits = [Edit(value.location, value.raw, texts[0]) for value in places]
    return edits, [one._replace(reason=NO_SUCH_ITEM) for one in originals[len(edits) :]]


def _shown(stored: bytes) -> str:
    return one_line(stored, _MAX_CHARACTERS_SHOWN)


def _unmoved(document: UnrestoredDocument, attempt: _Try) -> list[Original]:
    """Return the originals of a document that are not about to be written to another position."""
    moved = {(one.entry, one.location) for one in attempt.moved}
    return [one for one in document.originals if (one.entry, one.location) not in moved]


def _not_written(applied: Applied) -> dict[bytes, set[Location]]:
    """Return the locations that the server did not write, or wrote differently, by key."""
    places: dict[bytes, set[Location]] = {}
    for document in applied.failed:
        places.setdefault(document.key, set()).update(edit.location for edit in document.edits)
    for document, edit, _ in applied.altered:
        places.setdefault(document.key, set()).add(edit.location)
    return places


def _with(document: UnrestoredDocument, originals: Sequence[Original]) -> UnrestoredDocument:
    return UnrestoredDocument(document.key, document.json, list(originals))
