"""Results of queries in Jupyter."""

import json
import pickle
from html.parser import HTMLParser

import pytest
import redis

from redstart import Field, HashModel
from redstart.documents.document_list import MAX_CHARACTERS, DocumentList
from tests.support.models import create_indexes


class Bird(HashModel, index=True):
    name: str = Field(index=True, sortable=True)
    ring: int = 0


class Cells(HTMLParser):
    """The texts of cells, and the names of all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and not data.endswith(("document", "documents", "shown")):
            self.rows[-1][-1] += data


HOSTILE = "<script>alert('x')</script>&amp;\"\n\x1b[31m"


def test_results_are_tables(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bird.Meta, "database", client)
    create_indexes(client, Bird)
    Bird.add([Bird(pk="1", name="Ann", ring=1), Bird(pk="2", name="Bea")])
    query = Bird.find().sort_by("name")
    for found in (query.all(), query.page(0, 5), query.execute(exhaust_results=False)):
        assert (isinstance(found, list), found) == (True, [Bird.get("1"), Bird.get("2")])
        cells = Cells(found._repr_html_())
        assert sorted(zip(*cells.rows, strict=True)) == [
            ("name", "Ann", "Bea"), ("pk", "1", "2"), ("ring", "1", "0"),
        ]  # fmt: skip
    assert Cells(query.values("name").all()._repr_html_()).rows == [["name"], ["Ann"], ["Bea"]]
    assert Cells(query.only("ring").all()._repr_html_()).rows == [["ring"], ["1"], ["0"]]


def test_values_are_text_and_cut() -> None:
    cells = Cells(DocumentList([{HOSTILE: HOSTILE}, {"long": "x" * 1_000}, 7])._repr_html_())
    assert cells.tags == {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert cells.rows[1][0].startswith("<script>alert('x')</script>&amp;")
    assert "\x1b" not in cells.rows[1][0]
    assert len(cells.rows[2][1]) == MAX_CHARACTERS
    many = DocumentList([{"n": number} for number in range(1_234)])._repr_html_()
    assert (len(Cells(many).rows), "1,234 documents, 100 of them shown" in many) == (101, True)
    assert "<p>0 documents</p>" in DocumentList([])._repr_html_()


def test_a_result_is_a_list_for_everything_else() -> None:
    one = DocumentList([1, 2])
    assert (one, repr(one), json.dumps(one), one[:1], len(one)) == (
        [1, 2],
        "[1, 2]",
        "[1, 2]",
        [1],
        2,
    )
    assert pickle.loads(pickle.dumps(one)) == [1, 2]
