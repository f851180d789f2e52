"""An index that was created reads back as what it was created from, in both protocols."""

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart.search.index_info import IndexInfo, read_info
from redstart.search.schema import FieldKind, Index, IndexField, VectorSettings, create_arguments
from redstart.values.types import Storage

FIELD_NAMES = st.text("abcXYZ09_ .-é", min_size=1, max_size=8)


def vectors() -> st.SearchStrategy[VectorSettings]:
    def settings_of(algorithm: str, tuning: dict[str, int]) -> VectorSettings:
        attributes = {"TYPE": "FLOAT32", "DIM": "3", "DISTANCE_METRIC": "COSINE"}
        return VectorSettings(algorithm, tuple((attributes | {k: str(v) for k, v in tuning.items()}).items()))

    flat = st.fixed_dictionaries({}, optional={"INITIAL_CAP": st.just(10), "BLOCK_SIZE": st.just(20)})
    graph = st.fixed_dictionaries(
        {},
        optional={"M": st.integers(4, 40), "EF_CONSTRUCTION": st.integers(10, 90), "EF_RUNTIME": st.just(20)},
    )
    return st.one_of(
        st.builds(settings_of, st.just("FLAT"), flat), st.builds(settings_of, st.just("HNSW"), graph)
    )


@st.composite
def fields(draw: st.DrawFn, storage: Storage, attribute: str, position: int) -> IndexField:
    kind = draw(
        st.sampled_from([FieldKind.TAG, FieldKind.TEXT, FieldKind.NUMERIC, FieldKind.GEO, FieldKind.VECTOR])
    )
    name = draw(FIELD_NAMES)
    tag, vector = kind is FieldKind.TAG, kind is FieldKind.VECTOR
    sortable = not vector and draw(st.booleans())
    return IndexField(
        identifier=f"$.field{position}[*]" if storage is Storage.JSON else name,
        attribute=attribute,
        kind=kind,
        separator=draw(st.sampled_from([None, "|", ";", " "])) if tag else None,
        case_sensitive=tag and draw(st.booleans()),
        sortable=sortable,
        unnormalized=sortable and draw(st.booleans()),
        noindex=not vector and draw(st.booleans()),
        vector=draw(vectors()) if vector else None,
    )


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    storage = draw(st.sampled_from(Storage))
    names = draw(st.lists(FIELD_NAMES, min_size=1, max_size=4, unique_by=str.lower))
    prefixes = draw(st.lists(st.text("ab: é", max_size=5), min_size=1, max_size=2))
    return Index(
        draw(FIELD_NAMES),
        storage,
        tuple(prefixes),
        tuple(draw(fields(storage, name, position)) for position, name in enumerate(names)),
    )


def info_of(client: redis.Redis, name: str) -> IndexInfo:
    return read_info(client.execute_command("FT.INFO", name))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=indexes())
def test_what_was_created_reads_back(raw: redis.Redis, index: Index) -> None:
    raw.execute_command("FT.CREATE", *create_arguments(index))
    try:
        read = info_of(raw, index.name).index
        assert read == index.reported()
        raw.execute_command("FT.CREATE", *create_arguments(read, name="copy"))
        copy = info_of(raw, "copy").index
        assert (copy.fields, copy.prefixes) == (read.fields, read.prefixes)
        raw.execute_command("FT.DROPINDEX", "copy")
    finally:
        raw.execute_command("FT.DROPINDEX", index.name)


def test_definitions_of_others_are_kept_whole(raw: redis.Redis) -> None:
    words = (
        *("ON", "HASH", "PREFIX", "1", "p:", "FILTER", "@a>1", "LANGUAGE", "german", "SCORE", "0.5"),
        *("SCORE_FIELD", "s", "NOOFFSETS", "NOFREQS", "STOPWORDS", "2", "und", "oder", "SCHEMA"),
        *("a", "NUMERIC", "t", "TEXT", "WEIGHT", "2.5", "NOSTEM", "SORTABLE", "g", "TAG", "INDEXEMPTY"),
    )
    raw.execute_command("FT.CREATE", "theirs", *words)
    read = info_of(raw, "theirs").index
    raw.execute_command("FT.CREATE", "copy", *create_arguments(read)[1:])
    copy = info_of(raw, "copy").index
    assert (copy.options, copy.fields) == (read.options, read.fields)
    assert "@a>1" in read.options and "und" in read.options and "NOOFFSETS" in read.options
    text = read.field_named("t")
    assert text is not None and text.options == ("WEIGHT", "2.5", "NOSTEM")


def test_counts_failures_and_the_name_behind_an_alias(raw: redis.Redis) -> None:
    raw.execute_command("FT.CREATE", "real", *["ON", "HASH", "PREFIX", "1", "p:", "SCHEMA", "n", "NUMERIC"])
    raw.execute_command("FT.ALIASADD", "alias", "real")
    raw.hset("p:1", "n", "1")
    raw.hset("p:2", "n", "one")
    info = info_of(raw, "alias")
    assert (info.name, info.documents, info.failures) == ("real", 1, 1)
    assert (info.indexing, info.percent) == (False, 100.0)
    assert info.last_failure is not None and info.last_failure[1] == "p:2"
