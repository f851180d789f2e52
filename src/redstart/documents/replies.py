"""Documents from an answer of FT.SEARCH that somebody else asked for."""

from typing import Any, TypeVar

from redstart.commands.search import ft_search
from redstart.documents.access import primary_key_in
from redstart.documents.forms import form_of
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


def documents_in_reply(model: type[M], reply: Any, zone: NaiveTimezone) -> list[M]:
    """The documents in an answer, decoded or not, of RESP2 or RESP3; those that are gone by now are left out.

    Raises:
        UnreadableDocument: a value does not fit its field.
    """
    form = form_of(model)
    parsed = ft_search((), content=True).parse(_undecoded(reply))
    stored = [(found.key, form.searched(found.fields)) for found in parsed.found]
    return [
        form.document(model, primary_key_in(model, key), held, zone)
        for key, held in stored
        if held is not None
    ]


def _undecoded(reply: Any) -> Any:
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, dict):
        return {_undecoded(name): _undecoded(value) for name, value in reply.items()}
    return [_undecoded(item) for item in reply] if isinstance(reply, list) else reply
