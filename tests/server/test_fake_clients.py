"""Clients without a server: fakeredis with and without its extras, of either kind, and mocks."""

import asyncio
import inspect
import sys
from typing import Any
from unittest import mock

import fakeredis
import pytest
import redis
import redis.asyncio

import redstart
import redstart.aio
from redstart import Field
from redstart.errors import ConfigurationError, UnsupportedServerError
from redstart.mapping.field_proxies import FieldProxy

PACKAGES = [redstart, redstart.aio]
FAKE = {redstart: fakeredis.FakeRedis, redstart.aio: fakeredis.FakeAsyncRedis}


def model_of(package: Any, base: str, client: Any) -> Any:
    class Note(getattr(package, base), index=True):
        text: str = Field(index=True)
        rank: int | None = None

        class Meta:
            model_key_prefix = "note"
            database = client

    return Note


async def awaited(result: Any) -> Any:
    """Return the result of a method of either package."""
    return await result if inspect.isawaitable(result) else result


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("base", ["HashModel", "JsonModel"])
@pytest.mark.parametrize("package", PACKAGES)
def test_documents_on_fakeredis(package: Any, base: str, decoded: bool) -> None:
    async def story() -> None:
        client = FAKE[package](decode_responses=decoded)
        model = model_of(package, base, client)
        first, second = model(pk="1", text="a", rank=1), model(pk="2", text="é", rank=2)
        assert await awaited(first.save()) is first
        assert await awaited(model.get("1")) == first
        assert await awaited(second.save(xx=True)) is None
        assert await awaited(first.save(nx=True)) is None
        await awaited(first.update(rank=None, text="b"))
        assert await awaited(model.get("1")) == model(pk="1", text="b")
        await awaited(model.add([first, second]))
        assert await awaited(model.get_many(["2", "3", "1"])) == [second, first]
        await awaited(second.expire(60))
        assert 0 < await awaited(client.ttl(second.key())) <= 60
        pipeline = client.pipeline()
        await awaited(model(pk="3", text="c").save(pipeline))
        assert len(await awaited(pipeline.execute())) == 1
        assert (await awaited(model.get("3"))).text == "c"
        assert await awaited(model.delete("3")) == 1
        assert await awaited(model.delete_many([first, second])) == 2
        assert await awaited(client.dbsize()) == 0

    asyncio.run(story())


@pytest.mark.parametrize("package", PACKAGES)
def test_fakeredis_cannot_search(package: Any) -> None:
    async def story() -> None:
        model = model_of(package, "HashModel", FAKE[package]())
        with pytest.raises(
            UnsupportedServerError, match=r"fakeredis does not support them.*Testing an application"
        ):
            await awaited(model.find().all())

    asyncio.run(story())


@pytest.mark.parametrize(
    ("module", "base", "extra"), [("lupa", "HashModel", "lua"), ("jsonpath_ng", "JsonModel", "json")]
)
def test_fakeredis_without_an_extra_names_it(
    monkeypatch: pytest.MonkeyPatch, module: str, base: str, extra: str
) -> None:
    """fakeredis looks for what an extra installs when it is imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("fakeredis", module)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    import fakeredis as without  # noqa: PLC0415 - the point of the test

    model = model_of(redstart, base, without.FakeRedis())
    with pytest.raises(UnsupportedServerError, match=rf"fakeredis\[{extra}\].*Testing an application"):
        model(text="a").save()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_fake_of_the_other_kind_is_refused(client: redis.Redis, package: Any) -> None:
    """A connection of this kind could only be one to a real server: that of localhost, or whatever the fake names."""
    kwargs = client.get_connection_kwargs()
    other = FAKE[redstart.aio if package is redstart else redstart](path=kwargs["path"])

    async def story() -> None:
        with pytest.raises(ConfigurationError, match="uses the custom connection class Fake"):
            await awaited(model_of(package, "HashModel", other)(text="a").save())

    asyncio.run(story())
    assert client.dbsize() == 0


@pytest.mark.sample(53)
@pytest.mark.parametrize(
    "client",
    [
        mock.Mock(),
        mock.MagicMock(),
        mock.AsyncMock(spec=redis.asyncio.Redis),
        mock.Mock(spec=redis.Redis),
        mock.MagicMock(spec=redis.Redis),
        mock.create_autospec(redis.Redis, instance=True),
    ],
    ids=lambda client: type(client).__name__,
)
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("method", ["save", "get", "find", "update", "delete", "all_pks", "Migrator"])
def test_a_mock_as_a_client_is_refused_with_what_to_do(client: Any, package: Any, method: str) -> None:
    model = model_of(package, "HashModel", client)
    document = model(pk="1", text="a")

    async def call() -> None:
        if method == "Migrator":
            await awaited(package.Migrator(conn=client).run())
        elif method == "find":
            await awaited(model.find().all())
        elif method == "all_pks":
            pks = await awaited(model.all_pks())
            _ = [pk async for pk in pks] if package is redstart.aio else list(pks)
        else:
            result = {
                "save": document.save,
                "update": lambda: document.update(text="b"),
                "get": lambda: model.get("1"),
                "delete": lambda: model.delete("1"),
            }[method]()
            await awaited(result)

    with pytest.raises(
        ConfigurationError, match=r"of the class \w*Mock, which has no connection(.|\n)*FakeAsyncRedis"
    ):
        asyncio.run(call())
    assert document.key() == ":note:1"


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("method", ["save", "get", "find", "update", "delete", "add", "get_many", "expire"])
def test_methods_can_be_replaced_and_come_back(package: Any, method: str) -> None:
    model = model_of(package, "JsonModel", None)
    before = inspect.getattr_static(package.JsonModel, method)
    with mock.patch.object(model, method, return_value="replaced") as replaced:
        result = getattr(model, method)("1")
        is_coroutine = package is redstart.aio and method != "find"
        assert isinstance(replaced, mock.AsyncMock) == is_coroutine
        assert asyncio.run(awaited(result)) == "replaced"
        replaced.assert_called_once_with("1")
    assert inspect.getattr_static(model, method) is before


@pytest.mark.parametrize("package", PACKAGES)
def test_a_model_is_a_spec(package: Any) -> None:
    model = model_of(package, "HashModel", None)
    assert isinstance(model.text, FieldProxy)
    for made in (mock.MagicMock(spec=model), mock.create_autospec(model, instance=True)):
        assert isinstance(made, model)
        for name in ("text", "rank", "pk", "save", "get"):
            assert getattr(made, name) is not None
        with pytest.raises(AttributeError):
            _ = made.txet


@pytest.mark.sample(1)
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("base", ["HashModel", "JsonModel"])
def test_all_primary_keys_of_a_fake_server_are_listed(package: Any, base: str) -> None:
    model = model_of(package, base, FAKE[package]())
    expected = {str(number) for number in range(1_500)}

    async def story() -> set[str]:
        await awaited(model.add([model(pk=pk, text="a") for pk in expected]))
        await awaited(model.db().set(model.make_primary_key("text"), "neither"))
        await awaited(model.db().lpush(model.make_primary_key("list"), "neither"))
        pks = await awaited(model.all_pks())
        return {pk async for pk in pks} if package is redstart.aio else set(pks)

    assert asyncio.run(story()) == expected
