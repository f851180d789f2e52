"""Whether indexes still take dates as text, as redis-om tells it. `om migrate-data check-schema` says more."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redstart.aio.connections import server_of_client
from redstart.mapping.declaration import declare, distinct
from redstart.mapping.models import RedisModel
from redstart.migrations.schema_check import schema_mismatches

if TYPE_CHECKING:
    import redis.asyncio


class DatetimeFieldDetector:
    """Looks whether indexes still take dates as text where the models want numbers.

    Args:
        redis: a client of the server.
    """

    def __init__(self, redis: "redis.asyncio.Redis") -> None:
        self.redis = redis

    async def check_for_schema_mismatches(self, models: Iterable[type[RedisModel]]) -> dict[str, Any]:
        """Compare the indexes that serve with models. Writes nothing.

        Returns:
            `has_mismatches`; `mismatches`, of each date that is there as another type `model`, `field`, `current_type`,
            `expected_type` and `index_name`; `total_affected_models`; `recommendation`, with the next command. An index
            that is not there is none: `om migrate-data check-schema` names those too.

        Raises:
            RedisModelError: a model has no documents of its own.
            CapabilityMissing: the server has no search module.
            ServerError: no answer, or a refusal.

        Effects: a read for each index, and some.
        """
        declarations = distinct(map(declare, models))
        return await server_of_client(self.redis).run(schema_mismatches(declarations))
