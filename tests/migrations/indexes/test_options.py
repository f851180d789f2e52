"""Options of FT.CREATE, synonyms and aliases: kept at the cutover, and restored by the rollback."""

import datetime
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.devserver.process import EmbeddedServer
from redstart.errors import MigrationError
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.coverage import verify_indexes
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import none_converted
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.preflight import require_aliases
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.startup import bring_up_to_date
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import (
    before_1_0,
    migration,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.migrations.indexes.there_and_back import back, forward
from tests.support.migration import UTC_DATES
from tests.support.snapshot import difference, snapshot

DOCUMENTS = 12


class Letter(HashModel, index=True):
    place: str = Field(index=True)
    note: str = Field(full_text_search=True)
    at: datetime.datetime = Field(index=True)

    class Meta:
        global_key_prefix = "options"
        model_key_prefix = "letter"
        index_name = "options:letter:index"


class Card(JsonModel, index=True):
    place: str = Field(index=True)
    note: str = Field(full_text_search=True)
    at: datetime.datetime = Field(index=True)

    class Meta:
        global_key_prefix = "options"
        model_key_prefix = "card"
        index_name = "options:card:index"


MODELS = (Letter, Card)
"""One of hashes, one of JSON."""

OF_INDEX = [
    ("NOOFFSETS", "NOHL"),
    ("NOHL",),
    ("NOFIELDS",),
    ("NOFREQS",),
    ("MAXTEXTFIELDS",),
    ("STOPWORDS", "0"),
    ("STOPWORDS", "2", "und", "oder aber"),
    ("LANGUAGE", "german"),
    ("LANGUAGE_FIELD", "place"),
    ("SCORE", "0.5"),
    ("SCORE_FIELD", "weight"),
    ("PAYLOAD_FIELD", "place"),
    ("FILTER", "@place=='Pier 1' || @place=='Pier 2'"),
]
OF_TEXT = [
    ("NOSTEM",),
    ("WEIGHT", "2.5"),
    ("PHONETIC", "dm:en"),
    ("NOSTEM", "PHONETIC", "dm:fr", "WITHSUFFIXTRIE"),
    ("WITHSUFFIXTRIE",),
    ("INDEXEMPTY",),
    ("INDEXMISSING",),
]
OF_GRAPH = "TYPE FLOAT32 DIM 2 DISTANCE_METRIC IP"
ATTRIBUTES = [
    ("area", "GEOSHAPE", "FLAT"),
    ("area", "GEOSHAPE", "SPHERICAL"),
    ("area", "GEOSHAPE", "FLAT", "INDEXMISSING"),
    ("spot", "GEO"),
    ("v", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "L2"),
    (
        "v",
        "VECTOR",
        *["FLAT", "8", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "L2", "BLOCK_SIZE", "10"],
    ),
    ("v", "VECTOR", *f"HNSW 14 {OF_GRAPH} M 8 EF_CONSTRUCTION 50 EF_RUNTIME 20 EPSILON 0.8".split()),
    ("size", "NUMERIC", "INDEXMISSING", "SORTABLE"),
    ("kind", "TAG", "SEPARATOR", ";", "CASESENSITIVE", "INDEXEMPTY"),
]


def cases() -> Iterator[Any]:
    for words in OF_INDEX:
        yield pytest.param(words, (), (), id=" ".join(words))
    for words in OF_TEXT:
        yield pytest.param((), words, (), id=f"TEXT {' '.join(words)}")
    for words in ATTRIBUTES:
        yield pytest.param((), (), words, id=" ".join(words))


@pytest.fixture
def documents(without_indexes: redis.Redis) -> redis.Redis:
    for number in range(DOCUMENTS):
        values = {
            "place": f"Pier {number % 4}",
            "note": f"the reading of gulls, number {number}",
            "at": f"2021-05-04T03:02:{number:02}",
        }
        without_indexes.hset(f"options:letter:{number}", mapping={"pk": str(number), **values})
        without_indexes.json().set(f"options:card:{number}", "$", {"pk": str(number), **values})
    return without_indexes


def make_index(
    client: redis.Redis,
    model: Any,
    of_index: Sequence[str] = (),
    of_text: Sequence[str] = (),
    attribute: Sequence[str] = (),
) -> str:
    """Create the index of a model before 1.0, with additional words."""
    words = list(create_arguments(before_1_0(model)))
    if model is Card:  # options name paths
        of_index = [
            f"$.{word}" if of_index[at - 1].endswith("_FIELD") else word for at, word in enumerate(of_index)
        ]
        attribute = (f"$.{attribute[0]}", "AS", *attribute) if attribute else ()
    at = words.index("SCHEMA")
    words[at:at] = of_index
    at = words.index("TEXT") + 1
    words[at:at] = of_text
    client.execute_command("FT.CREATE", *words, *attribute)
    wait_until_built(client, [words[0]])
    return words[0]


def reported(client: redis.Redis, name: str) -> dict[str, Any]:
    """Return what the server reports of an index: the constant parts of FT.INFO, and the hidden options."""
    info = client.execute_command("FT.INFO", name)
    fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
    shown = {
        word: fields.get(word.encode())
        for word in ("index_options", "index_definition", "attributes", "stopwords_list")
    }
    shown["vector"] = tuning(client, name) if "VECTOR" in str(info) else []
    shown["sound"] = b"<" in client.execute_command("FT.EXPLAIN", name, "@note_fts:phonetics")
    return shown


def tuning(client: redis.Redis, name: str) -> list[tuple[str, str]]:
    """Return the tuning of the vector of an index."""
    found = str(client.execute_command("FT.DEBUG", "VECSIM_INFO", name, "v"))
    return re.findall(r"b'(EF_RUNTIME|EPSILON|BLOCK_SIZE)', b?'?([\d.]+)", found)


def synonyms(client: redis.Redis, name: str) -> dict[bytes, list[bytes]]:
    found = client.execute_command("FT.SYNDUMP", name)
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def options(client: redis.Redis, name: str) -> dict[str, Any]:
    """Return the same without the attributes, except those of the text."""
    shown = reported(client, name)
    attributes = [
        one for one in shown["attributes"] if b"note_fts" in (one.values() if isinstance(one, dict) else one)
    ]
    return shown | {"attributes": attributes, "vector": []}  # the model has no vector


@pytest.mark.sample(2)
@pytest.mark.parametrize(("of_index", "of_text", "attribute"), [*cases()])
def test_an_option_is_kept_and_restored(
    documents: redis.Redis,
    url: str,
    of_index: tuple[str, ...],
    of_text: tuple[str, ...],
    attribute: tuple[str, ...],
) -> None:
    names = [make_index(documents, model, of_index, of_text, attribute) for model in MODELS]

    def each(look: Callable[[redis.Redis, str], object]) -> list[object]:
        return [look(documents, name) for name in names]

    before, kept, held, start = each(reported), each(options), each(total), snapshot(documents)
    for _ in range(2):  # the second changes nothing
        assert not forward(url, *MODELS).refused
        assert all(serving(documents, name) != name for name in names)
        assert each(options) == kept
        assert each(total) == held
    for check in perform(url, verify_indexes(planned_indexes(map(declare, MODELS)), ())):
        assert (check.problems, check.has_filter) == (0, "FILTER" in of_index)
    done = back(url)
    assert done.refused == []
    assert done.data is not None
    assert done.data.stopped is None
    assert all(serving(documents, name) != name for name in names)
    assert each(reported) == before
    assert each(total) == held
    assert difference(start, snapshot(documents)) == []


@pytest.mark.parametrize("model", MODELS)
def test_synonyms_are_carried_over_and_back(documents: redis.Redis, url: str, model: Any) -> None:
    name = make_index(documents, model)
    for group, terms in (("birds", ("gulls", "mews")), ("counts", ("number", "no"))):
        documents.execute_command("FT.SYNUPDATE", name, group, *terms)
    wait_until_built(documents, [name])
    before = synonyms(documents, name)
    assert total(documents, name, "mews") == DOCUMENTS
    forward(url, model)
    assert synonyms(documents, name) == before
    assert total(documents, name, "mews") == DOCUMENTS
    documents.execute_command("FT.SYNUPDATE", name, "birds", "larus")
    back(url)
    assert synonyms(documents, name) == before | {b"larus": [b"birds"]}
    assert total(documents, name, "larus") == DOCUMENTS


def runs(url: str, model: Any) -> dict[str, Callable[[], Any]]:
    """The operations that replace an index."""
    declarations = [declare(model)]
    planned = planned_indexes(declarations)
    return {
        "om migrate run": lambda: perform(url, migration().run(planned, none_converted, ExpansionOptions())),
        "om migrate-data run": lambda: forward(url, model),
        "Migrator().run()": lambda: perform(url, bring_up_to_date(declarations, UTC_DATES, migration)),
    }


@pytest.mark.parametrize("how", ["om migrate run", "om migrate-data run", "Migrator().run()"])
@pytest.mark.parametrize("model", MODELS)
def test_a_temporary_index_is_refused_before_anything_is_written(
    documents: redis.Redis, url: str, model: Any, how: str
) -> None:
    name = make_index(documents, model, ("TEMPORARY", "1000"))
    start = snapshot(documents)
    with pytest.raises(MigrationError, match="was created with TEMPORARY") as refused:
        runs(url, model)[how]()
    assert name in refused.value.message
    assert difference(start, snapshot(documents)) == []
    assert documents.execute_command("FT._LIST") == [name.encode()]
    # As the hint recommends.
    assert "_FORCEKEEPDOCS" in str(refused.value.hint)
    documents.execute_command("FT.DROPINDEX", name, "_FORCEKEEPDOCS")
    assert difference(start, snapshot(documents)) == []
    runs(url, model)[how]()
    assert documents.dbsize() >= 2 * DOCUMENTS


@pytest.mark.parametrize("model", MODELS)
def test_where_it_cannot_be_found_out_the_documents_are_kept(
    own_server: Callable[..., EmbeddedServer], model: Any
) -> None:
    url = own_server().url
    with redis.Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-ft.debug")
        for number in range(DOCUMENTS):
            text = {"pk": str(number), "place": "Pier", "note": "n", "at": "2021-05-04T03:02:01"}
            client.hset(f"options:letter:{number}", mapping=text)
            client.json().set(f"options:card:{number}", "$", text)
        name = make_index(client, model, ("TEMPORARY", "1000"))
        keys = set(client.scan_iter("options:*"))
        assert not forward(url, model).refused
        assert serving(client, name) != name
        assert back(url).refused == []
        assert set(client.scan_iter("options:*")) - {hash_key(name).encode()} >= keys


@pytest.mark.parametrize("model", MODELS)
def test_an_index_that_was_created_without_a_scan(documents: redis.Redis, url: str, model: Any) -> None:
    """Its documents are found afterwards, and no rollback is refused because of them."""
    name = make_index(documents, model, ("SKIPINITIALSCAN",))
    start = snapshot(documents)
    assert total(documents, name) == 0
    assert not forward(url, model).refused
    assert total(documents, name) == DOCUMENTS
    assert back(url).refused == []
    assert difference(start, snapshot(documents)) == []


@pytest.mark.parametrize("model", MODELS)
def test_an_alias_that_is_named_follows_there_and_back(documents: redis.Redis, url: str, model: Any) -> None:
    name = make_index(documents, model)
    for alias in ("letters-of-ours", "moved-elsewhere"):
        documents.execute_command("FT.ALIASADD", alias, name)
    named = ExpansionOptions(aliases=("letters-of-ours", "moved-elsewhere"))
    for options in (named, ExpansionOptions()):
        forward(url, model, options=options)
        assert serving(documents, "letters-of-ours") == serving(documents, name) != name
        assert total(documents, "letters-of-ours", "gulls") == DOCUMENTS
        documents.execute_command("FT.ALIASUPDATE", "moved-elsewhere", other_index(documents))
    back(url)
    assert serving(documents, "letters-of-ours") == serving(documents, name)
    assert total(documents, "letters-of-ours", "gulls") == DOCUMENTS
    assert serving(documents, "moved-elsewhere") == "options:other"


def other_index(client: redis.Redis) -> str:
    if b"options:other" not in client.execute_command("FT._LIST"):
        client.execute_command("FT.CREATE", "options:other", "PREFIX", 1, "other:", "SCHEMA", "a", "TAG")
    return "options:other"


@pytest.mark.parametrize("target", ["nothing", "another index"])
def test_an_alias_that_points_elsewhere_is_refused(documents: redis.Redis, url: str, target: str) -> None:
    _ = make_index(documents, Letter)
    if target == "another index":
        documents.execute_command("FT.ALIASADD", "theirs", other_index(documents))
    with pytest.raises(MigrationError, match=r"The alias theirs (points to|does not exist)"):
        perform(url, require_aliases(("theirs",), planned_indexes([declare(Letter)])))


FILTERS = ["startswith(@at, '2021')", "@at>'2020'", "exists(@at)", "@at!='' && @place=='Pier 1'"]


@pytest.mark.parametrize("owner", ["the model", "no model", "no model, without the date"])
@pytest.mark.parametrize("expression", FILTERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_filter_on_a_date_is_refused_before_anything_is_written(
    documents: redis.Redis, url: str, model: Any, expression: str, owner: str
) -> None:
    """It is written for text: the active index would lose documents, too, and no coverage check would find them."""
    if owner == "the model":
        name = make_index(documents, model, ("FILTER", expression))
    else:
        _ = make_index(documents, model)
        name = "options:unmanaged"
        fields = ("place", "at") if owner == "no model" else ("place",)
        is_json = model is Card
        schema = [
            word
            for field in fields
            for word in ((f"$.{field}", "AS", field, "TAG") if is_json else (field, "TAG"))
        ]
        try:
            documents.execute_command(
                *("FT.CREATE", name, "ON", "JSON" if is_json else "HASH", "PREFIX", 1, "options:"),
                *("FILTER", expression, "SCHEMA", *schema),
            )
        except redis.ResponseError as exc:
            pytest.skip(f"the server rejects the filter: {exc}")
        wait_until_built(documents, [name])
    start = snapshot(documents)
    with pytest.raises(MigrationError, match=r"FILTER|as text") as refused:
        forward(url, model)
    assert name in refused.value.message
    assert "--accept-unindexed" in str(refused.value.hint)
    assert difference(start, snapshot(documents)) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_filter_on_a_date_as_a_number_is_no_reason(documents: redis.Redis, url: str, model: Any) -> None:
    _ = make_index(documents, model)
    forward(url, model)
    on, place = ("JSON", ("$.at", "AS", "at")) if model is Card else ("HASH", ("at",))
    documents.execute_command(
        *("FT.CREATE", "options:unmanaged", "ON", on, "PREFIX", 1, "options:", "FILTER", "@at>1000"),
        *("SCHEMA", *place, "NUMERIC"),
    )
    wait_until_built(documents, ["options:unmanaged"])
    assert not forward(url, model).refused
    assert total(documents, "options:unmanaged") == DOCUMENTS
