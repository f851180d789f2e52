"""Parts of tags and words: what Python finds among the same documents, whatever limits the server has."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from redstart import Field, HashModel, JsonModel, QueryNotSupportedError, col
from redstart.search.expressions import Expression
from tests.documents.people import ON_SERVER
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

DEFAULTS = {"MINPREFIX": 2, "MAXPREFIXEXPANSIONS": 200, "DEFAULT_DIALECT": 1}


class Page(HashModel, index=True):
    name: str = Field(index=True, sortable=True, full_text_search=True)
    cased: str = Field(index=True, case_sensitive=True)
    number: int = Field(index=True, sortable=True)
    note: str = ""


class Sheet(JsonModel, index=True):
    name: str = Field(index=True, sortable=True, full_text_search=True)
    cased: str = Field(index=True, case_sensitive=True)
    number: int = Field(index=True, sortable=True)
    note: str = ""


@pytest.fixture(params=[Page, Sheet])
def model(request: pytest.FixtureRequest, client: redis.Redis) -> Any:
    create_indexes(client, request.param)
    return request.param


@pytest.fixture
def configure(client: redis.Redis) -> Iterator[Callable[..., None]]:
    """Changes settings of the server's search until the test ends."""

    def change(**settings: int) -> None:
        for name, value in settings.items():
            client.execute_command("FT.CONFIG", "SET", name, value)

    yield change
    change(**DEFAULTS)


def lowered(text: str) -> str:
    """As the server reads tags whose case does not count: of ASCII letters alone."""
    return text.encode().lower().decode()


def conditions(model: Any, part: str) -> list[tuple[Expression, Callable[[Any], bool]]]:
    """All ways to look for a part, each with what Python says to a document."""
    name, cased = col(model.name), col(model.cased)
    small = lowered(part)
    plain = [
        (name.startswith(part), lambda one: lowered(one.name).startswith(small)),
        (name.endswith(part), lambda one: lowered(one.name).endswith(small)),
        (name.contains(part), lambda one: small in lowered(one.name)),
        (cased.startswith(part), lambda one: one.cased.startswith(part)),
        (cased.endswith(part), lambda one: one.cased.endswith(part)),
        (cased.contains(part), lambda one: part in one.cased),
    ]
    negated = [(~found, lambda one, holds=holds: not holds(one)) for found, holds in plain]
    (starts, it_starts), (ends, it_ends) = plain[0], plain[4]
    return [
        *plain,
        *negated,
        (starts & ~ends, lambda one: it_starts(one) and not it_ends(one)),
        (~starts | ends, lambda one: not it_starts(one) or it_ends(one)),
        (starts & (col(model.number) < 150), lambda one: it_starts(one) and one.number < 150),
    ]


def documents(model: Any, count: int) -> list[Any]:
    names = [f"ab{number}z" for number in range(count)]
    odd = [
        "AB\x01z",
        "ab-z",
        "日本ab",
        "Éab",
        "éab",
        "ab_",
        "_",
        "a",
        "ab\\z",
        "z ab c",
        "x\"ab'z",
        "ab$z",
        "-z",
    ]
    return model.add([model(name=name, cased=name, number=n) for n, name in enumerate([*names, *odd])])


def check(model: Any, stored: list[Any], part: str) -> None:
    for condition, holds in conditions(model, part):
        expected = sorted(one.number for one in stored if holds(one))
        query = model.find(condition)
        assert sorted(one.number for one in query.all()) == expected, condition
        assert query.count() == len(expected), condition


@pytest.mark.sample(2)
@pytest.mark.parametrize("count", [0, 199, 200, 450])
def test_all_values_are_found_however_many(model: Any, count: int) -> None:
    stored = documents(model, count)
    for part in ("ab", "AB", "z", "b1", "nobody"):
        check(model, stored, part)


def test_odd_parts_are_found_as_they_are(model: Any) -> None:
    stored = documents(model, 201)
    for part in ("\x01", "-", "日", "日本", "É", "é", "\\", "_", "$", '"', "b\\z", " ", "b c", "'"):
        if part != " ":
            check(model, stored, part)
        found = model.find(col(model.name).contains(part)).all()
        assert {one.name for one in found} == {
            one.name for one in stored if lowered(part) in lowered(one.name)
        }


def test_values_without_documents_hide_no_others(model: Any) -> None:
    stored = documents(model, 300)
    model.delete_many(stored[:250])
    check(model, stored[250:], "ab")


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "settings",
    [
        {"MINPREFIX": 1},
        {"MINPREFIX": 4},
        {"MAXPREFIXEXPANSIONS": 1},
        {"MAXPREFIXEXPANSIONS": 2},
        {"MAXPREFIXEXPANSIONS": 100_000},
        {"DEFAULT_DIALECT": 3, "MINPREFIX": 2**40},
    ],
    ids=str,
)
def test_settings_of_the_server_change_no_answer(
    model: Any, configure: Callable[..., None], settings: dict[str, int]
) -> None:
    stored = documents(model, 250)
    configure(**settings)
    for part in ("ab", "a", "日", "b11"):
        check(model, stored, part)


@pytest.mark.sample(2)
@pytest.mark.parametrize("denied", ["-ft.config", "-ft.profile"])
def test_without_rights_to_look_at_limits_the_answer_is_whole(
    model: Any,
    client: redis.Redis,
    configure: Callable[..., None],
    denied: str,
    models_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = documents(model, 250)
    client.execute_command("ACL", "SETUSER", "limited", "on", "nopass", "~*", "&*", "+@all", denied)
    try:
        path = client.connection_pool.connection_kwargs["path"]
        monkeypatch.setenv("REDIS_OM_URL", f"unix://limited:x@{path}")
        for settings in ({}, {"MINPREFIX": 4, "MAXPREFIXEXPANSIONS": 1}):
            configure(**settings)
            for part in ("ab", "a", "nobody"):
                check(model, stored, part)
    finally:
        client.execute_command("ACL", "DELUSER", "limited")


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_way_to_ask_gives_the_whole_answer(
    model: Any, models_url: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", f"{models_url}?protocol={protocol}")
    stored = documents(model, 450)
    query = model.find(col(model.name).startswith("ab"))
    expected = sorted(one.number for one in stored if lowered(one.name).startswith("ab"))
    assert [one.number for one in query.sort_by("number").all()] == expected
    assert [one.number for one in query.sort_by("name", "number").sort_by("number", "name").all()] == expected
    assert sorted(one.number for one in query) == expected
    assert sorted(one["number"] for one in query.values("number").all()) == expected
    assert query.sort_by("-number").first().number == expected[-1]
    assert len(query.page(100, 500)) == len(expected) - 100
    with pytest.raises(QueryNotSupportedError, match="MAXPREFIXEXPANSIONS"):
        query.execute(return_raw_result=True)
    query.update(note="x")
    assert sum(one.note == "x" for one in model.find().all()) == len(expected)
    assert model.find(~col(model.name).startswith("ab")).delete() == len(stored) - len(expected)
    assert query.delete() == len(expected)
    assert model.find().count() == 0


def test_parts_of_words_are_whole_or_refused(model: Any, configure: Callable[..., None]) -> None:
    model.add([model(name=f"word{number:03} wide", cased="x", number=number) for number in range(250)])
    words = col(model.name) % "word*"
    for condition in (words, ~words, words & (col(model.number) < 5), col(model.name) % "wide -word*"):
        for ask in (lambda query: query.all(), lambda query: query.count(), lambda query: query.delete()):
            with pytest.raises(
                QueryNotSupportedError, match=r"Cannot search .*name for .*MAXPREFIXEXPANSIONS"
            ):
                ask(model.find(condition))
    assert model.find(col(model.name) % "word00*").count() == 10
    assert model.find(col(model.name) % "%word0001%").count() > 0
    assert model.find(col(model.name) % "wide").count() == 250
    for short in ("w*", "wide w*", "wide | *d"):
        with pytest.raises(QueryNotSupportedError, match="MINPREFIX"):
            model.find(col(model.name) % short).count()
    configure(MAXPREFIXEXPANSIONS=1_000, MINPREFIX=1)
    assert model.find(words).count() == model.find(col(model.name) % "w*").count() == 250
    assert model.find(words).execute(return_raw_result=True)


PUNCTUATION = " \t,.<>\"':;!?#^&*()-+=~/`%"
WORDS = ["alpha", "beta", "3", "14", "snake_case", "the", "to"]
STOP = {"the", "to"}


@ON_SERVER
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), min_size=1, max_size=4),
    separator=st.sampled_from([mark for mark in PUNCTUATION if mark not in '"%()*`']),
    asked=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    joint=st.sampled_from([mark for mark in PUNCTUATION if mark not in '"%()*']),
    negated=st.booleans(),
)
@example(
    texts=[["alpha"], ["alpha", "beta"]], separator="-", asked=["alpha", "beta"], joint="-", negated=False
)
@example(texts=[["alpha"], ["3", "14"]], separator=".", asked=["3", "14"], joint=".", negated=True)
def test_words_are_split_as_those_of_documents(
    client: redis.Redis, texts: list[list[str]], separator: str, asked: list[str], joint: str, negated: bool
) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    create_indexes(client, Page)
    for number, words in enumerate(texts):
        Page(name=separator.join([*words, "last"]), cased="x", number=number).save()
    wanted = set(asked) - STOP
    together = f"last -({joint.join(asked)})" if negated else joint.join(asked)
    if not wanted:
        with pytest.raises(QueryNotSupportedError, match="stop words"):
            Page.find(col(Page.name) % together).all()
        return
    found = {page.number for page in Page.find(col(Page.name) % together)}
    assert found == {number for number, words in enumerate(texts) if (wanted <= set(words)) is not negated}
