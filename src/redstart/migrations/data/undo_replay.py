"""Undo entries of the undo log: a value that is unchanged since it was written gets its original bytes.

A list that has changed since is matched by value, because an index means nothing after an insertion. Values without a
match are left to the sweep, which converts them back. But the original of a failed value has no converted value, so it
is returned as outstanding.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1
from typing import Any, TypeAlias

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, gather
from redstart.mapping.value_paths import (
    Location,
    ValuePath,
    in_list,
    is_read_by,
    path_text,
    siblings_path,
    slice_bounds,
    sliced_list,
    whole_list_path,
)
from redstart.migrations.data.applier import Applier, split_large
from redstart.migrations.data.compact_edits import DIGEST_BYTES
from redstart.migrations.data.conflicts import MAX_TRIES
from redstart.migrations.data.edit_builder import classify_stored
from redstart.migrations.data.edits import (
    DocumentEdits,
    DocumentTransformation,
    StoredDocument,
    StoredValue,
)
from redstart.migrations.data.plan import Plan, path_of, router
from redstart.migrations.data.reader import lists_at, read_documents, texts_at
from redstart.migrations.data.survey import preexisting_values
from redstart.migrations.data.undo_log import JournalEntry
from redstart.migrations.data.unrestored import Original, UnrestoredDocument
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification, Edit, Transformation
from redstart.values.lossless_json import JsonValue, json_text, parse_json
from redstart.values.types import Storage

Field: TypeAlias = tuple[str, str]
"""The key prefix of a model, and one of its paths as text."""

Overlay = Mapping[bytes, Mapping[Location, bytes | None]]
"""Values that a preview takes for restored, by key and location: the original bytes, or None for "no value"."""


def inverse(document: DocumentEdits) -> DocumentEdits:
    """Return the edits that restore a document of the undo log, last edit first (additions are removed first)."""
    edits = [
        Edit(
            edit.location,
            edit.new,
            edit.old,
            edit.aside,
            restores=True,
            expiry_of=edit.expiry_of,
            expires_ms=edit.expires_ms,
            members=edit.members,
            group=edit.group,
        )
        for edit in reversed(document.edits)
    ]
    return DocumentEdits(
        document.key,
        document.json,
        edits,
        document.guards,
        is_atomic=document.is_atomic,
    )


@dataclass(frozen=True, slots=True)
class Contents:
    """Current content of a document at the locations to restore.

    Attributes:
        exists: whether the document exists and has its type.
        texts: the bytes at single locations; None if there is no value.
        lists: the reply for each path that guards a list; None without one.
        values: all planned values; only of a document whose lists have changed.
        pre_existing: the locations of those that are pre-existing values in the new format.
    """

    exists: bool
    texts: dict[Location, bytes | None]
    lists: dict[str, bytes | None] = field(default_factory=dict)
    values: list[StoredValue] = field(default_factory=list)
    pre_existing: frozenset[Location] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The edits of a document that can be undone, with the guards that they need, and the outstanding originals.

    Attributes:
        standing: the locations of outstanding originals that hold the original text already.
    """

    possible: DocumentEdits
    outstanding: list[Edit]
    standing: frozenset[Location] = frozenset()


class Undoing:
    """Reads documents and decides what can be restored from the undo log, for a rollback and for its preview.

    Args:
        plan: the plan stored with the log; None to try only the originals that an earlier rollback has left.
    """

    def __init__(self, keys: StateKeys, plan: Plan | None, transformation: Transformation) -> None:
        self._keys = keys
        self._route = router(plan if plan is not None else Plan(()))
        self.transformation = transformation

    def path_of(self, key: bytes, location: Location) -> ValuePath | None:
        """Return the planned path of a location, or None."""
        model = self._route(key)
        return None if model is None else path_of(location, model)

    def field_of(self, key: bytes, location: Location) -> Field | None:
        """Return the planned path of a location with the key prefix of its model, or None."""
        model = self._route(key)
        path = None if model is None else path_of(location, model)
        return None if model is None or path is None else (model.key_prefix, str(path))

    def replaced_in(self, entry: JournalEntry) -> set[Field]:
        """Return the fields in which failure mode `default` replaced failed values."""
        return {
            field
            for document in entry.documents
            if not document.locations
            for edit in document.edits
            if edit.old is not None and edit.new is not None and self.transformation.is_default(edit.new)
            if self._is_failed(document.key, edit.location, edit.old, json=document.json)
            if (field := self.field_of(document.key, edit.location)) is not None
        }

    def moved_in(self, entry: JournalEntry) -> set[Field]:
        """Return the fields in which failure mode `quarantine` moved failed values."""
        places = (
            self.field_of(document.key, edit.location)
            for document in entry.documents
            if not document.locations
            for edit in document.edits
            if edit.aside is not None
        )
        return {place for place in places if place is not None}

    def read(self, undos: Sequence[DocumentEdits], overlay: Overlay) -> Op[list[Contents]]:
        """Return the content of documents. Three reads, and more for changed lists."""
        places = [
            (undo.key, undo.json, place)
            for undo in undos
            for edit in undo.edits
            for place in (edit.location, edit.aside)
            if place is not None
        ]
        found = yield from texts_at(places)
        types = yield from batch(gather([key_type(undo.key) for undo in undos]))
        guards = [(undo, path) for undo in undos for path, _ in undo.guards]
        replies = yield from lists_at([(undo.key, path) for undo, path in guards])
        texts: dict[bytes, dict[Location, bytes | None]] = {undo.key: {} for undo in undos}
        for (key, _, place), text in zip(places, found, strict=True):
            texts[key][place] = overlay.get(key, {}).get(place, text)
        lists: dict[bytes, dict[str, bytes | None]] = {undo.key: {} for undo in undos}
        for (undo, path), text in zip(guards, replies, strict=True):
            key = undo.key
            lists[key][path] = (
                (yield from self._list_under(overlay, undo, path, text)) if key in overlay else text
            )
        contents = [
            Contents(
                kind == (Storage.JSON if undo.json else Storage.HASH).key_type,
                texts[undo.key],
                lists[undo.key],
            )
            for undo, kind in zip(undos, types, strict=True)
        ]
        return (yield from self._with_values(undos, contents, overlay))

    def _with_values(
        self, undos: Sequence[DocumentEdits], contents: Sequence[Contents], overlay: Overlay
    ) -> Op[list[Contents]]:
        changed = [
            undo.key
            for undo, found in zip(undos, contents, strict=True)
            if found.exists and broken_guards(undo, found)
        ]
        documents = yield from self.documents(changed, overlay)
        written = {undo.key: {edit.old for edit in undo.edits} for undo in undos}
        pre_existing = yield from self.pre_existing(
            (documents[undo.key], value)
            for undo in undos
            if undo.key in documents
            for value in documents[undo.key].values
            if value.raw in written[undo.key]
        )
        return [
            replace(
                found, values=documents[undo.key].values, pre_existing=pre_existing.get(undo.key, frozenset())
            )
            if undo.key in documents
            else found
            for undo, found in zip(undos, contents, strict=True)
        ]

    def documents(self, keys: Iterable[bytes], overlay: Overlay) -> Op[dict[bytes, StoredDocument]]:
        """Return the planned values of some documents, by key."""
        routed = [(key, model) for key in keys if (model := self._route(key)) is not None]
        documents = (yield from read_documents(routed)) if routed else []
        return {
            document.key: _under(overlay[document.key], document) if document.key in overlay else document
            for document in documents
        }

    def count_seen_as_newer(self, restored: Iterable[DocumentEdits], *, pre_existing_too: bool) -> Op[int]:
        """Return how many values, before they are restored, look like converted values that are newer than the run."""
        values = [
            (StoredDocument(undo.key, model, []), StoredValue(edit.location, path, edit.old))
            for undo in restored
            if (model := self._route(undo.key)) is not None
            for edit in undo.edits
            if edit.old is not None
            and (path := path_of(edit.location, model)) is not None
            and self._outcome(edit.old, path, json=undo.json) is Classification.ALREADY
        ]
        if isinstance(self.transformation, DocumentTransformation):
            # One value represents each change of a document that has left a value.
            return sum(len({edit.group for edit in undo.edits if edit.old is not None}) for undo in restored)
        if pre_existing_too:
            return len(values)
        return (yield from preexisting_values(self._keys, values)).count(False)

    def pre_existing(
        self, values: Iterable[tuple[StoredDocument, StoredValue]]
    ) -> Op[dict[bytes, frozenset[Location]]]:
        """Return the locations of pre-existing values in the new format, for each of the documents."""
        candidates = list(values)
        known = yield from preexisting_values(self._keys, candidates)
        found: dict[bytes, set[Location]] = {}
        for (document, value), was_number in zip(candidates, known, strict=True):
            places = found.setdefault(document.key, set())
            if was_number:
                places.add(value.location)
        return {key: frozenset(places) for key, places in found.items()}

    def decide(self, undo: DocumentEdits, found: Contents) -> Decision:
        """Decide which edits of a document can be undone, given its content."""
        if not found.exists:
            return Decision(_no_edits(undo), self.last_copies(undo))
        broken = broken_guards(undo, found)
        possible: list[Edit] = []
        outstanding: list[Edit] = []
        moved: dict[tuple[ValuePath, bytes], list[Edit]] = {}
        for edit in undo.edits:
            path = self.path_of(undo.key, edit.location)
            if _lies_under(edit.location, broken):
                if path is None or edit.old is None or self._is_last_copy(undo, edit):
                    outstanding.append(edit)
                elif found.texts[edit.location] != edit.new:
                    moved.setdefault((path, edit.old), []).append(edit)
            elif _is_as_written(edit, found.texts):
                possible.append(edit)
            elif found.texts[edit.location] != edit.new and self._is_last_copy(undo, edit):
                outstanding.append(edit)
        possible = _whole_groups(undo.edits, possible)
        for (path, written), edits in moved.items():
            possible += _matched(path, written, edits, found, broken)
        standing = frozenset(edit.location for edit in outstanding if found.texts[edit.location] == edit.new)
        guards = [
            (path, digest_of(found.lists[path]) if path in broken else digest)
            for path, digest in undo.guards
            if path not in broken or any(_lies_under(edit.location, [path]) for edit in possible)
        ]
        decided = DocumentEdits(undo.key, undo.json, possible, guards, is_atomic=undo.is_atomic)
        return Decision(decided, outstanding, standing)

    def last_copies(self, undo: DocumentEdits) -> list[Edit]:
        """Return the edits of an undo whose originals only the log has."""
        return [edit for edit in undo.edits if self._is_last_copy(undo, edit)]

    def _is_last_copy(self, undo: DocumentEdits, edit: Edit) -> bool:
        """Return whether the original cannot be converted. In a list, a default may have replaced such an original."""
        if edit.new is None:
            return False
        if isinstance(self.transformation, DocumentTransformation):
            return not self.transformation.has_backward
        if edit.old is not None and in_list(edit.location) and self.transformation.is_default(edit.old):
            return True
        return self._is_failed(undo.key, edit.location, edit.new, json=undo.json)

    def is_failed(self, document: UnrestoredDocument, original: Original) -> bool:
        """Return whether an original cannot be converted."""
        return self._is_failed(document.key, original.location, original.old, json=document.json)

    def _is_failed(self, key: bytes, location: Location, original: bytes, *, json: bool) -> bool:
        path = self.path_of(key, location)
        if path is None:
            return True
        return self._outcome(original, path, json=json) is Classification.UNCONVERTIBLE

    def _outcome(self, stored: bytes, path: ValuePath, *, json: bool) -> Classification:
        return classify_stored(stored, path, self.transformation, json=json).outcome

    def _list_under(
        self, overlay: Overlay, undo: DocumentEdits, path: str, reply: bytes | None
    ) -> Op[bytes | None]:
        """Return a guarded list as it is with the originals of the overlay. Reads where items lack the value."""
        if reply is None:
            return None
        key = undo.key
        items = _items_under(overlay[key], undo, path, reply)
        if items is not None:
            return items
        if "[*]" in path or sliced_list(path) is not None:  # of a large document: values of a path
            documents = yield from self.documents([key], overlay)
            values = documents[key].values if key in documents else []
            texts = b",".join(value.raw for value in values if is_read_by(path, value.location))
            return b"[%b]%b" % (texts, reply[reply.rindex(b"]") + 1 :])
        parsed: Any = parse_json(reply)
        for location, text in overlay[key].items():
            for length in range(1, len(location)):
                if text is not None and path_text(location[:length]) == path:
                    _set(parsed[0], location[length:], parse_json(text))
        return json_text(parsed)


def _items_under(
    restored: Mapping[Location, bytes | None], undo: DocumentEdits, path: str, reply: bytes
) -> bytes | None:
    """Return some items of a guarded list as restored; None if the reply does not tell which item is which."""
    bounds = slice_bounds(path)
    end = reply.rindex(b"]") + 1
    if bounds is None or "[*]" in path or end == len(reply):
        return None
    start, stop = bounds[0], min(bounds[1], int(reply[end:]))
    values: Any = parse_json(reply[:end])
    edited = next((edit.location for edit in undo.edits if is_read_by(path, edit.location)), None)
    if edited is None or len(values) != stop - start:
        return None
    at = next(number for number, step in enumerate(edited) if isinstance(step, int))
    texts = [
        restored.get((*edited[:at], position, *edited[at + 1 :])) or json_text(value)
        for position, value in zip(range(start, stop), values, strict=True)
    ]
    return b"[%b]%b" % (b",".join(texts), reply[end:])


def _set(container: Any, steps: Location, value: JsonValue) -> None:
    """Set a location inside a parsed list, if it exists."""
    *above, last = steps
    try:
        for step in above:
            container = container[step]
        container[last] = value
    except (LookupError, TypeError):
        return


def _under(restored: Mapping[Location, bytes | None], document: StoredDocument) -> StoredDocument:
    """Return a document with some values as if they were restored."""
    values = [value._replace(raw=restored.get(value.location) or value.raw) for value in document.values]
    return StoredDocument(document.key, document.model, values, large=document.large)


def undo_entry(applier: Applier, entry: JournalEntry, undoing: Undoing) -> Op[list[UnrestoredDocument]]:
    """Undo one entry, its last document first.

    Returns:
        The outstanding originals. A converted value that was changed or deleted since is left unchanged.

    Raises:
        ServerRestartedError: the log has to be replayed from its end again.

    Effects: a script per chunk; a few reads and another script for changed documents. Safe to repeat.
    """
    todo = {document.key: inverse(document) for document in reversed(entry.documents)}
    pending = [part for undo in todo.values() for part in reversed(split_large(undo))]
    outstanding: dict[bytes, UnrestoredDocument] = {}
    for _ in range(MAX_TRIES):
        conflicts: dict[bytes, None] = {}
        for chunk in applier.chunks(pending):
            applied = yield from applier.apply(chunk, label=None)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
            for document in (*applied.failed, *(document for document, _, _ in applied.altered)):
                undo = todo[document.key]
                outstanding[document.key] = outstanding_of(entry.id, undo, undoing.last_copies(undo))
        undos = [todo[key] for key in conflicts]
        if not undos:
            break
        contents = yield from undoing.read(undos, {})
        pending = []
        for undo, found in zip(undos, contents, strict=True):
            decision = undoing.decide(undo, found)
            outstanding[undo.key] = outstanding_of(entry.id, undo, decision.outstanding, decision.standing)
            if decision.possible.edits:
                pending += split_large(decision.possible)
        if not pending:
            break
    else:
        for part in pending:  # it keeps changing: originals of failed values are tried again at the end
            undo = todo[part.key]
            outstanding[part.key] = outstanding_of(entry.id, undo, undoing.last_copies(undo))
    return [document for document in outstanding.values() if document.originals]


def outstanding_of(
    entry_id: str, undo: DocumentEdits, edits: Iterable[Edit], standing: Collection[Location] = ()
) -> UnrestoredDocument:
    """Return edits of an undo as the originals that they would restore."""
    originals = [
        Original(entry_id, edit.location, edit.new, edit.old, edit.aside, stands=edit.location in standing)
        for edit in edits
        if edit.new is not None
    ]
    return UnrestoredDocument(undo.key, undo.json, originals)


def digest_of(reply: bytes | None) -> bytes:
    """Return the digest of a list, computed as in the script that writes."""
    return b"" if reply is None else sha1(reply, usedforsecurity=False).digest()[:DIGEST_BYTES].hex().encode()


def broken_guards(undo: DocumentEdits, found: Contents) -> list[str]:
    """Return the paths of the lists that have changed since the run."""
    return [
        path
        for path, digest in undo.guards
        if digest is None
        or digest_of(found.lists[path]) != digest[: 2 * DIGEST_BYTES]  # format 1 has longer ones
    ]


def _no_edits(undo: DocumentEdits) -> DocumentEdits:
    return DocumentEdits(undo.key, undo.json, [])


def _matched(
    path: ValuePath, written: bytes, edits: Sequence[Edit], found: Contents, broken: Sequence[str]
) -> list[Edit]:
    """Return the edits that restore the items of a changed list with one value; none if the match is uncertain."""
    places = [
        value.location
        for value in found.values
        if value.path == path and value.raw == written and _lies_under(value.location, broken)
    ]
    originals = {edit.new for edit in edits}
    if len(originals) > 1 or len(places) > len(edits) or not found.pre_existing.isdisjoint(places):
        return []
    return [Edit(place, written, edits[0].new) for place in places]


def _whole_groups(edits: Sequence[Edit], possible: list[Edit]) -> list[Edit]:
    """Return the possible edits of which the whole group is possible."""
    incomplete = {edit.group for edit in edits if edit not in possible} - {None}
    return [edit for edit in possible if edit.group not in incomplete] if incomplete else possible


def _is_as_written(edit: Edit, texts: Mapping[Location, bytes | None]) -> bool:
    if texts[edit.location] != edit.old:
        return False
    # A quarantined value is restored only together with the value in its place.
    return edit.aside is None or texts[edit.aside] == edit.new


def _lies_under(location: Location, paths: Sequence[str]) -> bool:
    if not paths or not in_list(location):
        return False
    return siblings_path(location) in map(whole_list_path, paths) or any(
        path_text(location[:length]) in paths for length in range(1, len(location))
    )
