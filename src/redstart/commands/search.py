"""Commands of the search module: https://redis.io/docs/latest/commands/?group=search

Indexes are dropped and aliases changed by the scripts in migrations/indexes/lua alone. As single commands, sent again
after a lost answer, they may meet another index: a name that was an index is perhaps an alias by then.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redstart.commands.replies import ignored, mapping, raw, text
from redstart.effects import Argument, Call
from redstart.errors import CommandFailed


@dataclass(frozen=True, slots=True)
class SearchReply:
    """What FT.SEARCH answers.

    Args:
        total: how many documents match, on this page or not.
        keys: those of the documents on the page.
        fields: what these hold, in the same order; nothing of one that is gone. None at all where only keys were
            asked for.
        warnings: what the server says against the result (RESP3 only), as that it ran out of time.
    """

    total: int
    keys: list[bytes]
    fields: list[dict[bytes, bytes]]
    warnings: tuple[str, ...] = ()

    def only(self, keys: Container[bytes]) -> "SearchReply":
        """The same without the documents that have other keys."""
        pairs = [(key, held) for key, held in zip(self.keys, self.fields, strict=True) if key in keys]
        return replace(self, keys=[key for key, _ in pairs], fields=[held for _, held in pairs])


def ft_create(arguments: Sequence[str]) -> Call[None]:
    """`FT.CREATE`, its words as `redstart.search.index.create_arguments` gives them.

    Not repeatable: the second time it fails, for the index exists.
    """
    return Call(("FT.CREATE", *arguments), ignored, repeatable=False)


def ft_info(index: str) -> Call[Any]:
    """`FT.INFO` as it came; `redstart.search.info.read_info` takes it apart. Of an alias: its index."""
    return Call(("FT.INFO", index), raw)


def ft_list() -> Call[set[str]]:
    """`FT._LIST`: the names of all indexes; aliases are not among them. Bytes that are no text are kept as escapes."""
    return Call(
        ("FT._LIST",),
        lambda reply: {
            name.decode(errors="surrogateescape") if isinstance(name, bytes) else text(name) for name in reply
        },
    )


def ft_search(arguments: Sequence[Argument], *, content: bool = True) -> Call[SearchReply]:
    """`FT.SEARCH`.

    Args:
        arguments: the command's words, `FT.SEARCH` first.
        content: whether they ask for fields; RESP2 answers do not say (False with NOCONTENT).
    """

    def parse(reply: Any) -> SearchReply:
        return (_search_map if isinstance(reply, dict) else _search_list)(reply, content)

    return Call(tuple(arguments), parse)


def ft_aggregate_keys(arguments: Sequence[Argument]) -> Call[list[bytes | None]]:
    """`FT.AGGREGATE` whose words load `@__key`: the key of each row, in its order.

    None stands for a document that has just expired or been deleted: its row is empty, and counts all the same.
    """

    def parse(reply: Any) -> list[bytes | None]:
        if isinstance(reply, dict):
            reply = [len(reply[b"results"]), *(one[b"extra_attributes"] for one in reply[b"results"])]
        return [mapping(row).get(b"__key") if row else None for row in reply[1:]]

    return Call(tuple(arguments), parse)


def says_no_such_index(error: CommandFailed) -> bool:
    """Whether an index is missing; the wording differs between versions."""
    said = error.message.lower()
    return any(words in said for words in ("no such index", "unknown index", "not found"))


def most_results(error: CommandFailed) -> int | None:
    """What a query may ask for at most (MAXSEARCHRESULTS), where it was refused for asking for more, or farther."""
    found = re.search(r"(?:LIMIT|OFFSET) exceeds maximum of (\d+)", error.message)
    return int(found[1]) if found else None


def ft_members(index: str, keys: Sequence[bytes]) -> Call[set[bytes]]:
    """Which of some keys an index holds: `FT.SEARCH index * INKEYS`, so the answer is no longer than the question."""
    count = len(keys)
    words: tuple[Argument, ...] = (
        "FT.SEARCH",
        index,
        "*",
        "INKEYS",
        count,
        *keys,
        "NOCONTENT",
        "LIMIT",
        0,
        count,
        # A server may answer a part once a limit has passed; half an answer would be taken for documents not held.
        "TIMEOUT",
        0,
    )
    search = ft_search(words, content=False)
    return Call(search.args, lambda reply: set(search.parse(reply).keys))


def _search_map(reply: dict[bytes, Any], content: bool) -> SearchReply:
    results = reply[b"results"]
    keys = [one[b"id"] for one in results]
    fields = [one.get(b"extra_attributes") or {} for one in results] if content else []
    warnings = tuple(text(warning) for warning in reply.get(b"warning") or ())
    return SearchReply(int(reply[b"total_results"]), keys, fields, warnings)


def _search_list(reply: list[Any], content: bool) -> SearchReply:
    if not content:
        return SearchReply(int(reply[0]), reply[1:], [])
    # A document that was deleted since it was found has no fields but nil.
    fields = [{} if words is None else mapping(words) for words in reply[2::2]]
    return SearchReply(int(reply[0]), reply[1::2], fields)
