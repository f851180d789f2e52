"""The service. `Booking` is what a request carries, what is stored, and what a response shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ValidationError

from bookings.models import Booking, Guest, Room
from redstart import NotFoundError
from redstart.documents.unwritable import DocumentEncodeError
from redstart.errors import ServerConnectionError


class BookingPage(BaseModel):
    """Some of the bookings that were asked for, and how many there are in all."""

    items: list[Booking]
    total: int


class BookingChanges(BaseModel):
    """What a booking may be changed in; what is left out stays."""

    room: Room | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    guest: Guest | None = None
    note: str | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connections are made when they are first needed, and closed when the service ends."""
    yield
    await Booking.db().aclose()


app = FastAPI(title="Bookings", lifespan=lifespan)


@app.exception_handler(NotFoundError)
async def not_found(request: Request, error: NotFoundError) -> JSONResponse:
    return JSONResponse({"detail": "There is no such booking."}, 404)


@app.exception_handler(ValidationError)
async def not_valid(request: Request, error: ValidationError) -> JSONResponse:
    """A change that is well formed, but makes the booking what it must not be."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return JSONResponse({"detail": problems}, 422)


@app.exception_handler(DocumentEncodeError)
async def not_storable(request: Request, error: DocumentEncodeError) -> JSONResponse:
    """As half a character, which JSON can spell and UTF-8 cannot."""
    return JSONResponse(
        {"detail": [{"type": "not_storable", "loc": ["body", error.field], "msg": error.reason}]}, 422
    )


@app.exception_handler(ServerConnectionError)
async def not_now(request: Request, error: ServerConnectionError) -> JSONResponse:
    return JSONResponse({"detail": "The database does not answer."}, 503)


@app.post("/bookings", status_code=201)
async def create(booking: Booking) -> Booking:
    # A caller may choose the key, so this must not overwrite what is there.
    if await booking.save(nx=True) is None:
        raise HTTPException(409, "There is a booking with this key.")
    return booking


@app.get("/bookings")
async def find(
    room: Room | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> BookingPage:
    """The bookings of a room, or of all, that take up any of the time from `since` to `until`."""
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
        raise HTTPException(404, "There is no such booking.")
