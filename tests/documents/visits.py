"""A small model of each form, whose documents tests save."""

from redstart import Field, HashModel, JsonModel


class Visit(HashModel):
    visitor: str = Field(primary_key=True)
    code: str | None = Field(default=None, expire=1000)
    note: str | None = None

    class Meta:
        model_key_prefix = "visit"


class Box(JsonModel):
    number: int = Field(primary_key=True)
    note: str | None = None

    class Meta:
        model_key_prefix = "box"
