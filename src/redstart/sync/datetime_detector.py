# Generated from redstart/aio/datetime_detector.py: change that, then `python -m tools.generate_sync`.
"""Detection of indexes with dates as text, with redis-om's interface. See also `om migrate-data check-schema`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redstart.mapping.model_info import declare, distinct
from redstart.mapping.models import RedisModel
from redstart.migrations.schema_check import schema_mismatches
from redstart.sync.connections import server_of_client

if TYPE_CHECKING:
    import redis


class DatetimeFieldDetector:
    """Detect indexes with dates as text whose models require numbers.

    Args:
        redis: a client of the server.
    """

    def __init__(self, redis: "redis.Redis") -> None:
        self.redis = redis

    def check_for_schema_mismatches(self, models: Iterable[type[RedisModel]]) -> dict[str, Any]:
        """Compare the active indexes with models. Writes nothing.

        Args:
            models: the model classes.

        Returns:
            `has_mismatches`; `mismatches`: for each date that is indexed with another type, `model`, `field`,
            `current_type`, `expected_type` and `index_name`; `total_affected_models`; and `recommendation`,
            with the next command. A missing index is not a mismatch; `om migrate-data check-schema` reports it.

        Raises:
            RedisModelError: a model has no documents of its own.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not reply, or rejected a command.

        Effects: a few reads, and one read for each index.
        """
        declarations = distinct(map(declare, models))
        return server_of_client(self.redis).run(schema_mismatches(declarations))
