"""The exact text of every kind of query, and what is refused."""

import datetime
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from redstart.errors import QueryError, QueryNotSupportedError, QuerySyntaxError
from redstart.search.expressions import Expression, KNNExpression, col
from redstart.search.geo import GeoFilter
from redstart.search.query_compiler import QueryText, query_text
from redstart.search.search_request import SearchQuery, SortBy
from redstart.values.timezones import NaiveTimezone
from tests.search.fields import b, b_hash, city, comma, document, geo, i, s, u, unindexed, vector, words

NAN, DECIMAL_NAN = float("nan"), Decimal("NaN")
UTC = NaiveTimezone.parse("UTC")
NOON = datetime.datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=datetime.UTC)
DAY = datetime.date(2023, 1, 1)
INDIA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


def written(*conditions: Expression) -> str:
    return query_text(conditions, UTC).text


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (s == "a", "@s:{a}"),
        (s != "a", "-(@s:{a})"),
        (s == "a b", r"@s:{a\ b}"),
        (s == "a b|c-d", r"@s:{a\ b}@s:{c\-d}"),
        (s != "a|b", "-(@s:{a}@s:{b})"),
        (s == "|a| |", "@s:{a}"),
        (s == " a ", "@s:{a}"),
        (s == "a|a", "@s:{a}"),
        (s == "_", r"@s:{\_}"),
        (s == "snake_case", "@s:{snake_case}"),
        (
            s == ",.<>{}[]\\\"':;!@#$%^&*()-+=~/",
            r"""@s:{\,\.\<\>\{\}\[\]\\\"\'\:\;\!\@\#\$\%\^\&\*\(\)\-\+\=\~\/}""",
        ),
        (s == "é中😀", "@s:{é中😀}"),
        (comma == "a|b,c", r"@c:{a\|b}@c:{c}"),
        (s << ["a", "b c"], r"(@s:{a|b\ c})"),
        (s >> ["a", "b"], "-(@s:{a|b})"),
        (s << "ab", "(@s:{ab})"),
        (s << ["a", "x|y"], "((@s:{a})|(@s:{x}@s:{y}))"),
        (s << [], r"(@s:{\|})"),
        (s >> [], r"-(@s:{\|})"),
        (s.startswith("ab c"), r"(@s:{ab\ c*})"),
        (s.endswith("ab"), "(@s:{*ab})"),
        (s.contains("ab"), "(@s:{*ab*})"),
        (words % "hello", "@t_fts:hello"),
        (words % "hel*", "@t_fts:hel*"),
        (words % "%helo%", "@t_fts:%helo%"),
        (words % "hello world", "@t_fts:(hello world)"),
        (words % 'x | "b c" -d', '@t_fts:(x | "b c" -d)'),
        (words % "well-known", "@t_fts:(well known)"),
        (words % "x -well-known", "@t_fts:(x -(well known))"),
        (words % "x|well-known", "@t_fts:(x|(well known))"),
        (words % "the (well)", "@t_fts:( (well))"),
        (words % "3.14 -3", "@t_fts:(3 14 -(3))"),
        (words % "12:30; 50% +a/b", "@t_fts:(12 30 50 b)"),
        (words % '"king of england"', '@t_fts:("king england")'),
        (words % '"well-known"', '@t_fts:("well known")'),
        (words % "don't", "@t_fts:(don t)"),
        (words % r"a\-b", r"@t_fts:(a\-b)"),
        (words == "a", "@t:{a}"),
        (i == 5, "@i:[5 5]"),
        (i != 5, "-(@i:[5 5])"),
        (i < 5, "@i:[-inf (5]"),
        (i <= 5.5, "@i:[-inf 5.5]"),
        (i > 5, "@i:[(5 +inf]"),
        (i >= -5, "@i:[-5 +inf]"),
        (i << [1, 2], "(@i:[1 1])|(@i:[2 2])"),
        (i >> [1, 2], "-((@i:[1 1]) | (@i:[2 2]))"),
        (i << [], "(@i:[1 0])"),
        (i >> [], "-((@i:[1 0]))"),
        (i == "5", "@i:[5 5]"),
        (i == True, "@i:[1 1]"),  # noqa: E712 - a condition
        (i == Level.LOW, "@i:[1 1]"),
        (i == Decimal("1.10"), "@i:[1.10 1.10]"),
        (i == Decimal("1E+3"), "@i:[1000 1000]"),
        (i == 1e300, "@i:[1e300 1e300]"),
        (i == float("-inf"), "@i:[-inf -inf]"),
        (i == None, "-(@i:[-inf +inf])"),  # noqa: E711 - a condition
        (i != None, "@i:[-inf +inf]"),  # noqa: E711 - a condition
        (i == NOON, "@i:[1672574400.123456 1672574400.123456]"),
        (NOON.replace(tzinfo=None) > i, "@i:[-inf (1672574400.123456]"),
        (i == NOON.astimezone(INDIA), "@i:[1672574400.123456 1672574400.123456]"),
        (i == DAY, "@i:[1672531200.0 1672531200.0]"),
        (b == True, "@b:{True}"),  # noqa: E712 - a condition
        (b != False, "-(@b:{False})"),  # noqa: E712 - a condition
        (b_hash == True, "@b:{1}"),  # noqa: E712 - a condition
        (b_hash << [True, False], "(@b:{1|0})"),
        (u == uuid.UUID(int=5), r"@u:{00000000\-0000\-0000\-0000\-000000000005}"),
        (u == Color.RED, "@u:{red}"),
        (s == Color.RED, "@s:{red}"),
        (u == Path("/a"), r"@u:{\/a}"),
        (u == b"ab", r"@u:{YWI\=}"),
        (u == datetime.time(9, 30), r"@u:{09\:30\:00}"),
        (geo == GeoFilter(1.5, 2.25, 10, "km"), "@g:[1.5 2.25 10 km]"),
        (geo != GeoFilter(1.5, 2.25, 10, "km"), "-(@g:[1.5 2.25 10 km])"),
        (city == "x", "@address_city:{x}"),
        ((s == "a") & (i == 1), "(@s:{a}) (@i:[1 1])"),
        ((s == "a") | (i == 1), "(@s:{a})| (@i:[1 1])"),
        ((s == "a") & ~(i == 1), "(@s:{a}) -(@i:[1 1])"),
        ((s == "a") | ~(i == 1), "(@s:{a})| -(@i:[1 1])"),
        (~(s == "a") & (i == 1), "(-(@s:{a})) (@i:[1 1])"),
        (~(s == "a"), "-(@s:{a})"),
        (~~(s == "a"), "@s:{a}"),
        (~(s != "a"), "-(-(@s:{a}))"),
        (~(s != "a") & ~(i != 1), "(@s:{a}) (@i:[1 1])"),
        (~(i >> [1]) | ~(s >> ["a"]), "((@i:[1 1]))| ((@s:{a}))"),
        (~((s == "a") | (i == 1)), "-((@s:{a})| (@i:[1 1]))"),
        (((s == "a") | (i == 1)) & (i == 2), "((@s:{a})| (@i:[1 1])) (@i:[2 2])"),
        ((i == 2) & (s != "a"), "(@i:[2 2]) (-(@s:{a}))"),
    ],
)
def test_text(condition: Expression, text: str) -> None:
    assert written(condition) == text


def test_no_condition_means_all_and_several_mean_all_of_them() -> None:
    assert written() == "*"
    assert written(s == "a", i == 2, b == True) == "((@s:{a}) (@i:[2 2])) (@b:{True})"  # noqa: E712 - a condition


def test_what_cannot_be_written_travels_as_a_parameter() -> None:
    query = query_text([(s == "\x01a") & (s << ["b", "\x7f"])], UTC)
    assert query.text == "(@s:{$tag0}) ((@s:{b|$tag1}))"
    assert query.parameters == (("tag0", "\x01a"), ("tag1", "\x7f"))


def test_nearest_neighbours() -> None:
    knn = KNNExpression(3, vector, unindexed, b"abc")
    query = query_text([], UTC, knn=knn)
    assert query.text == "*=>[KNN $K @v $knn_ref_vector AS n]"
    assert query.parameters == (("K", "3"), ("knn_ref_vector", b"abc"))
    assert query_text([s == "a"], UTC, knn=knn).text == "(@s:{a})=>[KNN $K @v $knn_ref_vector AS n]"
    with pytest.raises(QuerySyntaxError, match=r"Model\.s"):
        query_text([], UTC, knn=KNNExpression(3, s, unindexed, b"abc"))
    with pytest.raises(QueryNotSupportedError, match=r"Model\.i cannot receive the distances"):
        query_text([], UTC, knn=KNNExpression(3, vector, i, b"abc"))


@pytest.mark.parametrize(
    ("condition", "error", "code"),
    [
        (unindexed == "a", QueryNotSupportedError, "E6"),
        (document == "a", QuerySyntaxError, "E1"),
        (s % "a", QuerySyntaxError, "E3"),
        (i % "a", QuerySyntaxError, "E3"),
        (s < "a", QueryNotSupportedError, "E5"),
        (i.startswith("a"), QueryNotSupportedError, "E5"),
        (b < True, QueryNotSupportedError, "E5"),
        (geo << [], QueryNotSupportedError, "E5"),
        (vector == b"a", QueryNotSupportedError, "E5"),
        (s == "", QueryNotSupportedError, "E5"),
        (s != " ", QueryNotSupportedError, "E5"),
        (s == "|", QueryNotSupportedError, "E5"),
        (s == None, QueryNotSupportedError, "E5"),  # noqa: E711 - a condition
        (s << [None], QuerySyntaxError, None),
        (s == "a\0b", QueryNotSupportedError, "E5"),
        (s == "é" * 2049, QueryNotSupportedError, "E5"),
        (s == "\ud800", QuerySyntaxError, None),
        (s == 5, QuerySyntaxError, None),
        (s == ["a"], QuerySyntaxError, None),
        (s == NOON, QuerySyntaxError, None),
        (s << 5, QuerySyntaxError, None),
        (s.contains(""), QueryNotSupportedError, "E5"),
        (s.contains("a|b"), QueryNotSupportedError, "E5"),
        (s.startswith(" "), QueryNotSupportedError, "E5"),
        (s.contains("\ud800"), QuerySyntaxError, None),
        (s.startswith(5), QueryNotSupportedError, "E5"),
        (i == "abc", QuerySyntaxError, None),
        (i == "5] | @s:{x", QuerySyntaxError, None),
        (i == NAN, QuerySyntaxError, None),
        (i == DECIMAL_NAN, QuerySyntaxError, None),
        (i << [1, None], QuerySyntaxError, None),
        (i < None, QuerySyntaxError, None),
        (b == "True", QuerySyntaxError, None),
        (b == 2, QuerySyntaxError, None),
        (geo == (1, 2), QuerySyntaxError, None),
        (words % "", QuerySyntaxError, None),
        (words % "a @s:{b}", QuerySyntaxError, None),
        (words % "a) | (b", QuerySyntaxError, None),
        (words % "a=>b", QuerySyntaxError, None),
        (words % 'a "b', QuerySyntaxError, None),
        (words % "a \\", QuerySyntaxError, None),
        (words % 5, QuerySyntaxError, None),
        (words % "\ud800", QuerySyntaxError, None),
        (words % "x\\\0", QuerySyntaxError, None),
        (words % "x |", QuerySyntaxError, None),
        (words % "()", QuerySyntaxError, None),
        (words % "x -", QuerySyntaxError, None),
        (words % "...", QuerySyntaxError, None),
        (words % "the", QueryNotSupportedError, "E5"),
        (words % "not the", QueryNotSupportedError, "E5"),
        (words % '"to be"', QueryNotSupportedError, "E5"),
        (words % "x | the", QueryNotSupportedError, "E5"),
        (words % "x -the", QueryNotSupportedError, "E5"),
        (words % "x -(the | of)", QueryNotSupportedError, "E5"),
    ],
)
def test_refusals_name_the_field_and_the_value(
    condition: Expression, error: type[QueryError], code: str | None
) -> None:
    with pytest.raises(error) as refused:
        written(condition)
    assert refused.value.code == code
    assert refused.value.field is not None and refused.value.field in refused.value.message
    assert refused.value.hint is None or refused.value.hint.endswith((".", ")", "run", ">", ">>", ">=", "!="))


def test_a_local_time_that_does_not_exist_is_refused() -> None:
    skipped = datetime.datetime(2023, 3, 26, 2, 30)
    with pytest.raises(QuerySyntaxError, match=r"Model\.i"):
        query_text([i == skipped], NaiveTimezone.parse("Europe/Berlin"))


@pytest.mark.parametrize("value", [5, "x", s, None, True])
def test_only_conditions_are_conditions(value: object) -> None:
    with pytest.raises(QuerySyntaxError, match="not a condition"):
        written(value)
    with pytest.raises(QuerySyntaxError, match="not a condition"):
        (s == "a") & value


@pytest.mark.parametrize(
    "ask", [lambda: i > 1 & i, lambda: i & 1, lambda: s | (i == 1), lambda: 1 | i, lambda: ~s]
)
def test_a_field_alone_is_not_a_condition(ask: Callable[[], object]) -> None:
    """`i > 1 & i < 5` without parentheses is `i > (1 & i) < 5`."""
    with pytest.raises(QuerySyntaxError, match=r"is not a condition\.\nCompare a field.* in parentheses"):
        ask()


def test_python_words_between_conditions_are_refused() -> None:
    with pytest.raises(QuerySyntaxError, match="Use &"):
        (s == "a") and (i == 1)
    with pytest.raises(QuerySyntaxError, match="chained"):
        assert 1 < i < 5
    with pytest.raises(QuerySyntaxError, match="<< instead of in"):
        assert s in ["a", "b"]


def test_col_is_the_field() -> None:
    assert col(s) is s
    with pytest.raises(QuerySyntaxError, match="not a field"):
        col("s")


def test_circles_are_checked() -> None:
    for wrong in [
        (181, 0, 1, "km"),
        (0, 91, 1, "km"),
        (0, 0, -1, "km"),
        (0, 0, 0, "km"),  # the server refuses it
        (0, 0, 1, "au"),
        (0, 0, 1, ["m"]),
        (0, 0, float("nan"), "m"),
    ]:
        with pytest.raises(ValueError, match=r"180|90|(radius .* greater than 0|unit .* m, km, mi, ft), not"):
            GeoFilter(*wrong)


def test_the_words_of_a_search() -> None:
    plain = SearchQuery("idx", QueryText("*"))
    assert plain.arguments() == ["FT.SEARCH", "idx", "*", "LIMIT", 0, 1000]
    full = SearchQuery(
        "idx",
        QueryText("@s:{$p}", (("p", b"x"),)),
        offset=3,
        limit=5,
        sort=(SortBy("i", descending=True), SortBy("s")),
        nocontent=True,
        return_fields=("s", "i"),
    )
    assert full.arguments() == [
        *("FT.SEARCH", "idx", "@s:{$p}", "LIMIT", 3, 5),
        *("SORTBY", "i", "desc", "s", "asc", "PARAMS", "2", "p", b"x", "DIALECT", "2"),
        *("NOCONTENT", "RETURN", "2", "s", "i"),
    ]
