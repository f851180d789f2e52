"""RedisVL schema of the index of a model.

Source: https://docs.redisvl.com/en/stable/api/schema.html
"""

from collections.abc import Callable
from typing import Any, Final

from redstart.documents.storage_adapters import storage_adapter
from redstart.mapping.index_schema import index_of
from redstart.mapping.models import RedisModel
from redstart.search.schema import FieldKind, IndexField
from redstart.values.types import Storage

VECTOR_NAMES: Final = {
    "TYPE": "datatype",
    "DIM": "dims",
    "DISTANCE_METRIC": "distance_metric",
    "INITIAL_CAP": "initial_cap",
    "BLOCK_SIZE": "block_size",
    "M": "m",
    "EF_CONSTRUCTION": "ef_construction",
    "EF_RUNTIME": "ef_runtime",
    "EPSILON": "epsilon",
}
WORDS: Final = ("datatype", "distance_metric")


def redisvl_schema(model: type[RedisModel]) -> dict[str, Any]:
    """Return the argument of `redisvl.schema.IndexSchema.from_dict`. Raises RedisModelError.

    RedisVL has no second name for a field of a hash, so its full-text field is omitted.
    """
    _ = storage_adapter(model)
    index = index_of(model)
    in_hashes = index.storage is Storage.HASH
    fields = [field for field in index.fields if not in_hashes or field.identifier == field.attribute]
    return {
        "index": {
            "name": index.name,
            "prefix": index.prefixes[0],
            "storage_type": "hash" if in_hashes else "json",
        },
        "fields": [_field(field, in_hashes) for field in fields],
    }


def _field(field: IndexField, in_hash: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": field.attribute, "type": field.kind.value.lower()}
    if not in_hash:
        described["path"] = field.identifier
    return described | {"attrs": ATTRIBUTES[field.kind](field)}


def _vector(field: IndexField) -> dict[str, Any]:
    assert field.vector is not None  # as it is of this kind
    named = {VECTOR_NAMES[name]: value for name, value in field.vector.attributes}
    values = {name: value.lower() if name in WORDS else float(value) for name, value in named.items()}
    whole = {name: int(value) if name not in (*WORDS, "epsilon") else value for name, value in values.items()}
    return {"algorithm": field.vector.algorithm.lower(), **whole}


def _tag(field: IndexField) -> dict[str, Any]:
    separator = {} if field.separator is None else {"separator": field.separator}
    return {"case_sensitive": field.case_sensitive, "sortable": field.sortable, **separator}


def _plain(field: IndexField) -> dict[str, Any]:
    return {"sortable": field.sortable}


ATTRIBUTES: Final[dict[FieldKind, Callable[[IndexField], dict[str, Any]]]] = {
    FieldKind.TAG: _tag,
    FieldKind.VECTOR: _vector,
    FieldKind.TEXT: _plain,
    FieldKind.NUMERIC: _plain,
    FieldKind.GEO: _plain,
}
