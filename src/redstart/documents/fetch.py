"""Reads of documents: by key, and of all primary keys; and errors of the server about documents."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from redstart.commands.keyspace import key_type, scan_all, scan_type
from redstart.commands.resp import PageSize, packed_batch
from redstart.commands.server_errors import is_emulated, is_wrong_type, unknown_command
from redstart.documents.arguments import integer_of, is_omitted, require_primary_key
from redstart.documents.errors import OnUnreadable
from redstart.documents.storage_adapters import StorageAdapter, storage_adapter
from redstart.documents.value_decoder import readable
from redstart.effects import Op, Pending, batch, call, learnt, receive, send_ahead
from redstart.errors import (
    CommandError,
    DocumentError,
    NotFoundError,
    ServerConnectionError,
    UnsupportedServerError,
    WrongKeyTypeError,
)
from redstart.mapping.base_model import model_name
from redstart.mapping.key_overlaps import models_inside
from redstart.mapping.keys import key_affixes
from redstart.mapping.models import RedisModel
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

M = TypeVar("M", bound=RedisModel)

T = TypeVar("T")

PAGE_DOCUMENTS: Final = 1_000
"""How many documents one request reads by default. Larger requests are not faster."""


def page_size_of(name: str, value: Any, *, error: Callable[[str], Exception] = ValueError) -> int:
    """Return the number of documents in a page; the default if the argument is omitted. Raises as `integer_of`."""
    return PAGE_DOCUMENTS if is_omitted(value) else integer_of(name, value, 1, error=error)


class PageSizes:
    """How many documents of each model to read at once, according to the documents read from a server so far."""

    def __init__(self) -> None:
        self._of: defaultdict[tuple[type[RedisModel], tuple[str, ...]], PageSize] = defaultdict(PageSize)

    def of(self, model: type[RedisModel], fields: tuple[str, ...] = ()) -> PageSize:
        """Return the read of whole documents, or of some fields."""
        return self._of[model, fields]


def shrink(page_size: PageSize) -> None:
    """Read one document next, and measure it.

    A lost reply may have been too large to send (`client-output-buffer-limit`): documents may be much larger than those
    measured before.
    """
    page_size.keys, page_size.is_known = 1, False


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances of nearest neighbours.

    Args:
        field: the field for the distance.
        by_key: the distances by the keys of the documents.
    """

    field: str
    by_key: Mapping[bytes, bytes]

    def added(self, form: StorageAdapter, keys: Iterable[bytes], stored: Iterable[Any]) -> Iterator[Any]:
        """Yield the stored documents with their distances; None for a document that no longer exists."""
        for key, one in zip(keys, stored, strict=True):
            yield None if one is None else form.with_distance(one, self.field, self.by_key[key])


def get_document(model: type[M], primary_key: Any, zone: NaiveTimezone) -> Op[M]:
    """Read a document, whether redis-om 0.x, redis-om 1.x or Redstart wrote it.

    Raises:
        NotFoundError: there is no such document.
        DocumentError: the document cannot exist; see `in_utf8`.
        DocumentDecodeError: a stored value does not fit its field.
        WrongKeyTypeError: its key holds a value of another type.

    Effects: HGETALL or JSON.GET; one round trip.
    """
    form = storage_adapter(model)
    if primary_key is None:  # not the document with the primary key "None"
        raise NotFoundError(f"{model_name(model)}: no document has the primary key None.")
    key = key_of(model, primary_key)
    (reply,) = yield from batch(packed_batch([form.read.pack(key)], 1))
    if isinstance(reply, CommandError):
        raise_understood(reply, key.decode(), form)
        raise reply
    stored = form.stored(reply)
    if stored is None:
        raise NotFoundError(
            f"{model_name(model)}: no document has the primary key {primary_key!r} (key {key.decode()})."
        )
    document: M = form.reader(model, zone)(str(primary_key), stored)
    return document


def get_documents(
    model: type[M],
    primary_keys: Iterable[Any],
    zone: NaiveTimezone,
    page_documents: int,
    unreadable: OnUnreadable | None = None,
) -> Op[list[M]]:
    """Return the documents with these primary keys; None is omitted. See `documents_at`."""
    keys = [key_of(model, primary_key) for primary_key in primary_keys if primary_key is not None]
    return (
        yield from documents_at(model, keys, zone, page_size_of("batch_size", page_documents), unreadable)
    )


def documents_at(
    model: type[M],
    keys: Iterable[bytes],
    zone: NaiveTimezone,
    page_documents: int = PAGE_DOCUMENTS,
    unreadable: OnUnreadable | None = None,
    distances: Distances | None = None,
) -> Op[list[M]]:
    """Return the documents with these keys, in this order. Those that no longer exist are omitted.

    Args:
        distances: the distances of nearest neighbours, which the documents get.
        page_documents: how many one request reads at most; fewer where the documents of this model are large. While
            one page is parsed, the server works on the next.
        unreadable: as for `readable`.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.

    Effects: HGETALL or JSON.GET for each document; one round trip for each page. A page whose reply is lost is read
        again in smaller pages.
    """
    form = storage_adapter(model)
    found: list[M] = []
    waiting: deque[tuple[list[bytes], Pending[list[Any]]]] = deque()
    page_size, rest = (yield from learnt(PageSizes)).of(model), iter(keys)
    while page := list(islice(rest, min(page_documents, page_size.keys))):
        request = packed_batch(map(form.read.pack, page), len(page))
        waiting.append((page, (yield from send_ahead(request))))
        if len(waiting) > 1:
            found += yield from _documents_in(
                model, page_size, *waiting.popleft(), zone, unreadable, distances
            )
    for page, later in waiting:
        found += yield from _documents_in(model, page_size, page, later, zone, unreadable, distances)
    return found


def _documents_in(
    model: type[M],
    page_size: PageSize,
    keys: Sequence[bytes],
    later: Pending[list[Any]],
    zone: NaiveTimezone,
    unreadable: OnUnreadable | None,
    distances: Distances | None,
) -> Op[list[M]]:
    form = storage_adapter(model)
    try:
        replies = yield from receive(later)
    except ServerConnectionError:
        if len(keys) == 1:
            raise
        shrink(page_size)
        return (yield from documents_at(model, keys, zone, len(keys), unreadable, distances))
    page_size.observe(replies)
    stored = stored_in(replies, form.stored)
    if distances is not None:
        stored = distances.added(form, keys, stored)
    documents = zip(primary_keys_in(model, keys), stored, strict=True)
    return readable(form.reader(model, zone), documents, unreadable)


def pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of this size; the last one may be shorter."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def key_of(model: type[RedisModel], primary_key: Any) -> bytes:
    """Return the key of the document with a primary key. Raises TypeError, DocumentError."""
    require_primary_key(model, primary_key)
    return in_utf8(model, model.make_primary_key(primary_key))


def stored_in(replies: Iterable[Any], stored: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield the replies of commands that read documents, parsed with `stored`; None if a document no longer exists."""
    for reply in replies:
        if not isinstance(reply, CommandError):
            yield stored(reply)
        elif is_wrong_type(reply):
            yield None  # deleted, and the key is used for another value
        else:
            raise_if_module_missing(reply)
            raise reply


def in_utf8(model: type[RedisModel], key: str) -> bytes:
    """Return the key of a document as the server has it. Raises DocumentError for a lone surrogate."""
    try:
        return key.encode()
    except UnicodeEncodeError as error:
        raise DocumentError(
            f"{model_name(model)}: the key {key!r} contains a lone surrogate and cannot be encoded as UTF-8.",
            "Check where the primary key was decoded: with errors='surrogateescape', or from truncated JSON.",
        ) from error


def primary_keys_in(model: type[RedisModel], keys: Iterable[bytes]) -> list[str]:
    """Return the primary keys inside the keys of documents. Raises RedisModelError."""
    before, after = key_affixes(model)
    return [key.decode(errors="replace").removeprefix(before).removesuffix(after) for key in keys]


NEEDED_BY_COMMANDS: Final = (
    ("JSON.", "Install RedisJSON or fakeredis[json], which JSON documents need."),
    ("FT.", "Use a server with RediSearch for queries and indexes; fakeredis does not support them."),
    (
        "EVAL",
        "Install fakeredis[lua], which the Lua scripts that save documents need.",
    ),
    # Within a script the server does not name the command.
    (
        "CALLED",
        "Use a server with RedisJSON for JSON documents, and Redis 7.4 or Valkey 9 for the expiry of hash fields.",
    ),
    ("", "Use Redis 7.4 or Valkey 9, or later, for the expiry of hash fields."),
)
"""What is required, by the beginning of the name of a missing command."""


def raise_if_module_missing(error: CommandError) -> None:
    """Raise UnsupportedServerError for a command that the server does not know."""
    command = unknown_command(error)
    if command is None:
        return
    needed = (text for prefix, text in NEEDED_BY_COMMANDS if command.upper().startswith(prefix))
    raise UnsupportedServerError(
        f"The server does not support a required command: {error.message}",
        Hint(
            f"{next(needed)} `",
            Command("server"),
            '` starts a server with all commands. For tests without a server, see "Testing an application" in the '
            "documentation.",
        ),
    ) from error


def raise_understood(error: CommandError, key: str, form: StorageAdapter) -> None:
    """Raise a more precise error than that of the server, if there is one."""
    if is_wrong_type(error):
        raise WrongKeyTypeError(key, form.name) from error
    raise_if_module_missing(error)


PAGE_KEYS = 1_000


def primary_keys_page(model: type[RedisModel], cursor: int) -> Op[tuple[int, list[str]]]:
    """Return the next cursor, and some primary keys, taken from the keys of the documents.

    Args:
        cursor: 0 to begin with. After the last page, the next cursor is 0 again.

    Raises:
        RedisModelError: the model has no documents, because it is abstract or embedded.

    Effects: one SCAN; one round trip. A key may be returned twice while the keyspace grows or shrinks.
    """
    form = storage_adapter(model)
    _ = models_inside(model)  # warns of them
    before, after = key_affixes(model)
    scanned = scan_type(cursor, prefix=before, suffix=after, kind=form.type_name, count=PAGE_KEYS)
    try:
        cursor, keys = yield from call(scanned)
    except CommandError as error:
        if not is_emulated(error):
            raise
        cursor, keys = yield from _of_stand_in(model, cursor)
    return cursor, primary_keys_in(model, keys)


def _of_stand_in(model: type[RedisModel], cursor: int) -> Op[tuple[int, list[bytes]]]:
    """Scan keys of a type, for fakeredis, whose SCAN with a type fails if a key has a JSON value."""
    before, after = key_affixes(model)
    cursor, keys = yield from call(scan_all(cursor, prefix=before, suffix=after, count=PAGE_KEYS))
    kind, found = storage_adapter(model).type_name, []
    for key in keys:
        try:
            is_of_model = (yield from call(key_type(key))) == kind
        except CommandError as error:
            if not is_emulated(error):
                raise
            is_of_model = kind == Storage.JSON.key_type
        if is_of_model:
            found.append(key)
    return cursor, found
