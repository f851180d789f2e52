"""A script that imports rows, in bulk, and prints a report."""

import csv
import io

from redis_om import Field, HashModel, Migrator

ROWS = """sku,title,price,stock
a1,Lamp,12.5,3
a2,Desk,199.99,0
a3,"Chair, red",49.0,12
a4,Shelf,,7
"""


class Product(HashModel, index=True):
    sku: str = Field(primary_key=True)
    title: str = Field(index=True, full_text_search=True)
    price: float = Field(index=True, sortable=True)
    stock: int = Field(index=True, sortable=True)

    class Meta:
        global_key_prefix = "warehouse"
        model_key_prefix = "product"


def main():
    Migrator().run()
    rows = [row for row in csv.DictReader(io.StringIO(ROWS)) if row["price"]]
    products = Product.add([Product(**row) for row in rows])
    print(len(products), Product.find().count())
    for product in Product.find().sort_by("price").all():
        print(product.sku, product.title, product.price, product.key())
    print([one.sku for one in Product.find(Product.stock == 0).all()])
    print([one.sku for one in Product.find((Product.price > 20) & (Product.price < 100)).all()])
    print([one.sku for one in Product.find(Product.title % "chair").all()])
    Product.find(Product.stock == 0).delete()
    print(sorted(Product.all_pks()))
    Product.find(Product.stock > 0).update(stock=1)
    print(sorted((one.sku, one.stock) for one in Product.find()))
