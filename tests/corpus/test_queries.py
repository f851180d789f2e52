"""After the cutover, ranges and sorting by indexed dates are exact; after a rollback, 0.3.5 finds its documents."""

import json

import pytest
import redis

from tests.corpus.conftest import Om, answer_of_0_3_5
from tests.corpus.test_corpus import ID, REFUSED, expected_values

pytestmark = pytest.mark.corpus

DATES = [
    ("shop:shop_models.Customer:", ("created_at", "updated_at", "birth_date")),
    ("shop:order:", ("created_at", "paid_at", "due_date")),
    ("shop:session:", ("started_at", "expires_on")),
]
FIELDS = [(prefix, field) for prefix, fields in DATES for field in fields]


def search(client: redis.Redis, index: str, *words: object) -> list[str]:
    reply = client.execute_command("FT.SEARCH", index, *words, "NOCONTENT", "LIMIT", 0, 10_000)
    keys = [one[b"id"] for one in reply[b"results"]] if isinstance(reply, dict) else reply[1:]
    return [key.decode() for key in keys]


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", ["default", "quarantine"])
def test_ranges_and_sorting_give_exactly_the_expected_documents(
    corpus: redis.Redis, om: Om, mode: str
) -> None:
    om("run", "--failure-mode", mode)
    expected = expected_values()
    for prefix, field in FIELDS:
        index = f"{prefix}index"
        instants = {
            key: value
            for key, values in expected.items()
            if key.startswith(prefix) and isinstance(value := values.get(field), float | int)
        }
        if mode == "default":  # failed values are 1970-01-01 now
            bad = [key for key, values in expected.items() if values.get(field) == "unconvertible"]
            instants |= {key: 0.0 for key in bad if key.startswith(prefix)}
        assert len(instants) > 1_000
        ordered = sorted(instants.values())
        low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
        found = search(corpus, index, f"@{field}:[{low!r} {high!r}]")
        assert sorted(found) == sorted(key for key, at in instants.items() if low <= at <= high), (
            prefix,
            field,
        )
        for order, direction in ((ordered, "ASC"), (ordered[::-1], "DESC")):
            by_date = search(corpus, index, f"@{field}:[-inf +inf]", "SORTBY", field, direction)
            assert [instants[key] for key in by_date] == order, (prefix, field, direction)
        kind, path = field_of(corpus, index, field)
        assert (kind, path) == ("NUMERIC", field if "order" not in prefix else f"$.{field}")


def field_of(client: redis.Redis, index: str, name: str) -> tuple[str, str]:
    info = client.execute_command("FT.INFO", index)
    fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
    for attribute in fields[b"attributes"]:
        words = attribute if isinstance(attribute, list) else [x for pair in attribute.items() for x in pair]
        one = dict(zip(words[:6:2], words[1:6:2], strict=True))
        if one[b"attribute"] == name.encode():
            return one[b"type"].decode(), one[b"identifier"].decode()
    raise AssertionError(f"{index} has no field {name}")


ASK_WITH_0_3_5 = """
import json
from shop_models import Customer, LoginSession, Order
conditions = [
    (Customer, Customer.age >= 40),
    (Customer, (Customer.age < 30) & (Customer.name != "x")),
    (Customer, Customer.email == {email!r}),
    (Customer, Customer.created_at == {created!r}),
    (Order, Order.status == {status!r}),
    (Order, Order.total > 100),
    (Order, Order.shipment.carrier == {carrier!r}),
    (LoginSession, LoginSession.user_email == {user!r}),
]
answers = []
for model, condition in conditions:
    query = model.find(condition)
    reply = model.db().execute_command(
        "FT.SEARCH", model.Meta.index_name, query.query, "NOCONTENT", "LIMIT", 0, 10000
    )
    answers.append(sorted(reply[1:]))
for model in (Customer, Order, LoginSession):
    answers.append(model.db().execute_command("FT.SEARCH", model.Meta.index_name, "*", "LIMIT", 0, 0)[0])
print(json.dumps(answers))
"""


@pytest.mark.sample(0)
@pytest.mark.redis_om
def test_after_the_undo_0_3_5_finds_what_it_found(
    corpus: redis.Redis, url: str, om: Om, old_python: str
) -> None:
    order = json.loads(corpus.execute_command("JSON.GET", "shop:order:SO-00002"))
    customer = next(iter(corpus.scan_iter("shop:shop_models.Customer:*", 1_000, _type="hash")))
    email, created = corpus.hmget(customer, "email", "created_at")
    session = next(iter(corpus.scan_iter("shop:session:*", 1_000, _type="hash")))
    values = {
        "email": email.decode(),
        "created": created.decode(),
        "status": order["status"],
        "carrier": order["shipment"]["carrier"],
        "user": corpus.hget(session, "user_email").decode(),
    }
    code = ASK_WITH_0_3_5.format(**values)
    before = answer_of_0_3_5(old_python, url, code)
    assert all(before)
    om("run", exit_code=REFUSED)
    om("run", "--failure-mode", "quarantine")
    om("rollback", ID)
    assert answer_of_0_3_5(old_python, url, code) == before
