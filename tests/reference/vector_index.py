"""Models given to RedisVL: its schema of each, and what its index finds. Prints a JSON object.

Run as `python vector_index.py URL`, with Redstart importable, where redisvl is.
"""

import asyncio
import json
import os
import sys
from typing import Any

from redisvl.query import FilterQuery
from redisvl.query.filter import Tag

import redstart
import redstart.aio
from redstart.aio.redisvl import get_redisvl_index as get_async_index
from redstart.redisvl import get_redisvl_index, to_redisvl_schema

VECTORS = redstart.VectorFieldOptions
FLAT = VECTORS.flat(VECTORS.TYPE.FLOAT32, 2, VECTORS.DISTANCE_METRIC.L2, block_size=64)
GRAPH = VECTORS.hnsw(VECTORS.TYPE.FLOAT64, 2, VECTORS.DISTANCE_METRIC.COSINE, m=8, epsilon=0.5)


class Shared:
    class Meta:
        global_key_prefix = "vl"
        model_key_prefix = "page"


class Page(redstart.JsonModel, index=True):
    name: str = redstart.Field(index=True, full_text_search=True, sortable=True)
    rank: int = redstart.Field(index=True)
    flat: list[float] = redstart.Field(vector_options=FLAT)
    graph: list[float] = redstart.Field(vector_options=GRAPH)

    class Meta(Shared.Meta):
        pass


class Card(redstart.HashModel, index=True):
    name: str = redstart.Field(index=True, full_text_search=True)
    flat: list[float] = redstart.Field(vector_options=FLAT)

    class Meta(Shared.Meta):
        model_key_prefix = "card"


class AsyncPage(redstart.aio.JsonModel, index=True):
    name: str = redstart.Field(index=True)

    class Meta(Shared.Meta):
        pass


def found(index: Any) -> list[str]:
    """The names of two documents, as RedisVL finds them."""
    query = FilterQuery(filter_expression=Tag("name") == ["n1", "n2"], return_fields=["name"])
    return sorted(document["name"] for document in index.query(query))


async def found_by_async_index() -> list[Any]:
    """What kinds of index asynchronous models give, and how many documents one counts."""
    index, plain = get_async_index(AsyncPage), get_async_index(AsyncPage, async_client=False)
    counted = (await index.info())["num_docs"]
    await AsyncPage.db().aclose()
    return [type(index).__name__, type(plain).__name__, int(counted), int(plain.info()["num_docs"])]


def main() -> None:
    """Save, search, and print."""
    os.environ["REDIS_OM_URL"] = sys.argv[1]
    redstart.Migrator().run()
    for number in range(3):
        point = [float(number), 0.0]
        Page(name=f"n{number}", rank=number, flat=point, graph=[1.0, float(number)]).save()
        Card(name=f"n{number}", flat=point).save()
    print(
        json.dumps(
            {
                "json": to_redisvl_schema(Page).to_dict(),
                "hash": to_redisvl_schema(Card).to_dict(),
                "found": [found(get_redisvl_index(Page)), found(get_redisvl_index(Card))],
                "asynchronous": asyncio.run(found_by_async_index()),
                "plain": type(get_redisvl_index(Page)).__name__,
            }
        )
    )


if __name__ == "__main__":
    main()
