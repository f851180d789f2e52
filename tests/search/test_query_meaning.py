"""Queries on a real server find what Python's own comparison finds, whatever the value."""

import json
import string
from collections.abc import Callable, Iterator

import pytest
import redis
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from redstart.commands.search import ft_search
from redstart.errors import QueryError
from redstart.search.escaping import WHITE_SPACE
from redstart.search.expressions import Expression
from redstart.search.query_compiler import query_text
from redstart.search.query_field import Operand
from redstart.search.search_request import SearchQuery
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage
from tests.search.fields import Named, field

UTC = NaiveTimezone.parse("UTC")
ON_SERVER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

HOSTILE = st.sampled_from(
    [
        *(
            "|",
            ",",
            "a|b",
            "{",
            "}",
            "a}|@n:[0 9]|@s:{b",
            "*",
            "a*",
            "%a%",
            "-a",
            "(",
            '"',
            "'",
            "\\",
            "\\}",
            "$p",
        ),
        *(
            "a b",
            " a",
            "a ",
            "\t",
            "\n",
            "A",
            "a",
            "É",
            "é",
            "ß",
            "İ",
            "ı",
            "ſ",
            "Σ",
            "ς",
            "\u00a0",
            "\u2028",
        ),
        *(
            "\x01",
            "\x7f",
            "\x80",
            "\ufeff",
            "\u0301",
            "😀",
            "~",
            "`",
            "?",
            "what?",
            "w'*'",
            "[",
            "]",
            "@",
            ":",
        ),
        *("/", "_", "a_b", "0", "-1", "=>"),
    ]
)
TEXTS = st.one_of(
    HOSTILE,
    st.text(st.sampled_from(string.punctuation + string.whitespace + "aAbé\x01\x1f"), max_size=6),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.lists(HOSTILE, min_size=2, max_size=4).map("".join),
)
NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_subnormal=False),
    st.integers(-3, 3),
    st.decimals(-1000, 1000, places=3),
)

Find = Callable[..., set[str]]


@pytest.fixture(params=[Storage.HASH, Storage.JSON], ids=["hash", "json"])
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


@pytest.fixture
def find(client: redis.Redis, storage: Storage) -> Iterator[Find]:
    """`find(condition, stored, stored, ...)`: the positions of the documents that are found, as text."""
    paths = ("$.s AS s", "$.s AS cased", "$.n AS n") if storage is Storage.JSON else ("s", "s AS cased", "n")
    tag, cased, number = (path.split() for path in paths)
    client.execute_command(
        *("FT.CREATE", "idx", "ON", storage.name, "PREFIX", "1", "d:", "SCHEMA"),
        *(
            *tag,
            "TAG",
            "SEPARATOR",
            "|",
            *cased,
            "TAG",
            "SEPARATOR",
            "|",
            "CASESENSITIVE",
            *number,
            "NUMERIC",
        ),
    )

    def search(condition: Expression, dialect: int | None = None) -> set[str]:
        arguments = SearchQuery("idx", query_text([condition], UTC), nocontent=True).arguments()
        if dialect is not None and "DIALECT" not in arguments:
            arguments += ["DIALECT", dialect]
        reply = ft_search(arguments, content=False).parse(client.execute_command(*arguments))
        return {key.decode().removeprefix("d:") for key in reply.keys}

    def find_among(condition: Expression, *stored: object) -> set[str]:
        client.delete(*[f"d:{position}" for position in range(8)])
        for position, value in enumerate(stored):
            name = "s" if isinstance(value, str) else "n"
            if storage is Storage.JSON:
                # JSON has no Decimal, and no infinity.
                number = value if isinstance(value, str | int) else float(str(value))
                client.execute_command("JSON.SET", f"d:{position}", "$", json.dumps({name: number}))
            else:
                client.hset(f"d:{position}", name, value if isinstance(value, str | int) else str(value))
        first, second = search(condition, 1), search(condition, 2)
        assert first == second
        return first

    yield find_among


def tags(text: str) -> set[str]:
    return {tag.strip(WHITE_SPACE) for tag in text.split("|")} - {""}


def text_field(name: str) -> Named:
    return field(name, Operand.TEXT)


@ON_SERVER
@given(value=TEXTS, others=st.lists(TEXTS, max_size=4))
@example(value="a}|@n:[0 9]|@s:{b", others=["a", "b", "a}"])
@example(value="a|b", others=["b|a", "a", "b"])
def test_equal_means_has_these_tags(find: Find, value: str, others: list[str]) -> None:
    assume(tags(value))
    stored = [value, *others]
    expected = {str(position) for position, text in enumerate(stored) if tags(value) <= tags(text)}
    assert find(text_field("cased") == value, *stored) == expected
    without = {str(position) for position in range(len(stored))} - expected
    assert find(text_field("cased") != value, *stored) == without


@ON_SERVER
@given(value=TEXTS, others=st.lists(TEXTS, max_size=4))
def test_case_is_ignored_unless_case_sensitive(find: Find, value: str, others: list[str]) -> None:
    assume(tags(value))
    stored = [value, *others]
    found = find(text_field("s") == value, *stored)
    exact = {str(position) for position, text in enumerate(stored) if tags(value) <= tags(text)}
    folded = {tag.casefold() for tag in tags(value)}
    at_most = {
        str(position)
        for position, text in enumerate(stored)
        if {tag.upper().casefold() for tag in folded}
        <= {tag.casefold().upper().casefold() for tag in tags(text)}
    }
    assert exact <= found <= at_most


@ON_SERVER
@given(values=st.lists(TEXTS, max_size=3), others=st.lists(TEXTS, max_size=3))
def test_one_of_several(find: Find, values: list[str], others: list[str]) -> None:
    assume(all(map(tags, values)))
    stored = [*values, *others]
    expected = {
        str(position)
        for position, text in enumerate(stored)
        if any(tags(value) <= tags(text) for value in values)
    }
    assert find(text_field("cased") << values, *stored) == expected
    without = {str(position) for position in range(len(stored))} - expected
    assert find(text_field("cased") >> values, *stored) == without


@ON_SERVER
@given(part=TEXTS, others=st.lists(TEXTS, max_size=3))
def test_parts_of_tags(find: Find, part: str, others: list[str]) -> None:
    assume("|" not in part and part.strip(WHITE_SPACE) == part and len(part) > 1)
    cased = text_field("cased")
    stored = [part, f"{part}x", f"x{part}", f"x{part}x", *others]
    for condition, holds in (
        (cased.startswith(part), str.startswith),
        (cased.endswith(part), str.endswith),
        (cased.contains(part), str.__contains__),
    ):
        expected = {
            str(position)
            for position, text in enumerate(stored)
            if any(holds(tag, part) for tag in tags(text))
        }
        assert find(condition, *stored) == expected


@ON_SERVER
@given(left=TEXTS, right=TEXTS, number=st.integers(0, 3))
def test_conditions_stay_apart(find: Find, left: str, right: str, number: int) -> None:
    assume(tags(left) and tags(right))
    cased, n = text_field("cased"), field("n", Operand.NUMBER)
    stored = [left, right, f"{left}|{right}", "other"]
    has_left, has_right = (
        {str(position) for position, text in enumerate(stored) if tags(value) <= tags(text)}
        for value in (left, right)
    )
    everything = {"0", "1", "2", "3"}
    assert find((cased == left) & (cased == right), *stored) == has_left & has_right
    assert find((cased == left) | (cased == right), *stored) == has_left | has_right
    assert find((cased == left) & ~(cased == right), *stored) == has_left - has_right
    assert find((cased == left) | ~(cased == right), *stored) == has_left | (everything - has_right)
    assert find(~((cased == left) | (cased == right)), *stored) == everything - has_left - has_right
    assert find((cased == left) & (n == number), *stored) == set()
    assert find((cased == left) | (n == number), *stored) == has_left


def survives_json(number: float) -> bool:
    """RedisJSON reads numbers of more than 15 digits, and very large or small ones, as their neighbours."""
    return float(f"{number:.15g}") == number and (number == 0 or 1e-5 < abs(number) < 1e15)


@ON_SERVER
@given(value=NUMBERS, others=st.lists(NUMBERS, max_size=4))
def test_numbers(find: Find, storage: Storage, value: float, others: list[float]) -> None:
    stored = [float(number) for number in (value, *others)]
    assume(storage is Storage.HASH or all(map(survives_json, stored)))
    n = field("n", Operand.NUMBER)
    wanted = float(value)
    for condition, holds in (
        (n == value, wanted.__eq__),
        (n != value, wanted.__ne__),
        (n < value, wanted.__gt__),
        (n <= value, wanted.__ge__),
        (n > value, wanted.__lt__),
        (n >= value, wanted.__le__),
        (n << [value], wanted.__eq__),
        (n >> [value], wanted.__ne__),
    ):
        assert find(condition, *stored) == {str(at) for at, number in enumerate(stored) if holds(number)}


def test_missing_numbers_and_empty_lists(find: Find) -> None:
    n, cased = field("n", Operand.NUMBER), text_field("cased")
    assert find(n == None, "text", 1) == {"0"}  # noqa: E711 - a condition
    assert find(n != None, "text", 1) == {"1"}  # noqa: E711 - a condition
    assert find(n << [], "text", 1) == find(cased << [], "text", 1) == set()
    assert find(n >> [], "text", 1) == find(cased >> [], "text", 1) == {"0", "1"}


@ON_SERVER
@given(words=st.text(st.sampled_from(string.printable), min_size=1, max_size=10))
def test_words_never_leave_their_field(client: redis.Redis, words: str) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    client.execute_command("FT.CREATE", "idx", "ON", "HASH", "SCHEMA", "t", "TEXT", "secret", "TAG")
    client.hset("d:1", mapping={"t": "unlike", "secret": words})
    t = field("t", Operand.TEXT, full_text="t")
    try:
        query = query_text([(t % words) & (field("secret", Operand.TEXT) == "nobody")], UTC)
    except QueryError:
        return
    try:
        reply = client.execute_command("FT.SEARCH", "idx", query.text, "NOCONTENT", "DIALECT", 2)
    except redis.ResponseError as refused:
        assert any(words in str(refused) for words in ("yntax error", "INDEXEMPTY"))
        return
    assert ft_search((), content=False).parse(reply).keys == []
