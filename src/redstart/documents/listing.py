"""Pages of the primary keys of all documents of a model."""

from redstart.commands.keyspace import key_type, scan_all, scan_type
from redstart.documents.fetch import primary_keys_in
from redstart.documents.storage_adapters import form_of
from redstart.effects import Op, call
from redstart.errors import EMULATED, CommandError
from redstart.mapping.key_overlaps import models_inside
from redstart.mapping.keys import key_affixes
from redstart.mapping.models import RedisModel
from redstart.values.types import Storage

PAGE_KEYS = 1_000


def primary_keys_page(model: type[RedisModel], cursor: int) -> Op[tuple[int, list[str]]]:
    """Return the next cursor, and some primary keys, taken from the keys of the documents.

    Args:
        cursor: 0 to begin with. After the last page, the next cursor is 0 again.

    Raises:
        RedisModelError: the model has no documents of its own, as an abstract or embedded one.

    Effects: one SCAN; one round trip. A key may be returned twice while the keyspace grows or shrinks.
    """
    form = form_of(model)
    _ = models_inside(model)  # warns of them
    before, after = key_affixes(model)
    scanned = scan_type(cursor, prefix=before, suffix=after, kind=form.type_name, count=PAGE_KEYS)
    try:
        cursor, keys = yield from call(scanned)
    except CommandError as error:
        if error.code != EMULATED:
            raise
        cursor, keys = yield from _of_stand_in(model, cursor)
    return cursor, primary_keys_in(model, keys)


def _of_stand_in(model: type[RedisModel], cursor: int) -> Op[tuple[int, list[bytes]]]:
    """Return keys as SCAN with a type, for fakeredis, which fails where a type is asked for and a key holds JSON."""
    before, after = key_affixes(model)
    cursor, keys = yield from call(scan_all(cursor, prefix=before, suffix=after, count=PAGE_KEYS))
    kind, found = form_of(model).type_name, []
    for key in keys:
        try:
            is_of_model = (yield from call(key_type(key))) == kind
        except CommandError as error:
            if error.code != EMULATED:
                raise
            is_of_model = kind == Storage.JSON.key_type
        if is_of_model:
            found.append(key)
    return cursor, found
