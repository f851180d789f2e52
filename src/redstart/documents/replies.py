"""Documents from a reply to FT.SEARCH, our own or one that the caller has received."""

from typing import Any, TypeVar

from redstart.commands.search import SearchReply, ft_search
from redstart.documents.fetching import primary_keys_in
from redstart.documents.forms import form_of
from redstart.documents.reader import readable
from redstart.documents.unreadable import OnUnreadable
from redstart.mapping.models import RedisModel
from redstart.search.expressions import KNNExpression
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
        UnreadableDocument: a stored value does not fit its field.
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
    """The documents in a reply, decoded or not, of RESP2 or RESP3. See `documents_found`."""
    parsed = ft_search((), content=True).parse(_undecoded(reply))
    return documents_found(model, parsed, zone, knn, unreadable)


def _undecoded(reply: Any) -> Any:
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, dict):
        return {_undecoded(name): _undecoded(value) for name, value in reply.items()}
    return [_undecoded(item) for item in reply] if isinstance(reply, list | tuple) else reply
