# pyright: standard
"""Each name of the package as users use it, with its type; what talks to a server also without waiting. Never run.

A test sees to it that no public name is left out.
"""

import abc
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Any, Optional, assert_type

import redis as plain_redis
import redis.asyncio as asyncio_redis

import redstart
from redstart import (
    Coordinates,
    DateMigration,
    DocumentEncodeError,
    EmbeddedJsonModel,
    Field,
    FileMigrations,
    FindQuery,
    GeoFilter,
    HashModel,
    IndexNotFoundError,
    JsonModel,
    KNNExpression,
    LeaseHeldError,
    MigrationError,
    Migrator,
    NotFoundError,
    Outcome,
    QueryError,
    QueryNotSupportedError,
    QuerySyntaxError,
    RedisModel,
    RedisModelError,
    RedstartError,
    SchemaDetector,
    ServerConnectionError,
    VectorFieldOptions,
    aio,
    col,
    get_redis_connection,
    has_redis_json,
    has_redisearch,
)
from redstart.migrations.outcomes import (
    RecordedFailures,
    StatisticsResult,
    StatusResult,
    VerificationResult,
)
from redstart.migrations.run_progress import RunProgress
from redstart.migrations.run_results import DryRun, MigrationResult, RollbackResult
from redstart.model.model import ExpressionProxy, PartialModel
from redstart.search.expressions import Comparison, FieldExpression

Options = VectorFieldOptions
FLAT = Options.flat(Options.TYPE.FLOAT32, 2, Options.DISTANCE_METRIC.L2, initial_cap=10)
GRAPH = Options.hnsw(Options.TYPE.FLOAT64, 2, Options.DISTANCE_METRIC.COSINE, m=8)


class Base(JsonModel, abc.ABC):
    made_at: datetime | None = Field(default=None, index=True)

    class Meta:
        global_key_prefix = "typed"


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)
    floor: Annotated[int, Field(index=True)] = 0


class Corner(aio.EmbeddedJsonModel):
    city: str = Field(index=True)


class Shop(Base, index=True):
    number: int = Field(primary_key=True)
    name: str = Field(index=True, sortable=True, full_text_search=True)
    address: Address
    branches: list[Address] = []  # noqa: RUF012 - a pydantic field
    nick: Optional[str] = None  # noqa: UP045 - as users write it
    place: Coordinates | None = Field(default=None, index=True)
    taste: list[float] = Field(default=[0, 0], vector_options=FLAT)
    distance: float | None = None

    class Meta(Base.Meta):
        model_key_prefix = "shop"


class Visit(aio.HashModel, index=True):
    page: str = Field(index=True, separator=",")
    seconds: float = Field(default=0, index=True, sortable=True)
    code: str | None = Field(default=None, expire=60)


class Note(aio.JsonModel, index=True):
    text: str = Field(index=True)


class Fill(redstart.BaseMigration):
    migration_id = "fill"

    def up(self) -> None:
        assert_type(self.redis, plain_redis.Redis)


class FillLater(aio.BaseMigration):
    migration_id = "fill-later"

    async def up(self) -> None:
        assert_type(self.redis, asyncio_redis.Redis)


def settings(client: plain_redis.Redis) -> None:
    Shop.Meta.model_key_prefix = "other"
    HashModel.Meta.database = client
    Visit._meta.database = asyncio_redis.Redis()
    assert_type(Shop._meta.index_name, str)
    assert_type(Shop.make_key("x"), str)
    assert_type(Shop.make_primary_key(5), str)
    assert_type(Shop.redisearch_schema(), str)
    assert_type(Shop.schema_for_fields(), list[str])
    assert_type(Shop.get_annotations(), dict[str, Any])
    assert_type(FLAT.schema, str)
    assert_type(GRAPH.algorithm, VectorFieldOptions.ALGORITHM)


def conditions() -> None:
    assert_type(Shop.number > 3, bool)  # as Python has it; find() takes it for what it is
    assert_type(col(Shop.number), FieldExpression)
    assert_type(col(Shop.number) > 3, Comparison)
    assert_type(col(Shop.name) % "words", Comparison)
    assert_type(col(Shop.address.city) << ["a"], Comparison)
    assert_type(col(Shop.name).startswith("a"), Comparison)
    within = GeoFilter(longitude=13.4, latitude=52.5, radius=10, unit="km")
    around = GeoFilter.from_coordinates(Coordinates(latitude=52.5, longitude=13.4), 10, "km")
    query = Shop.find(
        Shop.place == within, (Shop.number > 3) & ~(Shop.name == "x"), col(Shop.place) == around
    )
    assert_type(query, FindQuery[Shop])
    knn = KNNExpression(
        k=3, vector_field=col(Shop.taste), score_field=col(Shop.distance), reference_vector=b""
    )
    assert_type(Shop.find(knn=knn).sort_by("-number").all(), list[Shop])
    _: type[FieldExpression] = ExpressionProxy


def synchronous(shop: Shop, error: Exception) -> None:
    Migrator().run()
    SchemaDetector().run()
    assert_type(has_redis_json(), bool)
    assert_type(has_redisearch(), bool)
    assert_type(get_redis_connection(), plain_redis.Redis)
    assert_type(redstart.redis.Redis(), plain_redis.Redis)
    assert_type(shop.key(), str)
    assert_type(sorted([shop]), list[Shop])
    assert_type(shop.update(name="x"), None)
    assert_type(shop.expire(5), None)
    assert_type(Shop.from_redis([]), list[Shop])
    assert_type(Shop.find().execute(), Any)
    assert_type(Shop.find().dict(), dict[str, Any])
    assert_type(Shop.find().query, str)
    assert_type(Shop.find().pagination, list[str | int])
    assert_type(iter(Shop.find().only("name")), Iterator[PartialModel])
    models: list[type[RedisModel]] = [Shop]
    del models
    if isinstance(error, NotFoundError | RedisModelError | MigrationError | IndexNotFoundError):
        assert_type(error.hint, str | None)
    if isinstance(error, QuerySyntaxError | QueryNotSupportedError):
        assert_type(error.code, str | None)
        refused: QueryError = error
        del refused
    if isinstance(error, RedstartError):
        assert_type(error.message, str)


def migrations() -> None:
    dates = DateMigration([Shop], url="redis://localhost", on_progress=lambda progress: print(progress.done))
    assert_type(dates.stats(exact=True), StatisticsResult)
    assert_type(dates.dry_run(failure_mode="quarantine"), DryRun)
    found = dates.run(failure_mode="quarantine", max_errors=5, aliases=["a"])
    assert_type(found, MigrationResult)
    if found.outcome is Outcome.CUTOVER_REFUSED:
        found.raise_for_outcome()
    assert_type(dates.verify(check_data=True), VerificationResult)
    assert_type(dates.status(), StatusResult)
    assert_type(dates.progress(), RunProgress)
    assert_type(dates.failures(), RecordedFailures)
    assert_type(dates.preview_rollback(), RollbackResult)
    assert_type(dates.rollback(reformat_preexisting=True), RollbackResult)
    files = FileMigrations()
    assert_type(files.pending(), list[str])
    print([one.migration_id for one in files.upgrade().files], files.status().heads, files.cleanup())


async def asynchronous_migrations(client: asyncio_redis.Redis) -> None:
    dates = aio.DateMigration(client=client)
    assert_type(await dates.run(), MigrationResult)
    assert_type((await dates.rollback()).outcome, aio.Outcome)
    assert_type(await aio.FileMigrations().pending(), list[str])


async def asynchronous(visit: Visit, note: Note) -> None:
    await aio.Migrator().run()
    await aio.SchemaDetector().run()
    assert_type(await aio.SchemaMigrator().get_applied(), set[str])
    assert_type(await aio.has_redis_json(), bool)
    assert_type(await aio.has_redisearch(), bool)
    assert_type(aio.get_redis_connection(), asyncio_redis.Redis)
    assert_type(aio.redis.Redis(), asyncio_redis.Redis)
    assert_type(await visit.save(field_expirations={"page": 5}), Visit)
    assert_type(await visit.expire_field("page", 5, nx=True), int)
    assert_type(await visit.field_ttl("page"), int)
    assert_type(await visit.persist_field("page"), int)
    assert_type(await visit.update(page="x"), None)
    assert_type(await visit.expire(5), None)
    assert_type(await Visit.add([visit]), list[Visit])
    assert_type(await Visit.delete_many([visit]), int)
    assert_type(await Visit.delete("x"), int)
    assert_type(await note.save(xx=True), Note | None)
    query: aio.FindQuery[Visit] = Visit.find(Visit.seconds > 1, aio.col(Visit.page).contains("ab"))
    assert_type(await query.all(), list[Visit])
    assert_type(await query.page(offset=3, limit=3), list[Visit])
    assert_type(await query.count(), int)
    assert_type(await query.sort_by("seconds").first(), Visit)
    assert_type(query.__aiter__(), AsyncIterator[Visit])
    assert_type(await query.only("page").all(), list[PartialModel])
    assert_type([one async for one in query.values("page")], list[dict[str, Any]])
    assert_type(await query.update(page="y"), None)
    assert_type(await query.get_query(), tuple[str, list[Any]])
    bases: list[type[aio.RedisModel]] = [Visit, Note]
    part: aio.EmbeddedJsonModel = Corner(city="x")
    del bases, part
    errors: tuple[type[aio.RedstartError], ...] = (
        aio.MigrationError,
        aio.NotFoundError,
        aio.QueryNotSupportedError,
        aio.QuerySyntaxError,
        aio.RedisModelError,
    )
    del errors
    _ = aio.Coordinates(latitude=1, longitude=2), aio.GeoFilter(1, 2, 3, "m"), aio.VectorFieldOptions
    _ = aio.Field(index=True), aio.KNNExpression


def errors_to_handle() -> None:
    """The errors that an application catches have the same class in both flavours, and typed attributes."""
    try:
        Migrator().run()
    except (DocumentEncodeError, aio.DocumentEncodeError) as error:
        assert_type(error.field, str)
    except (IndexNotFoundError, aio.IndexNotFoundError) as error:
        assert_type(error.index, str)
    except (LeaseHeldError, aio.LeaseHeldError) as error:
        assert_type(error.message, str)
    except (QueryError, aio.QueryError) as error:
        assert_type(error.field, str | None)
    except (ServerConnectionError, aio.ServerConnectionError) as error:
        assert_type(error.hint, str | None)
