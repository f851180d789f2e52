"""Commands of the search module.

Source: https://redis.io/docs/latest/commands/?group=search

Indexes are dropped and aliases changed by the scripts in redstart/lua alone. Single commands, repeated after a lost
reply, could affect another index: the name of an index may be an alias by then.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redstart.commands.resp import ignored, integer, mapping, raw, text
from redstart.effects import Argument, Call


@dataclass(frozen=True, slots=True)
class SearchReply:
    """The parsed reply to FT.SEARCH.

    Args:
        total: how many documents match, on this page or not.
        keys: the keys of the documents on the page.
        fields: the fields of these documents, in the same order; empty for a document that no longer exists. Empty as a
            whole if only keys were requested.
        warnings: warnings of the server about the result (RESP3 only), such as a timeout.
    """

    total: int
    keys: list[bytes]
    fields: list[dict[bytes, bytes]]
    warnings: tuple[str, ...] = ()

    def only(self, keys: Container[bytes]) -> "SearchReply":
        """Return the same without the documents that have other keys."""
        pairs = [(key, held) for key, held in zip(self.keys, self.fields, strict=True) if key in keys]
        return replace(self, keys=[key for key, _ in pairs], fields=[held for _, held in pairs])


def ft_create(arguments: Sequence[str]) -> Call[None]:
    """`FT.CREATE`, with the arguments that `redstart.search.schema.create_arguments` returns.

    Not repeatable: a second attempt fails, because the index exists.
    """
    return Call(("FT.CREATE", *map(name_bytes, arguments)), ignored, repeatable=False)


def ft_info(index: str) -> Call[Any]:
    """The raw reply to `FT.INFO`, for `redstart.search.index_info.read_info`. For an alias, that of its index."""
    return Call(("FT.INFO", name_bytes(index)), raw)


def ft_list() -> Call[list[str]]:
    r"""`FT._LIST`: the names of all indexes; aliases are not among them.

    Bytes that are not text are kept as surrogate escapes. The server shows a line break within a name as `\n` or
    `\r`, so one text may be the name of several indexes; it is then listed several times.
    """
    return Call(
        ("FT._LIST",),
        lambda reply: [
            name.decode(errors="surrogateescape") if isinstance(name, bytes) else text(name) for name in reply
        ],
    )


def ft_debug_ttl(index: str) -> Call[int]:
    """`FT.DEBUG TTL`: the seconds until an index that was created with TEMPORARY expires. An error for any other."""
    return Call(("FT.DEBUG", "TTL", name_bytes(index)), integer)


def ft_debug_vector(index: str, attribute: str) -> Call[dict[str, str]]:
    """`FT.DEBUG VECSIM_INFO`: the properties of the index of a vector, including nested ones."""

    def parse(reply: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in (
            reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        ):
            found |= parse(value) if isinstance(value, list | dict) else {text(name): text(value)}
        return found

    return Call(("FT.DEBUG", "VECSIM_INFO", name_bytes(index), name_bytes(attribute)), parse)


def ft_explain(index: str, query: str) -> Call[str]:
    """`FT.EXPLAIN`: how the server parses a query."""
    return Call(("FT.EXPLAIN", name_bytes(index), query), text)


def ft_syndump(index: str) -> Call[dict[bytes, set[bytes]]]:
    """`FT.SYNDUMP`: the groups of synonyms, and the terms of each."""

    def parse(reply: Any) -> dict[bytes, set[bytes]]:
        terms_by_group: dict[bytes, set[bytes]] = {}
        words = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        for term, groups in words:
            for group in groups:
                terms_by_group.setdefault(group, set()).add(term)
        return terms_by_group

    return Call(("FT.SYNDUMP", name_bytes(index)), parse)


def ft_synupdate(index: str, group: bytes, terms: Iterable[bytes]) -> Call[None]:
    """`FT.SYNUPDATE`: add terms to a group of synonyms. The server then scans all documents of the index again."""
    return Call(("FT.SYNUPDATE", name_bytes(index), group, *sorted(terms)), ignored)


def name_bytes(index: str) -> bytes:
    """Return the name of an index as the server has it: not every name is UTF-8 (see `ft_list`)."""
    return index.encode(errors="surrogateescape")


def ft_search(arguments: Sequence[Argument], *, content: bool = True) -> Call[SearchReply]:
    """`FT.SEARCH`.

    Args:
        arguments: the arguments of the command, beginning with `FT.SEARCH`.
        content: whether they request fields (False with NOCONTENT); a RESP2 reply does not show this.
    """

    def parse(reply: Any) -> SearchReply:
        return (_search_map if isinstance(reply, dict) else _search_list)(reply, content)

    return Call(tuple(arguments), parse)


def ft_aggregate_keys(arguments: Sequence[Argument]) -> Call[list[bytes | None]]:
    """`FT.AGGREGATE` that loads `@__key`: the key of each row, in order.

    None represents a document that has just expired or been deleted: its row is empty, but is counted.
    """

    def parse(reply: Any) -> list[bytes | None]:
        if isinstance(reply, dict):
            reply = [len(reply[b"results"]), *(one[b"extra_attributes"] for one in reply[b"results"])]
        return [mapping(row).get(b"__key") if row else None for row in reply[1:]]

    return Call(tuple(arguments), parse)


def ft_members(index: str, keys: Sequence[bytes]) -> Call[set[bytes]]:
    """The keys among some that an index contains.

    `FT.SEARCH index * INKEYS`, so the reply is never longer than the request.
    """
    count = len(keys)
    words: tuple[Argument, ...] = (
        "FT.SEARCH",
        name_bytes(index),
        "*",
        "INKEYS",
        count,
        *keys,
        "NOCONTENT",
        "LIMIT",
        0,
        count,
        # A server may return a partial result after its timeout; documents would seem to be missing.
        "TIMEOUT",
        0,
        "DIALECT",
        2,
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
    # A document that was deleted after the search found it has nil in place of its fields.
    fields = [{} if words is None else mapping(words) for words in reply[2::2]]
    return SearchReply(int(reply[0]), reply[1::2], fields)
