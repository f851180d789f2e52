"""The service. `Booking` is the model of requests, stored documents, and responses."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ValidationError

from bookings.models import Booking, Guest, Room
from redstart import NotFoundError
from redstart.errors import (
    DocumentDecodeError,
    DocumentEncodeError,
    IndexNotFoundError,
    ServerConnectionError,
)

logger = logging.getLogger(__name__)


class BookingPage(BaseModel):
    """A page of bookings, and the number of all matching ones."""

    items: list[Booking]
    total: int


class BookingChanges(BaseModel):
    """Changes of a booking; omitted fields keep their values."""

    room: Room | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    guest: Guest | None = None
    note: str | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the connections when the service ends; they are opened when first needed."""
    yield
    await Booking.db().aclose()


app = FastAPI(title="Bookings", lifespan=lifespan)


@app.exception_handler(NotFoundError)
async def not_found(request: Request, error: NotFoundError) -> JSONResponse:
    return JSONResponse({"detail": "This booking does not exist."}, 404)


@app.exception_handler(ValidationError)
async def not_valid(request: Request, error: ValidationError) -> JSONResponse:
    """Report a well-formed change that makes the booking invalid."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return JSONResponse({"detail": problems}, 422)


@app.exception_handler(DocumentEncodeError)
async def not_storable(request: Request, error: DocumentEncodeError) -> JSONResponse:
    """Report a value that cannot be stored, such as a lone surrogate, which JSON allows and UTF-8 does not."""
    return JSONResponse(
        {"detail": [{"type": "not_storable", "loc": ["body", error.field], "msg": error.reason}]}, 422
    )


@app.exception_handler(DocumentDecodeError)
async def not_readable(request: Request, error: DocumentDecodeError) -> JSONResponse:
    """Log which stored document does not fit the model. The caller cannot correct it, and does not see its values."""
    logger.error("%s", error)
    return JSONResponse({"detail": "A stored booking cannot be read."}, 500)


@app.exception_handler(IndexNotFoundError)
async def not_deployed(request: Request, error: IndexNotFoundError) -> JSONResponse:
    logger.error("%s", error)  # with the command that creates the index
    return JSONResponse({"detail": "The service is not ready."}, 503)


@app.exception_handler(ServerConnectionError)
async def not_now(request: Request, error: ServerConnectionError) -> JSONResponse:
    return JSONResponse({"detail": "The database does not reply."}, 503)


@app.post("/bookings", status_code=201)
async def create(booking: Booking) -> Booking:
    # A client may choose the key, so this must not overwrite an existing booking.
    if await booking.save(nx=True) is None:
        raise HTTPException(409, "A booking with this key exists.")
    return booking


@app.get("/bookings")
async def find(
    room: Room | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> BookingPage:
    """Return the bookings of a room, or of all rooms, that overlap the time from `since` to `until`."""
    conditions = []
    if room is not None:
        conditions.append(Booking.room == room)
    if since is not None:
        conditions.append(Booking.ends_at > since)
    if until is not None:
        conditions.append(Booking.starts_at < until)
    query = Booking.find(*conditions).sort_by("starts_at", "pk")
    return BookingPage(items=await query.page(offset, limit), total=await query.count())


@app.get("/bookings/{pk}")
async def read(pk: str) -> Booking:
    return await Booking.get(pk)


@app.patch("/bookings/{pk}")
async def change(pk: str, changes: BookingChanges) -> Booking:
    booking = await Booking.get(pk)
    await booking.update(**changes.model_dump(exclude_unset=True))
    return booking


@app.delete("/bookings/{pk}", status_code=204)
async def delete(pk: str) -> None:
    if not await Booking.delete(pk):
        raise HTTPException(404, "This booking does not exist.")
