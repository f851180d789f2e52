"""Steps over the keyspace: every document is met, and never more of them at once than two batches."""

from collections import Counter

import redis

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.scanner import Page, Scanner
from redstart.server.clients import open_sync
from redstart.values.types import Storage, TemporalKind
from tests.support.replies import send

PLAN = Plan(
    (
        PlannedModel(
            "Scanned", "scan:", "", Storage.HASH, (ValuePath(("at",), TemporalKind.DATETIME, False),)
        ),
    ),
)


def all_pages(url: str, batch_documents: int) -> list[Page]:
    scanner = Scanner(PLAN, batch_documents)
    pages: list[Page] = []
    with open_sync(url) as driver:
        while not pages or not pages[-1].ends_pass:
            pages.append(driver.run(scanner.page(pages[-1].cursor if pages else 0)))
    return pages


def test_a_step_that_answers_with_more_than_it_was_asked_for(client: redis.Redis, url: str) -> None:
    """A server answers whole buckets, several keys each; while its table grows, many buckets at once."""
    send(client, [("HSET", f"scan:{number}", "at", "2020-01-01") for number in range(500)])
    send(client, [("SET", f"scan:text {number}", "x") for number in range(20)])

    pages = all_pages(url, batch_documents=1)

    assert any(page.rest for page in pages)
    assert max(len(page.documents) for page in pages) <= 2
    met = Counter(document.key for page in pages for document in page.documents)
    assert met.keys() == {b"scan:%d" % number for number in range(500)}
    assert sum(page.foreign for page in pages) >= 20


def test_a_page_with_a_rest_starts_where_it_started(client: redis.Redis, url: str) -> None:
    """A run that ends between two pages of one step has to take the step again."""
    send(client, [("HSET", f"scan:{number}", "at", "2020-01-01") for number in range(500)])

    pages = all_pages(url, batch_documents=1)

    starts = [0, *(page.cursor for page in pages[:-1])]
    assert all(page.cursor == start for page, start in zip(pages, starts, strict=True) if page.rest)
    assert pages[-1].cursor == 0


def test_steps_are_wider_where_few_keys_belong_to_the_plan(client: redis.Redis, url: str) -> None:
    send(client, [("SET", f"other:{number}", "x") for number in range(5_000)])
    send(client, [("HSET", f"scan:{number}", "at", "2020-01-01") for number in range(50)])

    pages = all_pages(url, batch_documents=100)

    assert {document.key for page in pages for document in page.documents} == {
        b"scan:%d" % number for number in range(50)
    }
    assert len(pages) < 20  # steps of 100 keys would be 50


def test_an_empty_database(client: redis.Redis, url: str) -> None:
    assert all_pages(url, batch_documents=10) == [Page(0, [], 0)]
