"""Documents inside documents, changed by their paths."""

from typing import Dict, List

from redis_om import EmbeddedJsonModel, Field, JsonModel, Migrator


class Address(EmbeddedJsonModel, index=True):
    city: str = Field(index=True)
    zip_code: str = Field(index=True)


class Line(EmbeddedJsonModel, index=True):
    sku: str = Field(index=True)
    amount: int = 1
    price: float


class Cart(JsonModel, index=True):
    customer: str = Field(index=True)
    address: Address
    lines: List[Line] = Field(default_factory=list)
    tags: List[str] = Field(default_factory=list, index=True)
    notes: Dict[str, str] = Field(default_factory=dict)

    @property
    def total(self):
        return sum(line.amount * line.price for line in self.lines)

    def put(self, sku, price, amount=1):
        for line in self.lines:
            if line.sku == sku:
                line.amount += amount
                break
        else:
            self.lines.append(Line(sku=sku, price=price, amount=amount))
        return self.save()


def main():
    Migrator().run()
    cart = Cart(pk="1", customer="ann", address=Address(city="Oslo", zip_code="0150"), tags=["new", "vip"])
    cart.put("a", 2.5).put("b", 10, 2).put("a", 2.5, 3)
    print(cart.total, Cart.get("1"), Cart.db().json().get(cart.key()))
    Cart(pk="2", customer="bob", address={"city": "Rome", "zip_code": "00100"}, tags=["vip"]).save()
    print([one.pk for one in Cart.find(Cart.address.city == "Oslo").all()])
    print([one.pk for one in Cart.find(Cart.lines.sku == "b").all()])
    print(sorted(one.pk for one in Cart.find(Cart.tags << ["vip"]).all()))
    cart.update(address__city="Bergen", customer="ANN")
    print(Cart.get("1").address, [one.pk for one in Cart.find((Cart.address.city == "Rome") | (Cart.customer == "ANN")).all()])
    second = Cart.get("2")
    second.notes["gift"] = "yes"
    second.address = Address(city="Pisa", zip_code="56100")
    second.save()
    print(Cart.get("2"), Cart.find(Cart.tags == "new").count())
