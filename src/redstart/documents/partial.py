"""Reads of some fields of documents. Each field is validated by the model, as in a whole document.

If a field may depend on others, whole documents are read.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from redstart.commands.documents import hmget_command, json_get_command
from redstart.commands.resp import KeyedCommand, packed_batch
from redstart.documents.errors import OnUnreadable, decode_error, unexpected, unreadable
from redstart.documents.fetch import PageSizes, documents_at, primary_keys_in, shrink, stored_in
from redstart.documents.hash_decoder import hash_reader_of
from redstart.documents.projection import Projection
from redstart.documents.reader import readable, reader_of
from redstart.documents.value_decoder import Place, ValueDecodeError, read_places
from redstart.effects import Op, batch, learnt
from redstart.errors import ServerConnectionError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.core_schema import by_name
from redstart.mapping.models import RedisModel
from redstart.mapping.value_paths import Segment
from redstart.search.json_paths import member
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage


def projected_at(
    projection: Projection,
    keys: Sequence[bytes],
    zone: NaiveTimezone,
    unreadable: OnUnreadable | None = None,
) -> Op[list[Any]]:
    """Return the projection of the documents with these keys, in that order. Those that no longer exist are left out.

    Args:
        unreadable: as for `readable`.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.

    Effects: HMGET or JSON.GET for each; one round trip for each 2 MB, and a few more for the first ones. One more for
        each hash that has none of these fields, not even its primary key, because it may not exist at all.
    """
    model, tops = projection.model, projection.tops
    if not tops:
        documents = yield from documents_at(model, keys, zone, unreadable=unreadable)
        return [projection.of(document) for document in documents]
    names = tuple(dict.fromkeys((*tops, model._primary_key_name)))
    is_hash = model._storage is Storage.HASH
    read, values_of = _hash_command(names, model._meta.encoding) if is_hash else _json_command(names)
    part = _PartReader(model, zone, tops)
    page_size = (yield from learnt(PageSizes)).of(model, names)
    rest: Iterator[bytes] = iter(keys)
    found: list[Any] = []
    while page := list(islice(rest, page_size.keys)):
        try:
            replies = yield from batch(packed_batch(map(read.pack, page), len(page)))
        except ServerConnectionError:
            if len(page) == 1:
                raise
            shrink(page_size)
            rest = chain(page, rest)
            continue
        page_size.observe(replies)
        held = zip(page, primary_keys_in(model, page), stored_in(replies, values_of), strict=True)
        for key, primary_key, stored in held:
            if stored:
                # One after the other: the instance is reused.
                found += map(projection.of, readable(part.document, [(primary_key, stored)], unreadable))
            elif stored is not None:
                whole = yield from documents_at(model, [key], zone, unreadable=unreadable)
                found += map(projection.of, whole)
    return found


Command = tuple[KeyedCommand, Callable[[Any], dict[Any, Any] | None]]
"""The command that reads some fields, and what makes values by stored name of its reply (None: no such document)."""


def _hash_command(names: Sequence[str], encoding: str) -> Command:
    stored_names = [name.encode(encoding) for name in names]

    def values_of(reply: list[bytes | None]) -> dict[bytes, bytes]:
        return {name: value for name, value in zip(stored_names, reply, strict=True) if value is not None}

    return hmget_command(stored_names), values_of


def _json_command(names: Sequence[str]) -> Command:
    paths = {name: f"${member(name)}" for name in names}

    def values_of(reply: bytes | None) -> dict[str, Any] | None:
        if reply is None:
            return None
        matches = from_json(reply)
        if isinstance(matches, list):  # one path has no name in the answer
            matches = {paths[names[0]]: matches}
        return {name: matches[path][0] for name, path in paths.items() if matches[path]}

    return json_get_command(list(paths.values())), values_of


class _PartReader:
    """Reads some fields of the documents of one model."""

    def __init__(self, model: type[RedisModel], zone: NaiveTimezone, tops: Sequence[str]) -> None:
        self._model = model
        self._fields = {name: complete_fields(model)[name] for name in tops}
        self._hash_reader = hash_reader_of(model, zone)
        places = reader_of(model, zone).places
        self._places: dict[Segment, Place] = {
            name: place for name, place in places.items() if name in self._fields
        }
        self._document = model.model_construct()
        self._options = by_name(model)

    def document(self, primary_key: str, stored: dict[Any, Any]) -> RedisModel:
        """Return an instance, reused each time, of which only these fields are valid. Raises DocumentDecodeError."""
        model, document = self._model, self._document
        held = self._values(primary_key, stored)
        for name, field in self._fields.items():
            if name not in held:
                if field.is_required():
                    raise decode_error(model, primary_key, name, None, "Field required", is_missing=True)
                document.__dict__[name] = field.get_default(call_default_factory=True)
                continue
            try:
                _ = model.__pydantic_validator__.validate_assignment(
                    document, name, held[name], strict=False, **self._options
                )
            except ValidationError as error:
                raise unreadable(model, primary_key, error) from error
            except Exception as error:
                raise unexpected(model, primary_key, name, held[name], error) from error
        return document

    def _values(self, primary_key: str, stored: dict[Any, Any]) -> dict[str, Any]:
        """Return the stored fields as values for the model."""
        model = self._model
        if model._storage is Storage.HASH:
            held = self._hash_reader.values(primary_key, stored)
        else:
            held = {name: value for name, value in stored.items() if name in self._fields}
            try:
                read_places(held, self._places, ())
            except ValueDecodeError as error:
                raise decode_error(model, primary_key, error.path, error.value, error.reason) from error
        key_name = model._primary_key_name
        if key_name in self._fields and held.get(key_name) is None:
            held[key_name] = primary_key
        return held
