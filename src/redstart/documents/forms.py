"""The two forms of a stored document, a hash and a JSON value: how each is written and read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic_core import from_json, to_json

from redstart.commands.documents import hgetall_command, json_get_command, json_set
from redstart.commands.packing import KeyedCommand
from redstart.commands.replies import mapping, optional_bytes
from redstart.commands.scripts import load, run_script
from redstart.documents.decode import document_from_hash, document_from_json
from redstart.documents.encode import hash_fields, json_document, lifetimes_of
from redstart.effects import Argument, Op, call
from redstart.errors import RedisModelError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


@dataclass(frozen=True, slots=True)
class Form:
    """How documents of one form are kept.

    Args:
        name: what messages call it.
        save: writes a document, as one atomic step.
        read: the command that answers a whole document.
        stored: what that reply holds, in the terms of `document`; None when there is no document.
        document: makes an instance of a model of it.
        searched: the same from the fields that a search answers, with the field that got a distance where there is
            one; None when the document is gone by now.
    """

    name: str
    save: Callable[[RedisModel, NaiveTimezone], Op[None]]
    read: KeyedCommand
    stored: Callable[[Any], Any]
    document: Callable[[type[Any], str, Any, NaiveTimezone], Any]
    searched: Callable[[dict[bytes, bytes], str | None], Any]


def form_of(model: type[RedisModel]) -> Form:
    """The form of a model's documents. Raises RedisModelError if it has no documents of its own."""
    if model._storage is None or not model._has_documents():
        raise RedisModelError(
            f"{model_name(model)} has no documents of its own: it is abstract, embedded, "
            "or no HashModel or JsonModel."
        )
    return FORMS[model._storage]


def _save_hash(document: RedisModel, zone: NaiveTimezone) -> Op[None]:
    written, empty = hash_fields(document, zone)
    names = {name for name, _ in written}
    lifetimes = [(name, milliseconds) for name, milliseconds in lifetimes_of(type(document)) if name in names]
    words: list[Argument] = [len(written), len(lifetimes)]
    words += [word for pair in written for word in pair]
    for name, milliseconds in lifetimes:
        words += [name, milliseconds]
    script = load("redstart.documents", "save_hash.lua")
    yield from run_script(script, [document.key()], [*words, *empty])


def _save_json(document: RedisModel, zone: NaiveTimezone) -> Op[None]:
    yield from call(json_set(document.key(), json_document(document, zone)))


def _hash_fields(reply: Any) -> dict[bytes, bytes] | None:
    return mapping(reply) or None


def _searched_hash(fields: dict[bytes, bytes], _score: str | None) -> dict[bytes, bytes] | None:
    return fields or None  # the distance is among them already


def _searched_json(fields: dict[bytes, bytes], score: str | None) -> bytes | None:
    text = fields.get(b"$")
    if text is None or score is None:
        return text
    document: dict[str, Any] = from_json(text)
    return to_json(document | {score: float(fields[score.encode()])}, inf_nan_mode="constants")


FORMS: Final = {
    Storage.HASH: Form(
        "hash", _save_hash, hgetall_command(), _hash_fields, document_from_hash, _searched_hash
    ),
    Storage.JSON: Form(
        "JSON", _save_json, json_get_command(()), optional_bytes, document_from_json, _searched_json
    ),
}
