"""Methods that an application overrides: each operation calls them, or the class is refused."""

import abc
import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar
from unittest import mock

import pytest
import redis
import redis.asyncio

import redstart.aio
from redstart import Field, HashModel, JsonModel
from redstart.devserver.process import EmbeddedServer
from redstart.errors import RedisModelError
from tests.support.models import registry_of_its_own
from tests.support.operations import Operations, ask_and_wait

FLAVOURS = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]
NOWHERE = "redis://127.0.0.1:1"
"""No server is there: whoever asks it fails."""

_tenant: ContextVar[str] = ContextVar("_tenant", default="nobody")


@pytest.fixture(autouse=True)
def no_other_models() -> Iterator[None]:
    """Migrator meets only the models that a test declares."""
    with registry_of_its_own():
        yield


def declared(*bases: Any, **methods: Any) -> Any:
    class Person(*bases, index=True):
        name: str = ""
        age: int = Field(default=0, index=True, sortable=True)

        locals().update(methods)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "person"

    return Person


def own_prefix(cls: Any, part: str) -> str:
    return f"{cls._meta.model_key_prefix}/{part}"


def with_suffix(cls: Any, pk: Any) -> str:
    return f"{cls.make_key(pk)}:end"


def of_tenant(_cls: Any, part: str) -> str:
    return f"{_tenant.get()}:person:{part}"


MADE_KEYS: dict[str, tuple[dict[str, Any], Callable[[str], str]]] = {
    "make_key": ({"make_key": classmethod(own_prefix)}, lambda pk: f"person/{pk}"),
    "make_primary_key": ({"make_primary_key": classmethod(with_suffix)}, lambda pk: f"app:person:{pk}:end"),
    "both": (
        {"make_key": classmethod(own_prefix), "make_primary_key": classmethod(with_suffix)},
        lambda pk: f"person/{pk}:end",
    ),
    "tenants": ({"make_key": classmethod(of_tenant)}, lambda pk: f"nobody:person:{pk}"),
    "static": ({"make_key": staticmethod(lambda part: f"s:{part}")}, lambda pk: f"s:{pk}"),
    "key": ({"key": lambda self: self.make_primary_key(self.pk)}, lambda pk: f"app:person:{pk}"),
}


@pytest.mark.sample(14)
@pytest.mark.parametrize("base", FLAVOURS)
@pytest.mark.parametrize("kind", MADE_KEYS)
def test_all_operations_make_keys_as_the_class_does(
    base: Any, kind: str, models_url: str, client: redis.Redis
) -> None:
    methods, keys_of = MADE_KEYS[kind]
    asyncio.run(Operations(declared(base, **methods), client).run(keys_of))


@pytest.mark.parametrize("base", FLAVOURS)
def test_so_do_those_of_a_mixin_and_of_an_abstract_base(
    base: Any, models_url: str, client: redis.Redis
) -> None:
    class Keys:
        make_key = classmethod(own_prefix)

    class Abstract(base, abc.ABC):
        make_key = classmethod(own_prefix)

    for model in (declared(Keys, base), declared(Abstract)):
        asyncio.run(Operations(model, client).run(lambda pk: f"person/{pk}"))
        client.flushall()


def test_keys_follow_what_the_method_answers_now(models_url: str) -> None:
    person = declared(HashModel, make_key=classmethod(of_tenant))
    for tenant in ("t1", "t2"):
        set_before = _tenant.set(tenant)
        person(pk="A", name=tenant).save()
        assert (person.get("A").name, list(person.all_pks())) == (tenant, ["A"])
        _tenant.reset(set_before)
    assert list(person.all_pks()) == []


@pytest.mark.parametrize("base", FLAVOURS)
@pytest.mark.parametrize(
    "make_key",
    [
        lambda _cls, part: f"p:{hash(part)}",
        lambda _cls, part: f"p:{part}:{part}",
        lambda _cls, part: f"{part}:p",
        lambda _cls, _part: "p",
        lambda _cls, part: f"{part[:3]}:{part}",
        lambda _cls, part: f"p:{part}".encode(),
        lambda _cls, part: f"p:{int(part)}",
    ],
)
def test_keys_that_hide_their_primary_key_are_refused_with_the_class(base: Any, make_key: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Person: make_key\(\) (returned the key|raised ValueError)"):
        declared(base, make_key=classmethod(make_key))


@pytest.mark.parametrize("base", FLAVOURS)
def test_keys_elsewhere_are_refused_with_the_class(base: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Person: key\(\) returned 'other:.*begin with 'app:person:'"):
        declared(base, key=lambda self: f"other:{self.pk}")


@pytest.fixture
def other(own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that no setting names."""
    monkeypatch.setenv("REDIS_OM_URL", NOWHERE)
    return own_server().url


@pytest.mark.parametrize("base", FLAVOURS)
def test_all_operations_use_the_client_of_db(base: Any, other: str) -> None:
    """Of the class, and in place of it for a while, as tests do."""
    kind = redis if issubclass(base, HashModel | JsonModel) else redis.asyncio
    with redis.Redis.from_url(other) as client:
        theirs: Any = kind.Redis.from_url(other, decode_responses=True)

        def keys_of(pk: str) -> str:
            return f"app:person:{pk}"

        overriding = declared(base, db=classmethod(lambda _cls: theirs))
        asyncio.run(Operations(overriding, client).run(keys_of))
        model = declared(base)
        for options in ({"return_value": theirs}, {"autospec": True, "return_value": theirs}):
            client.flushall()
            with mock.patch.object(model, "db", **options):
                asyncio.run(Operations(model, client).run(keys_of))
        client.flushall()
        with mock.patch.object(base, "db", return_value=theirs):
            asyncio.run(Operations(model, client).run(keys_of))
    with pytest.raises(redstart.errors.ServerConnectionError):
        asyncio.run(ask_and_wait(model(pk="A").save))


@pytest.mark.parametrize("base", FLAVOURS)
@pytest.mark.parametrize(
    "name",
    [
        "redisearch_schema",
        "schema_for_fields",
        "schema_for_type",
        "get_annotations",
        "from_redis",
        "_get_db",
        "_delete",
    ],
)
def test_what_would_never_be_called_is_refused_with_the_class(base: Any, name: str) -> None:
    with pytest.raises(RedisModelError, match=rf"Person overrides {name}\(\), which Redstart never calls"):
        declared(base, **{name: classmethod(lambda _cls: None)})


class Log:
    """Notes the methods that are called, and calls those of the model."""

    called: ClassVar[list[str]]

    def check(self) -> None:
        self.called.append("check")
        super().check()  # type: ignore[misc]

    def save(self, pipeline: Any = None) -> Any:  # as redis-om calls it
        self.called.append("save")
        self.name += "!"
        return super().save(pipeline=pipeline)  # type: ignore[misc]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Any:
        cls.called.append("validate")
        return super().model_validate(obj | {"age": int(obj.get("age", 0)) + 100}, **options)  # type: ignore[misc]


@pytest.mark.parametrize("base", FLAVOURS)
def test_save_and_check_and_model_validate_of_the_class_are_called(
    base: Any, models_url: str, client: redis.Redis
) -> None:
    """As redis-om does: `save` for each document of `add`, of `update` and of a query's `update`."""

    class Person(Log, base, index=True):
        name: str = ""
        age: int = Field(default=0, index=True)

        called: ClassVar[list[str]] = []

    called = Person.called

    def calls(ask: Callable[[], Any]) -> Any:
        called.clear()
        return asyncio.run(ask_and_wait(ask))

    migrator: Any = Operations(Person, client).migrator
    calls(lambda: migrator().run())
    first, second = Person(pk="A"), Person(pk="B")
    calls(first.save)
    assert (called, first.name) == (["save", "check"], "!")
    verified: list[Any] = []
    calls(
        lambda: Person.add([first, second], pipeline_verifier=lambda replies, **_: verified.extend(replies))
    )
    assert (called, first.name, verified) == (["save", "check"] * 2, "!!", [first, second])
    read = calls(lambda: Person.get("A"))
    assert (called, read.age, read.name) == (["validate"], 100, "!!")
    calls(lambda: first.update(age=5))
    assert (called[-2:], first.name, first.age) == (["save", "check"], "!!!", 105)
    assert [one.age for one in calls(lambda: Person.find(Person.age == 105).all())] == [205]
    assert calls(lambda: Person.find(Person.age == 105).values("age").all()) == [{"age": 205}]
    calls(lambda: Person.find(Person.age == 105).update(name="x"))
    assert called.count("save") == 1
    assert calls(lambda: Person.get("A")).name == "x!"


@pytest.mark.parametrize("base", FLAVOURS)
def test_an_update_whose_save_fails_changes_nothing(base: Any, models_url: str) -> None:
    class Person(base):
        name: str = ""

        def save(self, **_options: Any) -> Any:
            self.name += "!"
            raise RuntimeError("no")

    person = Person(pk="A")
    before = dict(person), set(person.model_fields_set)
    with pytest.raises(RuntimeError, match="no"):
        asyncio.run(ask_and_wait(lambda: person.update(name="x")))
    assert (dict(person), person.model_fields_set) == before
