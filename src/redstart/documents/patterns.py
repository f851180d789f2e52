"""Complete results of searches for parts of tags or words, whatever the limits of the server.

One script checks that the server expands all parts, lists the tags of a field where it would not, and searches, so that
nothing changes in between. See `lua/search_patterns.lua`.
"""

from collections.abc import Sequence
from typing import Any

import msgpack

from redstart.commands.scripts import load, run_script
from redstart.commands.server_errors import ScriptErrorCode, script_error_code
from redstart.display import shortened
from redstart.effects import Argument, Op
from redstart.errors import CommandError, QueryNotSupportedError
from redstart.search.query_compiler import QueryText
from redstart.search.query_field import TagPattern, WordPattern


def has_patterns(query: QueryText) -> bool:
    """Return whether the server may cut what a query finds."""
    return bool(query.patterns or query.words)


def search_whole(command: str, index: str, query: QueryText, rest: Sequence[Argument]) -> Op[Any]:
    """Return the raw reply to FT.SEARCH or FT.AGGREGATE, in the form of RESP2.

    Args:
        rest: the words of the command behind the query, without parameters, dialect and time.

    Raises:
        QueryNotSupportedError: the server does not expand all words that are given in part.
    """
    return (yield from _answered(query, _asked(index, query) | {"command": command, "rest": list(rest)}))


def refuse_cut(index: str, query: QueryText) -> Op[None]:
    """Raise QueryNotSupportedError if the server would cut what a query finds. Nothing is searched."""
    _ = yield from _answered(query, _asked(index, query))


def _asked(index: str, query: QueryText) -> dict[str, Any]:
    return {
        "index": index,
        "parameters": [word for pair in query.parameters for word in pair],
        "texts": query.pieces,
        "patterns": [
            (one.attribute, one.where.value, one.part, one.text, one.term) for one in query.patterns
        ],
        "words": [(one.term, one.text, one.shortest) for one in query.words],
        "rest": [],
    }


def _answered(query: QueryText, asked: dict[str, Any]) -> Op[Any]:
    payload: bytes = msgpack.packb(asked, use_bin_type=False)
    try:
        return (yield from run_script(load("search_patterns.lua"), (), (payload,)))
    except CommandError as error:
        if script_error_code(error) is not ScriptErrorCode.CUT:
            raise
        _, kind, number = error.message.split()[:3]
        of_kind: Sequence[WordPattern | TagPattern] = query.words if kind == "words" else query.patterns
        raise _cut(of_kind[int(number) - 1]) from error


def _cut(pattern: WordPattern | TagPattern) -> QueryNotSupportedError:
    hint = (
        "Search for a longer part, or raise the limit with: redis-cli FT.CONFIG SET MAXPREFIXEXPANSIONS NUMBER "
        "(for short parts, lower MINPREFIX)."
    )
    if isinstance(pattern, WordPattern):
        return QueryNotSupportedError(
            f"Cannot search {pattern.label} for the words {shortened(pattern.value)}: a part is shorter than "
            "MINPREFIX of the server, or it matches more than MAXPREFIXEXPANSIONS words.",
            hint,
            field=pattern.label,
            value=pattern.value,
            code="E5",
        )
    return QueryNotSupportedError(
        f"Cannot search for {shortened(pattern.text)}: it matches more than MAXPREFIXEXPANSIONS values, "
        "or is shorter than MINPREFIX of the server.",
        hint,
        code="E5",
    )
