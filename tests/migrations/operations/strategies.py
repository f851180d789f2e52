"""Random documents, fields and models, and what an application would store of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.lossless_json import JsonNumber
from redstart.values.types import Storage

MODEL = "shop.models.Order"
STORAGES = (Storage.HASH, Storage.JSON)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HOSTILE = st.sampled_from(
    ["a.b", "it's", 'say "x"', "ü", "a b", "[0]", "{}", "\\", "\n", "__init__", "class"]
)
NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"])
FLOATS = st.integers(-(10**9), 10**9).map(lambda number: number / 100)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXTS,
    "int": st.integers(-(2**53), 2**53),
    "float": FLOATS,
    "bool": st.booleans(),
    "Decimal": st.decimals(-(10**9), 10**9, places=2) | st.integers(-99, 99).map(Decimal),
    "UUID": st.uuids(),
    "datetime": MOMENTS,
    "date": st.dates(datetime(1900, 1, 1).date(), datetime(2200, 1, 1).date()),
    "time": st.times(),
    "timedelta": st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    "bytes": st.binary(max_size=6),
    "Literal['new', 'paid']": st.sampled_from(["new", "paid"]),
    "Literal[1, 2]": st.sampled_from([1, 2]),
}
"""Values of each type that both storages can hold."""

LISTS: dict[str, st.SearchStrategy[Any]] = {
    f"list[{name}]": st.lists(VALUES[name], max_size=3)
    for name in ("str", "int", "float", "datetime", "UUID")
}

ALL = VALUES | LISTS


def types(storage: Storage) -> list[str]:
    """Return the types that fields of a storage can have."""
    return list(ALL if storage is Storage.JSON else VALUES)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | TEXTS
    | st.integers(-99, 99).map(lambda number: JsonNumber(str(number)))
    | FLOATS.map(lambda number: JsonNumber(repr(number))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | NAMES, inner, max_size=3),
    max_leaves=8,
)

HASHES = st.dictionaries(TEXTS.filter(bool) | NAMES, st.binary(max_size=5), max_size=5).map(Document.of_hash)
JSON_DOCUMENTS = st.dictionaries(TEXTS | NAMES, JSON_VALUES, max_size=5).map(
    lambda root: Document(Storage.JSON, root)
)
DOCUMENTS = HASHES | JSON_DOCUMENTS


@st.composite
def fields(draw: st.DrawFn, storage: Storage, name: str, *, nested: bool = True) -> FieldState:
    """Return a field of any type with any default."""
    if nested and storage is Storage.JSON and draw(st.integers(0, 4)) == 0:
        kind = draw(st.sampled_from(["object", "list[object]", "dict[str, object]"]))
        inside = draw(st.lists(NAMES, unique=True, max_size=3))
        members = [draw(fields(storage, one, nested=draw(st.booleans()))) for one in inside]
        is_optional = draw(st.booleans())
        default = None if is_optional else NO_DEFAULT
        return FieldState(name, kind, default=default, is_optional=is_optional, fields=members)
    kind = draw(st.sampled_from(types(storage)))
    is_optional = draw(st.booleans())
    defaults = st.just(NO_DEFAULT) | ALL[kind]
    default = draw(defaults | st.none() if is_optional else defaults)
    is_generated = default is NO_DEFAULT and draw(st.booleans())
    return FieldState(name, kind, default=default, is_optional=is_optional, is_generated=is_generated)


@st.composite
def indexes(draw: st.DrawFn, name: str, storage: Storage) -> Index:
    identifiers = draw(st.lists(NAMES, unique=True, min_size=1, max_size=2))
    kinds = st.sampled_from([FieldKind.TAG, FieldKind.NUMERIC])
    return Index(
        name=f"{name}:index",
        storage=storage,
        prefixes=(f"{name}:",),
        fields=tuple(IndexField(one, one, draw(kinds)) for one in identifiers),
    )


@st.composite
def models(draw: st.DrawFn, name: str = MODEL) -> ModelState:
    """Return a model with up to five fields."""
    storage = draw(st.sampled_from(STORAGES))
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    members = [draw(fields(storage, one)) for one in names]
    keys = ["pk", *(one.name for one in members if one.type == "str" and not one.is_optional)]
    return ModelState(
        name,
        key_prefix=draw(st.sampled_from([":order:", "shop:order:"])),
        key_suffix=draw(st.sampled_from(["", ":v"])),
        storage=storage,
        primary_key=draw(st.sampled_from(keys)),
        fields=members,
        index=draw(st.none() | indexes(name, storage)),
    )


PROJECTS = st.lists(
    st.sampled_from(["shop.Order", "shop.Item", "shop.Client"]), unique=True, max_size=2
).flatmap(lambda names: st.tuples(*(models(name) for name in names)).map(ProjectState.of))


def project(storage: Storage, *members: FieldState, primary_key: str = "pk") -> ProjectState:
    """Return a state with one model."""
    return ProjectState.of(
        [ModelState(MODEL, key_prefix=":order:", storage=storage, fields=members, primary_key=primary_key)]
    )


def document(storage: Storage, values: dict[str, Any]) -> Document:
    """Return a document as an application stores these values. None: as it stores None."""
    codec = ValueCodec(storage)
    root = {
        name: None if value is None else codec.write(value)
        for name, value in values.items()
        if value is not None or storage is Storage.JSON
    }
    return Document(storage, root)
