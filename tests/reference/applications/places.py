"""Where things are, and what is near."""

from redis_om import Coordinates, Field, GeoFilter, HashModel, JsonModel, Migrator

PLACES = {"park": (59.91, 10.75), "harbour": (59.90, 10.73), "airport": (60.19, 11.10)}


class Stop(HashModel, index=True):
    name: str = Field(index=True)
    place: Coordinates = Field(index=True)


class Route(JsonModel, index=True):
    name: str = Field(index=True)
    start: Coordinates = Field(index=True)


def main():
    Migrator().run()
    for name, (latitude, longitude) in PLACES.items():
        Stop(pk=name, name=name, place=Coordinates(latitude=latitude, longitude=longitude)).save()
        Route(pk=name, name=name, start=(latitude, longitude)).save()
    near = GeoFilter(longitude=10.75, latitude=59.91, radius=5, unit="km")
    for model, field in ((Stop, Stop.place), (Route, Route.start)):
        print(sorted(one.pk for one in model.find(field == near).all()))
    far = GeoFilter.from_coordinates(Coordinates(latitude=59.91, longitude=10.75), radius=100, unit="km")
    print(Stop.find(Stop.place == far).count(), str(near))
    print(Stop.find((Stop.place == far) & (Stop.name == "airport")).first().pk)
    stop = Stop.get("park")
    print(stop.place.latitude, stop.place.longitude, Stop.db().hget(stop.key(), "place"))
    try:
        GeoFilter(longitude=500, latitude=0, radius=1, unit="km")
    except ValueError as error:
        print(type(error).__mro__[-3].__name__)
