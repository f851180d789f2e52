"""The documents of the service. An import opens no connection and creates no index."""

from typing import Annotated, Self

from pydantic import AwareDatetime, StringConstraints, model_validator

from redstart.aio import EmbeddedJsonModel, Field, JsonModel

Room = Annotated[str, StringConstraints(pattern=r"^\w{1,20}$")]


class Guest(EmbeddedJsonModel):
    """A guest, embedded in a booking."""

    name: str = Field(index=True, min_length=1)
    phone: str | None = None


class Booking(JsonModel, index=True):
    """The booking of a room."""

    room: Room = Field(index=True)
    starts_at: AwareDatetime = Field(index=True, sortable=True)
    ends_at: AwareDatetime = Field(index=True)
    guest: Guest
    note: str = ""

    class Meta:
        global_key_prefix = "guesthouse"
        model_key_prefix = "booking"

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("a booking ends after it starts")
        return self
