"""Fields, validators and methods that come from mixins, of pydantic and of plain Python."""

import datetime
import enum
from typing import List, Literal, Optional

from pydantic import BaseModel, ConfigDict, PositiveInt, field_serializer, field_validator
from redis_om import EmbeddedJsonModel, Field, HashModel, JsonModel, Migrator

THEN = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)


class Stamped(BaseModel):
    created: datetime.datetime = THEN
    updated: Optional[datetime.datetime] = None

    def touch(self, when):
        self.updated = when
        return self


class Named:
    def title(self):
        return self.name.title()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Toy(Stamped, Named, HashModel, index=True):
    model_config = ConfigDict(str_strip_whitespace=True)
    name: str = Field(index=True)
    colour: Colour = Field(default=Colour.RED, index=True)
    count: PositiveInt = Field(default=1, index=True)
    size: Literal["s", "l"] = "s"

    @field_validator("name")
    @classmethod
    def _lower(cls, value):
        return value.lower()


class Wheel(EmbeddedJsonModel):
    radius: float
    spokes: List[int] = []


class Bike(Stamped, JsonModel, index=True):
    name: str = Field(index=True)
    wheels: List[Wheel] = []
    weights: dict = {}

    @field_serializer("weights")
    def _rounded(self, value):
        return {name: round(weight, 1) for name, weight in value.items()}


def main():
    Migrator().run()
    toy = Toy(pk="1", name="  ROBOT ", colour="blue", count=3).save()
    print(toy.title(), toy, Toy.get("1") == toy)
    toy.touch(THEN + datetime.timedelta(hours=1)).save()
    print(Toy.get("1").updated, Toy.find(Toy.colour == "blue").count(), Toy.find(Toy.count >= 2).first().name)
    bike = Bike(pk="b", name="x", wheels=[{"radius": 1.5}, Wheel(radius=2, spokes=[1, 2])], weights={"a": 1.26}).save()
    print(Bike.get("b"), Bike.db().json().get(bike.key()), bike.model_dump(mode="json"))
    print(toy.model_copy(update={"pk": "2", "name": "y"}).save(), sorted(Toy.all_pks()))
