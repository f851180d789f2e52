"""Documents in the replies of searches, with their distances from a vector."""

from typing import Any, TypeVar

from redstart.commands.search import SearchReply, ft_search
from redstart.display import shortened
from redstart.documents.arguments import is_omitted
from redstart.documents.errors import OnUnreadable
from redstart.documents.fetch import primary_keys_in
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.value_decoder import readable
from redstart.errors import QuerySyntaxError
from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.mapping.renamed_fields import former_names_of
from redstart.mapping.type_tree import aliases_of, complete_fields
from redstart.search.expressions import KNNExpression
from redstart.search.query_errors import not_knn
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

M = TypeVar("M", bound=RedisModel)


def documents_found(
    model: type[M],
    reply: SearchReply,
    zone: NaiveTimezone,
    knn: KNNExpression | None = None,
    unreadable: OnUnreadable | None = None,
) -> list[M]:
    """Return the documents in a reply. Those that no longer exist are omitted.

    Args:
        knn: the KNNExpression of the search, so that the documents get their distances.
        unreadable: as for `readable`.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.
    """
    form = storage_adapter(model)
    score = None if knn is None else knn.score_field.query_field().attribute
    stored = [form.searched(fields, score) for fields in reply.fields]
    documents = zip(primary_keys_in(model, reply.keys), stored, strict=True)
    return readable(form.reader(model, zone), documents, unreadable)


def documents_in_reply(
    model: type[M],
    reply: Any,
    zone: NaiveTimezone,
    knn: KNNExpression | None = None,
    unreadable: OnUnreadable | None = None,
) -> list[M]:
    """Return the documents in a reply, decoded or not, of RESP2 or RESP3. See `documents_found`.

    Raises:
        QuerySyntaxError: it is not a reply to FT.SEARCH, or the search requested only some fields: a save would remove
            or replace the others.
    """
    knn = None if is_omitted(knn) else knn
    if knn is not None and not isinstance(knn, KNNExpression):
        raise not_knn(knn)
    try:
        if reply is None:
            return []
        if not isinstance(reply, list | tuple | dict):
            raise TypeError
        if isinstance(reply, list):
            reply = _with_content([int(reply[0]), *reply[1:]]) if reply else []
        if not reply:
            return []
        parsed = ft_search((), content=True).parse(_undecoded(reply))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise QuerySyntaxError(
            f"Not a reply to FT.SEARCH with documents: {shortened(reply)}.",
            f"Read documents by key with {model.__name__}.get_many(), or some of their fields with find(...).values().",
        ) from error
    for key, fields in zip(parsed.keys, parsed.fields, strict=True):
        _require_whole(model, key, fields)
    return documents_found(model, parsed, zone, knn, unreadable)


def _require_whole(model: type[RedisModel], key: bytes, fields: dict[bytes, bytes]) -> None:
    """Raise QuerySyntaxError for a row with some fields of a document. A whole hash contains its primary key."""
    key_name = model._primary_key_name
    returned = {name.decode(model._meta.encoding, "replace"): text for name, text in fields.items()}
    if model._storage is Storage.JSON:
        missing = [] if not fields or fields.get(b"$") is not None else ["the document itself, $"]
    else:
        missing = [name for name, text in returned.items() if text is None]
        former = former_names_of(model)
        if fields and returned.keys().isdisjoint({key_name, former.get(key_name)}):
            missing += [
                name
                for name, field in complete_fields(model).items()
                if returned.keys().isdisjoint({name, former.get(name), *aliases_of(field)})
            ]
            # If another program wrote it, it may lack the primary key, which its key contains.
            missing = [] if missing == [key_name] else missing
    if missing:
        raise QuerySyntaxError(
            f"The reply contains only a part of {model_name(model)} {key.decode(errors='replace')}: "
            f"{', '.join(returned)}. Missing: {', '.join(missing)}.",
            "Send FT.SEARCH without RETURN, or read some of the fields with find(...).values() or .only().",
        )


def _with_content(reply: list[Any]) -> list[Any]:
    """Return a RESP2 reply without scores and the like between keys and fields; [] if it has no fields (NOCONTENT)."""
    items = reply[1:]
    position = next((at for at, item in enumerate(items) if isinstance(item, list | tuple)), 1)
    if position >= len(items) or not isinstance(items[position], list | tuple | type(None)):
        return []
    rows = zip(items[:: position + 1], items[position :: position + 1], strict=True)
    return [reply[0], *(part for row in rows for part in row)]


def _undecoded(reply: Any) -> Any:
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, dict):
        return {_undecoded(name): _undecoded(value) for name, value in reply.items()}
    return [_undecoded(item) for item in reply] if isinstance(reply, list | tuple) else reply
