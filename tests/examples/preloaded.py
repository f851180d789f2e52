"""The example as a server may preload it: models of both colours are at work before the workers are forked."""

import asyncio
import os
from typing import Any

import redis.asyncio

import redstart
import redstart.aio
from bookings.app import app
from bookings.models import Booking

__all__ = ["app"]


class Stamp(redstart.HashModel):
    """Who was asked for what."""

    text: str

    class Meta:
        model_key_prefix = "stamp"


class AsyncStamp(redstart.aio.HashModel):
    """The same for coroutines, with a client of its own."""

    text: str

    class Meta(Stamp.Meta):
        database = redis.asyncio.Redis.from_url(os.environ["REDIS_OM_URL"])


@app.post("/threads/{text}")
def stamp(text: str) -> dict[str, Any]:
    """FastAPI runs this in a thread of its pool."""
    saved = Stamp(text=text).save()
    return {"process": os.getpid(), "pk": saved.pk, "text": Stamp.get(saved.pk).text}


@app.post("/tasks/{text}")
async def async_stamp(text: str) -> dict[str, Any]:
    saved = await AsyncStamp(text=text).save()
    assert await Booking.delete(text) == 0
    return {"process": os.getpid(), "pk": saved.pk, "text": (await AsyncStamp.get(saved.pk)).text}


async def _work() -> None:
    await asyncio.gather(*[async_stamp("before") for _ in range(5)])


asyncio.run(_work())
stamp("before")
