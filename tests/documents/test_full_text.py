"""Words to search for: whatever is typed is answered right or refused, whatever stop words the index has."""

from collections.abc import Sequence
from typing import Any

import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redstart import Field, HashModel, JsonModel, QueryNotSupportedError, col
from redstart.commands.search import ft_create
from redstart.documents import index_fields
from redstart.errors import QueryError
from redstart.mapping.index_schema import index_of
from redstart.search.schema import create_arguments
from tests.documents.people import ON_SERVER
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("models_url")

FEW = settings(ON_SERVER, max_examples=400 if SOAK else 30)
WORDS = ("the", "wine", "red", "was", "The", "3")
TEXTS = (
    "the red wine",
    "red wine",
    "wine the red",
    "was red",
    "the",
    "3 wine",
    "w red",
    "it's the wine's 'red'",
    "w'r*d'",
    "x",
)
STOP_WORDS: tuple[Sequence[str] | None, ...] = (None, (), ("The", "wine"), ("red-wine", "3"), ("x", "w", "s"))
DEFAULT = frozenset({"the", "was", "it"})


class Note(HashModel, index=True):
    text: str = Field(index=True, full_text_search=True)


class Letter(JsonModel, index=True):
    text: str = Field(index=True, full_text_search=True)


@pytest.fixture(params=[Note, Letter])
def model(request: pytest.FixtureRequest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(index_fields, "VALID_SECONDS", -1)
    return request.param


def create(client: redis.Redis, model: Any, stop_words: Sequence[str] | None) -> None:
    """An index with stop words of its own, over the texts."""
    client.execute_command("FLUSHALL", "SYNC")
    words = create_arguments(index_of(model))
    at = words.index("SCHEMA")
    own = () if stop_words is None else ("STOPWORDS", str(len(stop_words)), *stop_words)
    client.execute_command(*ft_create((*words[:at], *own, *words[at:])).args)
    model.add([model(pk=text, text=text) for text in TEXTS])


@pytest.mark.sample(13)
@pytest.mark.parametrize("stop_words", STOP_WORDS, ids=str)
@pytest.mark.parametrize(
    "form", ["{0} {1}", "{0}-{1}", '"{0} {1}"', "{0} -{1}", "{0}|{1}", "'{0}' {1}", "({0}) {1}", "{0}"]
)
def test_stop_words_are_those_of_the_index(
    client: redis.Redis, model: Any, stop_words: Sequence[str] | None, form: str
) -> None:
    create(client, model, stop_words)
    missing = DEFAULT if stop_words is None else {word.lower() for word in stop_words}
    for first in WORDS:
        for second in WORDS:
            if '"' in form and first.lower() == second.lower():
                continue  # the server does not count words
            asked = [word.lower() for word in (first, second)][: form.count("{")]
            query = model.find(col(model.text) % form.format(first, second))
            indexed = [word for word in asked if word not in missing]
            refused = {"{0} -{1}": asked[-1] in missing, "{0}|{1}": len(indexed) < len(asked)}
            if not indexed or refused.get(form):
                with pytest.raises(QueryNotSupportedError, match="STOPWORDS"):
                    query.all()
                continue
            found = {one.text for one in query.all()}
            assert found == {text for text in TEXTS if holds(form, indexed, words_of(text, missing))}, query


def words_of(text: str, missing: Any) -> list[str]:
    words = text.replace("'", " ").replace("*", " ").lower().split()
    return [word for word in words if word not in missing]


def holds(form: str, asked: list[str], words: list[str]) -> bool:
    if form == "{0} -{1}":
        return set(asked[:-1]) <= set(words) and asked[-1] not in words
    if form == "{0}|{1}":
        return bool(set(asked) & set(words))
    if '"' in form:
        return any(words[at : at + len(asked)] == asked for at in range(len(words)))
    return set(asked) <= set(words)


MARKS = st.sampled_from([*" \t-~|()\"'*%@{}[]$:;=>!?&/.,_`^+#\\\n", "=>", "w'", "\x01", "é", "日"])
TYPED = st.lists(st.one_of(MARKS, st.sampled_from(WORDS)), min_size=1, max_size=8).map("".join)


@FEW
@given(typed=TYPED)
@example(typed="'")
@example(typed="'wine'")
@example(typed="w'*'")
@example(typed="w'?ed'")
@example(typed="w'r*d'|x")
@example(typed="-w'r'")
@example(typed="%'wine'%")
@example(typed="*'")
@example(typed='("the") red')
@example(typed="((the) (the)) red")
@example(typed="\\ ")
@example(typed="\\\n")
@example(typed="wine\\ red")
@example(typed="\\%")
@example(typed="%wine\\%")
@example(typed="\\*")
def test_what_is_typed_is_answered_or_refused(client: redis.Redis, model: Any, typed: str) -> None:
    if not client.execute_command("FT._LIST"):
        create(client, model, None)
    condition = col(model.text) % typed
    try:
        found = {one.text for one in model.find(condition).all()}
        others = {one.text for one in model.find(~condition).all()}
    except QueryError:
        return
    assert found | others == set(TEXTS)
    assert not found & others
    assert model.find(condition).count() == len(found)


TAG_TEXTS = st.one_of(TYPED, st.text(max_size=6))


@FEW
@given(typed=TAG_TEXTS)
@example(typed="w'*'")
@example(typed="*")
def test_other_operators_take_it_as_it_is(client: redis.Redis, model: Any, typed: str) -> None:
    if not client.execute_command("FT._LIST"):
        create(client, model, None)
    tag = col(model.text)
    for condition in (
        tag == typed,
        tag << [typed, "x"],
        tag.startswith(typed),
        tag.endswith(typed),
        tag.contains(typed),
    ):
        try:
            found = {one.text for one in model.find(condition).all()}
            others = {one.text for one in model.find(~condition).all()}
        except QueryError:
            continue
        assert found | others == set(TEXTS)
        assert not found & others
