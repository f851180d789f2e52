"""Stored documents as plain dictionaries, and back."""

import json
from collections.abc import Mapping
from typing import Any

from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.operations.document import Document, stored_text
from redstart.values.types import Storage


def document_of(values: Mapping[str, Any], storage: Storage) -> Document:
    """Return the stored document of a dictionary.

    Args:
        values: of a hash, text, bytes or numbers, as in HSET; of JSON, what `json.dumps` accepts.

    Raises:
        TypeError: a hash cannot contain one of the values.
    """
    if storage is Storage.JSON:
        return Document.of_json(json.dumps(dict(values), ensure_ascii=False).encode())
    return Document.of_hash({name: _field(name, value) for name, value in values.items()})


def _field(name: str, value: object) -> bytes:
    if isinstance(value, bool) or not isinstance(value, str | bytes | int | float):
        raise TypeError(f"{name}: a hash contains text, bytes and numbers, not {value!r}")
    return value if isinstance(value, bytes) else str(value).encode()


def plain(document: Document) -> dict[str, Any]:
    """Return a document as a dictionary. Fields of a hash are text, or bytes if they are not UTF-8."""
    if document.storage is Storage.JSON:
        values: dict[str, Any] = json.loads(document.json_text())
        return values
    return {name: _text(raw) for name, raw in document.root.items()}


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def as_read(document: Document, model: PlannedModel, key: str) -> StoredDocument:
    """Return a document as a run reads it: its planned fields."""
    if model.storage is Storage.HASH:
        fields = [document.root.get(str(path.segments[0])) for path in model.paths]
        return StoredDocument.of_hash(key.encode(), model, fields)
    values = []
    for path in model.paths:
        name = str(path.segments[0])
        if name in document.root:
            value = document.root[name]
            values.append(StoredValue((name,), path, stored_text(value), value))
    return StoredDocument(key.encode(), model, values)


def with_planned(document: Document, model: PlannedModel, planned: Document) -> Document:
    """Return a document with its planned fields replaced by those of another one."""
    names = {str(path.segments[0]) for path in model.paths}
    others = {name: value for name, value in document.root.items() if name not in names}
    return Document(document.storage, others | planned.root)
