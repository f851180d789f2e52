"""A stored document in memory, and the smallest set of changes between two versions of it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from redstart.display import shown_value
from redstart.errors import ValueConversionError
from redstart.mapping.value_paths import Each, Location
from redstart.migrations.operations.value_types import Segments
from redstart.values.lossless_json import JsonNumber, JsonValue, json_text, parse_json
from redstart.values.types import Storage

Path: TypeAlias = tuple[str, ...]
"""Names of the members on the way to a value. In a hash: the name of a field."""

BytesOrJson: TypeAlias = "bytes | JsonValue"
"""The bytes of a hash field, or a JSON value whose numbers are `JsonNumber`."""

JsonObject: TypeAlias = dict[str, Any]
"""The fields of a hash, or a JSON object: what contains values by name."""


class Change(NamedTuple):
    """One changed value. None means an absent value.

    Attributes:
        path: its location; never inside a list, which changes as a whole.
        old, new: the bytes of a hash field, or JSON text.
    """

    path: Path
    old: bytes | None
    new: bytes | None


class Document:
    """One stored document. Two are equal if each path has the same stored bytes; the order of members is not compared.

    RedisJSON itself changes that order when it removes a member.

    Attributes:
        storage: hash or JSON.
        root: the fields of the hash by name, or the members of the JSON object.
    """

    __slots__ = ("root", "storage")

    def __init__(self, storage: Storage, root: JsonObject) -> None:
        self.storage = storage
        self.root = root

    @classmethod
    def of_hash(cls, fields: Mapping[str, bytes]) -> "Document":
        """Return a hash with these fields."""
        return cls(Storage.HASH, dict(fields))

    @classmethod
    def of_json(cls, text: bytes) -> "Document":
        """Return the document of a JSON text, as RedisJSON replies.

        Raises:
            ValueConversionError: it is not a JSON object.
        """
        root = parse_json(text)
        if not isinstance(root, dict):
            raise ValueConversionError("not a JSON object")
        return cls(Storage.JSON, root)

    def has(self, path: Path) -> bool:
        """Return whether there is a value at a path; a JSON null is one."""
        holder = self._holder(path)
        return holder is not None and path[-1] in holder

    def get(self, path: Path) -> BytesOrJson:
        """Return the value at a path. Raises KeyError if there is none."""
        holder = self._holder(path)
        if holder is None:
            raise KeyError(path)
        value: BytesOrJson = holder[path[-1]]
        return value

    def set(self, path: Path, value: BytesOrJson) -> None:
        """Store a value. Raises KeyError if the object that would contain it does not exist."""
        holder = self._holder(path)
        if holder is None:
            raise KeyError(path)
        holder[path[-1]] = value

    def remove(self, path: Path) -> None:
        """Remove a value. Raises KeyError if there is none."""
        holder = self._holder(path)
        if holder is None:
            raise KeyError(path)
        del holder[path[-1]]

    def _holder(self, path: Path) -> JsonObject | None:
        holder: Any = self.root
        for name in path[:-1]:
            holder = holder.get(name)
            if not isinstance(holder, dict):
                return None
        found: JsonObject = holder
        return found

    def holders(self, within: Segments) -> Iterator[tuple[Location, JsonObject]]:
        """Yield the objects at a path of a model, with their locations; () for the document itself.

        Values of another kind at the path are omitted.
        """
        yield from _holders(self.root, within, ())

    def copy(self) -> "Document":
        """Return a copy that shares nothing with this document."""
        is_flat = self.storage is Storage.HASH
        return Document(self.storage, dict(self.root) if is_flat else copy_value(self.root))

    def json_text(self) -> bytes:
        """Return a JSON document as text."""
        return json_text(self.root)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return self.storage is other.storage and is_same(self.root, other.root)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"Document({self.storage.value}, {self.root!r})"


def _holders(value: Any, within: Segments, above: Location) -> Iterator[tuple[Location, JsonObject]]:
    if not within:
        if isinstance(value, dict):
            yield above, value
        return
    step, rest = within[0], within[1:]
    if isinstance(value, dict):
        names = list(value) if step is Each.VALUE else [str(step)] if step in value else []
        for name in names:
            yield from _holders(value[name], rest, (*above, name))
    elif isinstance(value, list) and step is Each.ITEM:
        for position, item in enumerate(value):
            yield from _holders(item, rest, (*above, position))


def copy_value(value: Any) -> Any:
    """Return a copy of a stored value, and of all that it contains."""
    if isinstance(value, dict):
        return {name: copy_value(member) for name, member in value.items()}
    return [copy_value(item) for item in value] if isinstance(value, list) else value


def with_members_of(old: Any, new: Any) -> Any:
    """Return a new value with all members that its objects, and those in its lists, had before."""
    if isinstance(old, dict) and isinstance(new, dict):
        kept = {name: value for name, value in old.items() if name not in new}
        changed = {
            name: with_members_of(old[name], value) if name in old else value for name, value in new.items()
        }
        return changed | kept
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [with_members_of(*pair) for pair in zip(old, new, strict=True)]
    return new


def is_same(one: Any, other: Any) -> bool:
    """Return whether two stored values are stored as the same bytes, whatever the order of members."""
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return False
        return all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        if not isinstance(other, list) or len(one) != len(other):
            return False
        return all(map(is_same, one, other))
    if isinstance(one, JsonNumber) and isinstance(other, JsonNumber):
        return one == other or _is_same_number(one, other)
    return type(one) is type(other) and bool(one == other)


def _is_same_number(one: JsonNumber, other: JsonNumber) -> bool:
    """Return whether RedisJSON stores two numbers alike: integers by their digits, others as floats."""
    are_floats = [not number.lstrip("-").isdecimal() for number in (one, other)]
    return all(are_floats) and float(one) == float(other)


def stored_text(value: BytesOrJson) -> bytes:
    """Return the bytes of a hash field as they are, and a JSON value as text."""
    return value if isinstance(value, bytes) else json_text(value)


def shown(value: BytesOrJson) -> str:
    """Return a stored value for a message: one short line."""
    return shown_value(stored_text(value))


def changes(before: Document, after: Document) -> list[Change]:
    """Return the smallest set of changes that turns one version of a document into another.

    Members of JSON objects are compared one by one. A changed list is one change.

    Raises:
        ValueError: one is a hash and the other is JSON.
    """
    if before.storage is not after.storage:
        raise ValueError("a hash and a JSON document have no changes in common")
    if before.storage is Storage.HASH:
        return _changes_of_fields(before.root, after.root)
    return list(_changes(before.root, after.root, ()))


def _changes_of_fields(old: JsonObject, new: JsonObject) -> list[Change]:
    """Return the changes of a hash, in a third of the time."""
    found = [Change((name,), value, new.get(name)) for name, value in old.items() if new.get(name) != value]
    return found + [Change((name,), None, value) for name, value in new.items() if name not in old]


def _changes(old: JsonObject, new: JsonObject, above: Path) -> Iterator[Change]:
    for name, value in old.items():
        path = (*above, name)
        if name not in new:
            yield Change(path, stored_text(value), None)
        elif isinstance(value, dict) and isinstance(new[name], dict):
            yield from _changes(value, new[name], path)
        elif not is_same(value, new[name]):
            yield Change(path, stored_text(value), stored_text(new[name]))
    for name, value in new.items():
        if name not in old:
            yield Change((*above, name), None, stored_text(value))
