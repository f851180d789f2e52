"""A document that cannot be read is named, and keeps nobody from the others."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Self

import pytest
import redis
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)

import redstart.aio
from redstart import DocumentDecodeError, EmbeddedJsonModel, Field, HashModel, JsonModel, NotFoundError
from redstart.documents import find
from redstart.documents.errors import OnError
from tests.documents.flavours import (
    NOTES,
    AsyncHashNote,
    AsyncJsonNote,
    HashNote,
    JsonNote,
    break_size,
    done,
    iterated,
)
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

COUNT: Final = 7
BROKEN: Final = [[], [6], [0, 1, 4], list(range(7))]


@pytest.fixture(params=NOTES, ids=lambda model: model.__name__)
def model(request: pytest.FixtureRequest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model of each flavour and form, with its index; a few documents are many to queries."""
    create_indexes(client, request.param)
    monkeypatch.setattr(find, "PAGE_DOCUMENTS", 4)
    return request.param


def saved(client: redis.Redis, model: Any, broken: list[int]) -> tuple[list[Any], list[str]]:
    """The notes that can be read, by rank, and the keys of the others."""
    notes = done(model.add([model(number=rank, kind="ab"[rank % 2], rank=rank) for rank in range(COUNT)]))
    for rank in broken:
        break_size(client, notes[rank])
    return [note for note in notes if note.rank not in broken], [notes[rank].key() for rank in broken]


def ways(model: Any, on_error: OnError) -> dict[str, Callable[[], list[Any]]]:
    """How all documents can be asked for; those that they give are in the order of their ranks."""
    query = model.find().sort_by("rank")
    keeping = query.copy(on_error=on_error)

    def whole(found: list[dict[str, Any]]) -> list[Any]:
        return [model(**values) for values in found]

    return {
        "all": lambda: done(query.all(on_error=on_error)),
        "all in batches": lambda: done(query.all(2, on_error)),
        "all of a query": lambda: done(keeping.all()),
        "all unsorted": lambda: sorted(done(model.find().all(on_error=on_error)), key=lambda note: note.rank),
        "by two fields": lambda: sorted(
            done(keeping.sort_by("kind", "rank").all()), key=lambda note: note.rank
        ),
        "iteration": lambda: iterated(keeping),
        "iteration in pages": lambda: iterated(keeping.copy(page_size=2)),
        "page": lambda: done(query.page(0, COUNT, on_error=on_error)),
        "limit": lambda: done(keeping.copy(limit=COUNT).all()),
        "execute": lambda: done(keeping.execute()),
        "values": lambda: whole(done(keeping.values().all())),
        "some values": lambda: whole(done(keeping.values("number", "kind", "rank", "text", "size").all())),
        "some values of a page": lambda: whole(
            done(query.values("number", "kind", "rank", "text", "size").page(0, COUNT, on_error))
        ),
        "get_many": lambda: done(model.get_many(range(COUNT), on_error=on_error)),
        "get_many in batches": lambda: done(model.get_many(range(COUNT), 2, on_error)),
    }


@pytest.mark.sample(10)
@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_all_others_are_read(client: redis.Redis, model: Any, broken: list[int]) -> None:
    notes, keys = saved(client, model, broken)
    errors: list[DocumentDecodeError] = []
    for name, way in ways(model, errors.append).items():
        assert way() == notes, name
        assert sorted(error.key for error in errors) == keys, name
        assert {error.field for error in errors} <= {"size"}
        errors.clear()
    for name, way in ways(model, "skip").items():
        assert way() == notes, name
    for name, way in ways(model, "raise").items():
        if keys:
            with pytest.raises(DocumentDecodeError) as raised:
                way()
            assert raised.value.key in keys, name
        else:
            assert way() == notes, name


@pytest.mark.sample(27)
@pytest.mark.parametrize("broken", BROKEN, ids=str)
@pytest.mark.parametrize("order", [["rank"], ["kind", "rank"]], ids=str)
def test_the_first_that_can_be_read(
    client: redis.Redis, model: Any, broken: list[int], order: list[str]
) -> None:
    notes, keys = saved(client, model, broken)
    query = model.find().sort_by(*order)
    in_order = sorted(range(COUNT), key=lambda rank: (rank % 2, rank) if "kind" in order else rank)
    expected = next((rank for rank in in_order if rank not in broken), None)
    passed_over = in_order[: COUNT if expected is None else in_order.index(expected)]
    for first in (
        lambda on_error: query.first(on_error=on_error),
        lambda on_error: query.copy(on_error=on_error).get_item(0),
        lambda on_error: query.values("rank", "size").copy(on_error=on_error).first(),
    ):
        errors: list[DocumentDecodeError] = []
        for on_error in (errors.append, "skip"):
            if expected is None:
                with pytest.raises((NotFoundError, IndexError)):
                    done(first(on_error))
            else:
                found = done(first(on_error))
                assert (found["rank"] if isinstance(found, dict) else found.rank) == expected
        assert [error.key for error in errors] == [model.make_primary_key(rank) for rank in passed_over]
        if passed_over:
            with pytest.raises(DocumentDecodeError):
                done(first("raise"))
    assert len(notes) + len(keys) == COUNT


@pytest.mark.parametrize("broken", BROKEN[1:], ids=str)
@pytest.mark.parametrize("use_transaction", [True, False])
def test_an_update_reaches_them_where_no_other_field_matters(
    client: redis.Redis, model: Any, broken: list[int], use_transaction: bool
) -> None:
    notes, _ = saved(client, model, broken)
    query = model.find().copy(page_size=2)
    done(query.update(text="changed", rank=9, use_transaction=use_transaction))
    found = done(model.get_many(range(COUNT), on_error="skip"))
    assert [(note.number, note.text, note.rank) for note in found] == [
        (note.number, "changed", 9) for note in notes
    ]
    texts = done(model.find().values("number", "text").all())
    assert sorted((one["number"], one["text"]) for one in texts) == [(n, "changed") for n in range(COUNT)]
    with pytest.raises(ValidationError):
        done(query.update(size="none", use_transaction=use_transaction))
    done(query.update(size="3", use_transaction=use_transaction))  # now all can be read
    assert [note.size for note in done(model.get_many(range(COUNT)))] == [3] * COUNT
    assert [note.kind for note in done(model.get_many(range(COUNT)))] == ["ab"[n % 2] for n in range(COUNT)]
    assert done(model.find().delete()) == COUNT
    assert client.dbsize() == 0


class Checked:
    """What no field of a model is checked without."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        return self


class CheckedHash(Checked, HashNote, index=False):
    pass


class CheckedJson(Checked, JsonNote, index=False):
    pass


class AsyncCheckedHash(Checked, AsyncHashNote, index=False):
    pass


class ComputedJson(AsyncJsonNote, index=False):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return 2 * self.size


@pytest.mark.parametrize("model", [CheckedHash, CheckedJson, AsyncCheckedHash, ComputedJson])
@pytest.mark.parametrize("broken", BROKEN[1:], ids=str)
@pytest.mark.parametrize("use_transaction", [True, False])
def test_else_all_others_are_updated(
    client: redis.Redis, model: Any, broken: list[int], use_transaction: bool
) -> None:
    create_indexes(client, model)
    notes, keys = saved(client, model, broken)
    before = {key: client.dump(key) for key in client.scan_iter()}
    if use_transaction:
        with pytest.raises(DocumentDecodeError):
            done(model.find().copy(page_size=2).update(text="changed"))
        assert {key: client.dump(key) for key in client.scan_iter()} == before
    errors: list[DocumentDecodeError] = []
    query = model.find().copy(page_size=2, on_error=errors.append)
    done(query.update(text="changed", use_transaction=use_transaction))
    assert sorted(error.key for error in errors) == keys
    found = done(model.get_many(range(COUNT), on_error="skip"))
    assert [(note.number, note.text) for note in found] == [(note.number, "changed") for note in notes]
    assert [client.dump(key) for key in keys] == [before[key.encode()] for key in keys]
    assert sum(done(model.delete(error.primary_key)) for error in errors) == len(keys)
    assert done(model.find().delete()) == len(notes)
    assert client.dbsize() == 0


@pytest.mark.parametrize("use_transaction", [True, False])
def test_a_value_that_one_document_does_not_accept_names_it(
    client: redis.Redis, use_transaction: bool
) -> None:
    class Bounded(HashModel, index=True):
        least: int
        most: int

        @model_validator(mode="after")
        def _check(self) -> Self:
            if self.least > self.most:
                raise ValueError("least is more than most")
            return self

    create_indexes(client, Bounded)
    Bounded(pk="a", least=1, most=9).save()
    Bounded(pk="b", least=5, most=9).save()
    with pytest.raises(ValidationError) as raised:
        Bounded.find().update(most=3, use_transaction=use_transaction)
    assert raised.value.__notes__ == [f"Document: {Bounded.make_primary_key('b')}"]


def test_documents_of_a_reply(client: redis.Redis, model: Any) -> None:
    notes, keys = saved(client, model, [2, 3])
    reply = client.execute_command("FT.SEARCH", model._meta.index_name, "*", "SORTBY", "rank")
    errors: list[DocumentDecodeError] = []
    assert model.from_redis(reply, on_error=errors.append) == model.from_redis(reply, None, "skip") == notes
    assert [error.key for error in errors] == keys
    with pytest.raises(DocumentDecodeError):
        model.from_redis(reply)


@pytest.mark.parametrize("wrong", ["collect", "", None, [], 1, True])
def test_another_on_error_is_refused(model: Any, wrong: Any) -> None:
    async def function(_error: DocumentDecodeError) -> None:
        pass

    for one in (wrong, function):
        with pytest.raises(ValueError, match="on_error has to be 'raise', 'skip' or a function"):
            model.find().copy(on_error=one)
        with pytest.raises(ValueError, match="on_error has to be 'raise', 'skip' or a function"):
            done(model.get_many([], on_error=one))


def test_what_the_function_raises_ends_the_call(client: redis.Redis, model: Any) -> None:
    saved(client, model, [2])

    def stop(error: DocumentDecodeError) -> None:
        raise LookupError(error.key)

    with pytest.raises(LookupError, match=model.make_primary_key(2)):
        done(model.find().all(on_error=stop))


class Unexpected(Exception):
    """What a validator raises that nobody thought of."""


ERRORS: Final = [
    TypeError("naive"),
    AttributeError("no"),
    KeyError("k"),
    ZeroDivisionError(),
    Unexpected("x"),
]


def refused(value: Any) -> Any:
    """What all validators here do: raise the error that a test has chosen, for one value."""
    if value in {"bad", b"bad"}:
        raise CHOSEN["raised"]
    return value


CHOSEN: Final[dict[str, Exception]] = {"raised": TypeError()}
Before = Annotated[str, BeforeValidator(refused)]
After = Annotated[str, AfterValidator(refused)]


class HashBefore(HashModel, index=True):
    other: int = 0
    text: Before = ""


class JsonAfter(JsonModel, index=True):
    other: int = 0
    text: After = ""


class AsyncHashAfter(redstart.aio.HashModel, index=True):
    other: int = 0
    text: After = ""


class HashMethod(HashModel, index=True):
    other: int = 0
    text: str = ""

    @field_validator("other", "text", mode="after")
    @classmethod
    def _check(cls, value: Any) -> Any:
        return refused(value)


class JsonOptional(JsonModel, index=True):
    text: After | None = None
    texts: list[str] = Field(default=[])


class Part(EmbeddedJsonModel):
    text: After = ""


class JsonPart(JsonModel, index=True):
    text: str = ""
    part: Part = Field(default=Part())


class HashWhole(HashModel, index=True):
    other: int = 0
    text: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        refused(self.text)
        return self


class JsonWhole(JsonModel, index=True):
    other: int = 0
    text: str = ""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        refused(values.get("text"))
        return values


class AsyncJsonAfterwards(redstart.aio.JsonModel, index=True):
    text: str = ""

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        refused(self.text)


class HashOfTwo(HashModel, index=True):
    """The second field is compared with the first."""

    other: str = "x"
    text: str = ""

    @field_validator("text")
    @classmethod
    def _check(cls, value: str, info: Any) -> str:
        return refused(value if info.data["other"] == "x" else "")


VALIDATED: Final[dict[Any, str]] = {
    HashBefore: "text",
    JsonAfter: "text",
    AsyncHashAfter: "text",
    HashMethod: "text",
    JsonOptional: "text",
    JsonPart: "part",
    HashOfTwo: "text",
    HashWhole: "",
    JsonWhole: "",
    AsyncJsonAfterwards: "",
}
"""Models, and the field that is named if its validator fails."""


def save_bad(client: redis.Redis, model: Any) -> str:
    """Save a document and make it unreadable. Returns its primary key."""
    document = model(pk="b")
    done(document.save())
    if client.type(document.key()) == b"hash":
        client.hset(document.key(), "text", "bad")
    else:
        path = "$.part.text" if model is JsonPart else "$.text"
        client.execute_command("JSON.SET", document.key(), path, '"bad"')
    return document.pk


@pytest.mark.parametrize("model", VALIDATED, ids=lambda model: model.__name__)
def test_whatever_a_validator_raises_names_the_document(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch, model: Any
) -> None:
    create_indexes(client, model)
    primary_key = save_bad(client, model)
    good = model(pk="a")
    done(good.save())
    checked = "part" if model is JsonPart else "text"
    for raised in ERRORS:
        monkeypatch.setitem(CHOSEN, "raised", raised)
        for ask in (
            lambda: model.get(primary_key),
            lambda: model.get_many(["a", primary_key]),
            lambda: model.find().all(),
            lambda: iterated(model.find()),
            lambda: model.find().values("pk", checked).all(),
        ):
            with pytest.raises(DocumentDecodeError) as error:
                done(ask())
            assert error.value.key == model.make_primary_key(primary_key)
            assert error.value.field == VALIDATED[model]
            assert error.value.__cause__ is raised
            assert type(raised).__name__ in error.value.reason
            assert error.value.key in str(error.value)
        errors: list[DocumentDecodeError] = []
        assert done(model.find().all(on_error=errors.append)) == [good]
        assert done(model.get_many(["a", primary_key], on_error=errors.append)) == [good]
        assert [one.pk for one in done(model.find().only("pk", checked).all(on_error=errors.append))] == ["a"]
        assert [one.key for one in errors] == [model.make_primary_key(primary_key)] * 3
