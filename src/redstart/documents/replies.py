"""Documents from a reply to FT.SEARCH, our own or one that the caller has received."""

from typing import Any, TypeVar

from redstart.commands.search import SearchReply, ft_search
from redstart.documents.fetching import primary_keys_in
from redstart.documents.forms import form_of
from redstart.documents.reader import readable
from redstart.documents.unreadable import OnUnreadable
from redstart.errors import QuerySyntaxError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name
from redstart.search.expressions import KNNExpression
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


def documents_found(
    model: type[M],
    reply: SearchReply,
    zone: NaiveTimezone,
    knn: KNNExpression | None = None,
    unreadable: OnUnreadable | None = None,
) -> list[M]:
    """The documents in a reply. Those that no longer exist are left out.

    Args:
        knn: the KNNExpression of the search, so that the documents get their distances.
        unreadable: as for `readable`.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.
    """
    form = form_of(model)
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
    """The documents in a reply, decoded or not, of RESP2 or RESP3. See `documents_found`.

    Raises:
        QuerySyntaxError: the search asked for some fields of JSON documents only: a save would remove the others.
    """
    if isinstance(reply, list):
        reply = _with_content(reply)
    if not reply:
        return []
    parsed = ft_search((), content=True).parse(_undecoded(reply))
    if model._storage is Storage.JSON:
        for key, fields in zip(parsed.keys, parsed.fields, strict=True):
            if fields and b"$" not in fields:
                returned = ", ".join(name.decode(errors="replace") for name in fields)
                raise QuerySyntaxError(
                    f"The reply holds no whole {model_name(model)} for the key {key.decode(errors='replace')}, "
                    f"but {returned}.",
                    "Search without RETURN, or read some fields with find(...).values() or .only().",
                )
    return documents_found(model, parsed, zone, knn, unreadable)


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
