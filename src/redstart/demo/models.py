"""Models of a bird-ringing station: ringers, visits to its sites, sightings of birds.

The sample (redstart.demo.sample) generates documents of these models as redis-om 0.3.5 stored them.
"""

import datetime

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel


class Ringer(HashModel, index=True):
    """A person licensed to ring birds. The key prefix is the default: module and class."""

    name: str = Field(index=True)
    born_on: datetime.date = Field(index=True)
    licensed_at: datetime.datetime = Field(index=True)
    last_seen_at: datetime.datetime | None = Field(default=None, index=True)
    birds_ringed: int = Field(index=True, sortable=True)
    remark: str = ""
    """Free text that often resembles a date."""

    class Meta:
        global_key_prefix = "station"


class Visit(HashModel, index=True):
    """A day at a ringing site. The keys of some visits and the fields of a few expire."""

    visit_code: str = Field(primary_key=True)
    site: str = Field(index=True)
    arrived_at: datetime.datetime = Field(index=True)
    left_at: datetime.datetime | None = Field(default=None, index=True)
    permit_until: datetime.date = Field(index=True)
    nets: int = Field(index=True, sortable=True)
    weather: str = ""

    class Meta:
        global_key_prefix = "station"
        model_key_prefix = "visit"


class Measurement(EmbeddedJsonModel):
    """One weighing of a bird in the hand."""

    method: str = Field(index=True)
    grams: float
    taken_at: datetime.datetime
    repeat_on: datetime.date | None = None


class Capture(EmbeddedJsonModel):
    """The capture of a bird."""

    net: str = Field(index=True)
    released_at: datetime.datetime | None = None
    ringed_at: str = ""
    """A text from the field book, although `Sighting.ringed_at` is a datetime."""


class Sighting(JsonModel, index=True):
    """A ringed bird, and the places where it was seen again."""

    species: str = Field(index=True)
    wing_millimetres: float = Field(index=True, sortable=True)
    ringed_at: datetime.datetime = Field(index=True)
    hatched_on: datetime.date | None = Field(default=None, index=True)
    capture: Capture
    measurements: list[Measurement] = Field(default=[])
    resighted_at: list[datetime.datetime] = Field(default=[])
    last_seen_by_place: dict[str, datetime.datetime] = Field(default={})
    """By place, as observers wrote it: with quotes, backslashes and dots."""

    class Meta:
        global_key_prefix = "station"
        model_key_prefix = "sighting"
