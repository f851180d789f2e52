"""Primary keys of the application's own: counted, made of values, with a pattern around them."""

import itertools
import uuid

from redis_om import Field, HashModel, JsonModel, Migrator


class Counter:
    numbers = itertools.count(1)

    def create_pk(self, *args, **kwargs) -> str:
        return f"n{next(self.numbers)}"


class Ticket(HashModel, index=True):
    title: str = Field(index=True)

    class Meta:
        model_key_prefix = "ticket"
        primary_key_creator_cls = Counter


class Invoice(HashModel, index=True):
    number: int = Field(primary_key=True, index=True, sortable=True)
    total: float

    class Meta:
        model_key_prefix = "invoice"
        primary_key_pattern = "inv-{pk}"


class Device(JsonModel, index=True):
    id: uuid.UUID = Field(primary_key=True, index=True)
    kind: str = Field(index=True)

    class Meta:
        model_key_prefix = "device"


def main():
    Migrator().run()
    for title in ("a", "b", "a"):
        print(Ticket(title=title).save().key())
    print([one.pk for one in Ticket.find(Ticket.title == "b").all()], Ticket.get("n1"))
    Invoice.add([Invoice(number=number, total=number / 2) for number in (3, 1, 2)])
    print([one.pk for one in Invoice.find().sort_by("number").all()], Invoice.get(2), sorted(Invoice.all_pks()))
    device = Device(id=uuid.UUID(int=5), kind="x").save()
    print(device.key(), device.pk, Device.get(device.id) == device, Device.find(Device.kind == "x").first().id)
    print(Ticket.delete("n2"), Invoice.delete(3), Device.delete(device.pk), Ticket.find().count())
