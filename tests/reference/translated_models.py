"""Models of redis-om as Redstart takes them: what differs in the schema text of each. Prints a JSON object.

Runs where redis-om is, and Redstart too.
"""

import json
import warnings
from typing import Any

import redis_om
from declared_models import ALL_TYPES, OPTIONS, SINCE_1, declare, embedded_models, whole_models

from redstart.errors import RedisModelError
from redstart.mapping.index_schema import reference_schema
from redstart.mapping.redis_om_adapter import redis_om_models, translated

INDEXED = {"index": True}


def texts() -> "dict[str, list[str]]":
    """The text of redis-om and that of Redstart, of all models that both accept."""
    found: dict[str, list[str]] = {}

    def compare(name: str, model: Any) -> None:
        found[name] = [model.redisearch_schema(), reference_schema(translated(model))]

    for base in (redis_om.HashModel, redis_om.JsonModel):
        for kind, annotation in ALL_TYPES.items():
            for option, given in {**OPTIONS, **SINCE_1}.items():
                try:
                    model = declare(
                        redis_om, base, "Model", {"f": (annotation, redis_om.Field(**given))}, INDEXED
                    )
                    compare(f"{base.__name__} {kind} {option}", model)
                except (redis_om.RedisModelError, AttributeError, TypeError, RedisModelError):
                    continue
    for name, declared in embedded_models(redis_om).items():
        compare(name, declare(redis_om, redis_om.JsonModel, "Outer", {"e": declared}, INDEXED))
    for name, model in whole_models(redis_om, INDEXED).items():
        compare(name, model)
    return found


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(json.dumps({"texts": texts(), "registered": len(redis_om_models())}))
