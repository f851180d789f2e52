"""Models whose documents may be large: a long list of dates, or a long text next to a date."""

from datetime import datetime

from redstart import EmbeddedJsonModel, HashModel, JsonModel

JSON_PREFIX = "large:station:"
HASH_PREFIX = "large:visit:"


class Reading(EmbeddedJsonModel):
    at: datetime
    note: str


class LargeStation(JsonModel):
    opened_at: datetime
    readings: list[Reading]
    body: str

    class Meta:
        global_key_prefix = "large"
        model_key_prefix = "station"


class LargeVisit(HashModel):
    at: datetime
    body: str

    class Meta:
        global_key_prefix = "large"
        model_key_prefix = "visit"
