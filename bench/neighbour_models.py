"""Models of the large documents of bench.neighbour, for `om --models`."""

from datetime import datetime

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel

STATION_PREFIX = "bench:station:"
VISIT_PREFIX = "bench:visit:"


class Reading(EmbeddedJsonModel):
    """A date in a list."""

    at: datetime
    note: str


class Station(JsonModel):
    """A JSON document with a list of dates and a long text."""

    name: str = Field(index=True)
    opened_at: datetime = Field(index=True)
    readings: list[Reading]
    body: str

    class Meta:
        global_key_prefix = "bench"
        model_key_prefix = "station"


class Visit(HashModel):
    """A hash with one date and a long text."""

    name: str = Field(index=True)
    at: datetime = Field(index=True)
    body: str

    class Meta:
        global_key_prefix = "bench"
        model_key_prefix = "visit"
