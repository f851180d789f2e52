"""Indexes as data: the arguments of FT.CREATE, and the text by which redis-om identifies an index."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha1

from redstart.search.schema import IndexField
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Args:
        name: what queries call it.
        storage: the type of its documents.
        prefixes: what the keys of its documents begin with.
        fields: what is indexed, in order.
        options: further words of the definition between the prefixes and the fields, as `FILTER @a==1`.
        parts: for each declared field of the model how many index fields it gave; 0 leaves an empty part
            in the schema text. None: one each. It is spelling, so it does not count in a comparison.
    """

    name: str
    storage: Storage
    prefixes: tuple[str, ...]
    fields: tuple[IndexField, ...]
    options: tuple[str, ...] = ()
    parts: tuple[int, ...] | None = field(default=None, compare=False)

    def field_named(self, attribute: str) -> IndexField | None:
        """Return the field that queries call `attribute`."""
        return next((one for one in self.fields if one.attribute == attribute), None)

    def reported(self) -> "Index":
        """Return the index as FT.INFO shows it once it exists: with the server's defaults written out."""
        return replace(self, fields=tuple(one.reported(self.storage) for one in self.fields), parts=None)


def schema_text(index: Index) -> str:
    """Return the text redis-om hashes, letter by letter: what its FT.CREATE says after the index's name.

    Fields that gave nothing leave their empty part, so there may be double spaces, and one at the end.
    """
    prefixes = " ".join(index.prefixes)
    parts = " ".join(schema_parts(index))
    return f"ON {index.storage.name} PREFIX {len(index.prefixes)} {prefixes} SCHEMA {parts}"


def schema_hash(text: str) -> str:
    """Return the content of redis-om's `<index>:hash`: the SHA-1 of the schema text, in hexadecimal."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def create_arguments(index: Index, *, name: str | None = None) -> tuple[str, ...]:
    """Return the words of FT.CREATE after the command, from the data: nothing in them is split at a space.

    Args:
        index: what to create.
        name: another name than the index's own.
    """
    return (
        name or index.name,
        *("ON", index.storage.name),
        *("PREFIX", str(len(index.prefixes)), *index.prefixes),
        *index.options,
        "SCHEMA",
        *(word for one in index.fields for word in one.words(index.storage)),
    )


def schema_parts(index: Index) -> Iterator[str]:
    """Yield the schema text, one part for each declared field of the model; empty for one that is not indexed."""
    texts = [one.text(index.storage) for one in index.fields]
    if index.parts is None:
        yield from texts
        return
    start = 0
    for count in index.parts:
        yield " ".join(texts[start : start + count])
        start += count
