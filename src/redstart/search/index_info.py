"""Parser of FT.INFO.

Source: https://redis.io/docs/latest/commands/ft.info/

A RESP2 reply has flat lists of names and values, a RESP3 reply has maps in which words without a value are `flags`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redstart.search.schema import FieldKind, Index, IndexField, VectorSettings
from redstart.values.types import Storage

VECTOR_NAMES = {
    "data_type": "TYPE",
    "dim": "DIM",
    "distance_metric": "DISTANCE_METRIC",
    "M": "M",
    "ef_construction": "EF_CONSTRUCTION",
}
"""The names of the attributes of a vector in FT.INFO, and in FT.CREATE."""

OWN_FLAGS = {"CASESENSITIVE", "SORTABLE", "UNF", "NOINDEX"}
DEFAULT_WEIGHT = 1.0
NO_ERROR = "N/A"


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The properties of an index, as reported by the server.

    Args:
        name: its own name; it differs from the requested name if that is an alias.
        index: its definition.
        documents: the number of documents in it.
        indexing: whether its first scan, or another, is still running.
        percent: how much of this scan is done, 0 to 100. Not reliable alone: wait for `indexing`.
        failures: all failed attempts to index a document so far; not the number of documents.
        last_failure: the reason of the last failure, and the key; None if there is none.
        memory_megabytes: memory of the index itself, as far as the server counts it.
        indexing_seconds: the time that the server has spent adding documents.
    """

    name: str
    index: Index
    documents: int
    indexing: bool
    percent: float
    failures: int
    last_failure: tuple[str, str] | None
    memory_megabytes: float
    indexing_seconds: float

    @property
    def filled_percent(self) -> float | None:
        """Return the progress of the first scan, or of another; None if none is running."""
        return self.percent if self.indexing else None


def read_info(reply: Any) -> IndexInfo:
    """Parse a raw FT.INFO reply. Raises ValueError if it is not one."""
    info = _pairs(reply)
    index = _index(info)
    errors = _pairs(info.get("Index Errors") or {})
    reason = _text(errors.get("last indexing error", NO_ERROR))
    key = _text(errors.get("last indexing error key", NO_ERROR))
    return IndexInfo(
        name=index.name,
        index=index,
        documents=int(info["num_docs"]),
        indexing=bool(int(info["indexing"])),
        percent=float(info["percent_indexed"]) * 100,
        failures=int(info["hash_indexing_failures"]),
        last_failure=None if reason == NO_ERROR else (reason, key),
        memory_megabytes=float(info.get("total_index_memory_sz_mb", 0)),
        indexing_seconds=float(info.get("total_indexing_time", 0)) / 1_000,
    )


def _index(info: dict[str, Any]) -> Index:
    definition = _pairs(info["index_definition"])
    return Index(
        name=_text(info["index_name"]),
        storage=Storage[_text(definition["key_type"])],
        prefixes=tuple(map(_text, definition["prefixes"])),
        fields=tuple(map(_field, info["attributes"])),
        options=tuple(_index_options(info, definition)),
    )


def _index_options(info: dict[str, Any], definition: dict[str, Any]) -> Iterator[str]:
    for name, word in (("filter", "FILTER"), ("default_language", "LANGUAGE")):
        if definition.get(name):
            yield from (word, _text(definition[name]))
    for name in ("language_field", "score_field", "payload_field"):
        if definition.get(name):
            yield from (name.upper(), _text(definition[name]))
    score = _text(definition.get("default_score", 1))
    if float(score) != 1:
        yield from ("SCORE", score)
    yield from map(_text, info.get("index_options") or ())
    stop_words = info.get("stopwords_list")
    if stop_words is not None:
        yield from ("STOPWORDS", str(len(stop_words)), *map(_text, stop_words))


def _field(reply: Any) -> IndexField:
    values, flags = _values_and_flags(reply)
    kind = FieldKind(values.pop("type"))
    identifier, attribute = values.pop("identifier"), values.pop("attribute")
    separator = values.pop("SEPARATOR", "") or None
    vector = None
    if kind is FieldKind.VECTOR:
        known = [(VECTOR_NAMES[name], value) for name, value in values.items() if name in VECTOR_NAMES]
        vector = VectorSettings(values["algorithm"], tuple(known)).reported()
        values = {}
    coordinates = values.pop("coord_system", None)  # FT.CREATE accepts only the value
    options = [
        word for name, value in values.items() if not _is_default(name, value) for word in (name, value)
    ]
    if coordinates is not None:
        options.insert(0, coordinates)
    return IndexField(
        identifier=identifier,
        attribute=attribute,
        kind=kind,
        separator=separator,
        case_sensitive="CASESENSITIVE" in flags,
        sortable="SORTABLE" in flags,
        unnormalized="UNF" in flags,
        noindex="NOINDEX" in flags,
        vector=vector,
        options=(*options, *(flag for flag in flags if flag not in OWN_FLAGS)),
    )


def _is_default(name: str, value: str) -> bool:
    return name == "WEIGHT" and float(value) == DEFAULT_WEIGHT


def _values_and_flags(reply: Any) -> tuple[dict[str, str], list[str]]:
    if isinstance(reply, dict):
        values = {_text(name): value for name, value in reply.items()}
        flags = [_text(flag) for flag in values.pop("flags", ())]
        return {name: _text(value) for name, value in values.items()}, flags
    words = [_text(word) for word in reply]
    values, flags = {}, []
    position = 0
    while position < len(words):
        word = words[position]
        if word.isupper() and word not in ("SEPARATOR", "WEIGHT", "PHONETIC", "M"):
            flags.append(word)
            position += 1
        else:
            values[word] = words[position + 1]
            position += 2
    return values, flags


def _pairs(reply: Any) -> dict[str, Any]:
    if isinstance(reply, dict):
        return {_text(name): value for name, value in reply.items()}
    return {_text(name): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
