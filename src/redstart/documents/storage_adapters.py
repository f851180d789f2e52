"""The two storage formats of documents, hash and JSON, with their readers and writers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from pydantic_core import from_json, to_json

from redstart.commands.documents import Condition, hgetall_command, json_get_command, json_set
from redstart.commands.resp import KeyedCommand, mapping, optional_bytes
from redstart.commands.scripts import load
from redstart.documents.hash_decoder import reader_of_hashes
from redstart.documents.hash_encoder import default_expiries_of, hash_fields
from redstart.documents.json_codec import json_document, json_members, reader_of_json
from redstart.documents.renamed_fields import names_of
from redstart.documents.value_decoder import Read
from redstart.documents.write_requests import CommandWrite, HashWrite, Saving, ScriptWrite, Write
from redstart.mapping.base_model import storage_of_documents
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

M = TypeVar("M", bound=RedisModel)

Path = tuple[str, ...]
"""The names of the path of a field: a single one for a field of the model itself."""


@dataclass(frozen=True, slots=True)
class StorageAdapter:
    """Functions that write and read documents in one storage format.

    Args:
        name: the name of the format in messages.
        type_name: the reply of TYPE for its keys.
        write: returns the write of a whole document, one atomic step.
        change: returns the write of some fields, one atomic step. Its reply is nil if there is no such document.
        read: the command that reads a whole document.
        stored: the stored document in the reply to that command, as input of `reader`; None if there is none.
        reader: returns, for a model, the function that makes an instance of a primary key and a stored document.
        searched: the stored document in one result of a search, given the name of the field for the distance, if there
            is one. None if the document no longer exists.
        with_distance: the stored document with the distance in a field, given the document, the name and the distance.
    """

    name: str
    type_name: bytes
    write: Callable[[RedisModel, NaiveTimezone, Saving], Write]
    change: Callable[[RedisModel, NaiveTimezone, Iterable[Path]], Write]
    read: KeyedCommand
    stored: Callable[[Any], Any]
    reader: Callable[[type[Any], NaiveTimezone], Read[Any]]
    searched: Callable[[dict[bytes, bytes], str | None], Any]
    with_distance: Callable[[Any, str, bytes], Any]


@cache
def storage_adapter(model: type[RedisModel]) -> StorageAdapter:
    """Return the storage format of a model.

    Raises RedisModelError for an abstract or embedded model, which has no documents.
    """
    return FORMS[storage_of_documents(model)]


def _write_hash(document: RedisModel, zone: NaiveTimezone, saving: Saving) -> HashWrite:
    return _hash_write(document, *hash_fields(document, zone), saving)


def _change_hash(document: RedisModel, zone: NaiveTimezone, paths: Iterable[Path]) -> HashWrite:
    model, encoding = type(document), document._meta.encoding
    names = {name for path in paths for name in names_of(model, path[0], encoding)}
    written, empty = hash_fields(document, zone)
    return _hash_write(
        document,
        {name: text for name, text in written.items() if name in names},
        [name for name in empty if name in names],
        Saving(Condition.XX),
    )


def _hash_write(
    document: RedisModel, written: dict[bytes, bytes], empty: list[bytes], saving: Saving
) -> HashWrite:
    write = HashWrite(document.key(), written, empty, saving.condition)
    encoding = document._meta.encoding
    defaults = default_expiries_of(type(document), encoding)
    if defaults or saving.expirations:
        write.default_expiries = [(name, milliseconds) for name, milliseconds in defaults if name in written]
        write.new_expiries = [
            (name, 1_000 * seconds)
            for field, seconds in saving.expirations.items()
            for name in names_of(type(document), field, encoding)
            if name in written and seconds
        ]
    return write


def _write_json(document: RedisModel, zone: NaiveTimezone, saving: Saving) -> Write:
    key = document.key()
    return CommandWrite(key, json_set(key, json_document(document, zone), saving.condition))


def _change_json(document: RedisModel, zone: NaiveTimezone, paths: Iterable[Path]) -> Write:
    words = json_members(document, zone, paths)
    return ScriptWrite(load("update_json.lua"), document.key(), words)


def _stored_hash(reply: Any) -> dict[bytes, bytes] | None:
    return mapping(reply) or None


def _searched_hash(fields: dict[bytes, bytes], _score: str | None) -> dict[bytes, bytes] | None:
    return fields or None  # they contain the distance already


def _searched_json(fields: dict[bytes, bytes], score: str | None) -> bytes | None:
    text = fields.get(b"$")
    if text is None or score is None:
        return text
    return _json_with_distance(text, score, fields[score.encode()])


def _hash_with_distance(stored: dict[bytes, bytes], score: str, distance: bytes) -> dict[bytes, bytes]:
    return stored | {score.encode(): distance}


def _json_with_distance(stored: bytes, score: str, distance: bytes) -> bytes:
    document: dict[str, Any] = from_json(stored)
    return to_json(document | {score: float(distance)}, inf_nan_mode="constants")


WHOLE_DOCUMENT: Final = "."
"""The path of the document itself: the default of RedisJSON, but not of fakeredis, which then returns `{}`."""

FORMS: Final = {
    Storage.HASH: StorageAdapter(
        name="hash",
        type_name=Storage.HASH.key_type,
        write=_write_hash,
        change=_change_hash,
        read=hgetall_command(),
        stored=_stored_hash,
        reader=reader_of_hashes,
        searched=_searched_hash,
        with_distance=_hash_with_distance,
    ),
    Storage.JSON: StorageAdapter(
        name="JSON",
        type_name=Storage.JSON.key_type,
        write=_write_json,
        change=_change_json,
        read=json_get_command((WHOLE_DOCUMENT,)),
        stored=optional_bytes,
        reader=reader_of_json,
        searched=_searched_json,
        with_distance=_json_with_distance,
    ),
}
