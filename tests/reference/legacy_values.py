"""Documents as redis-om 0.3.5 and 1.0 write them. Run where that version is: `python legacy_values.py 0x|read`."""

import json
import sys
from typing import Any

from redis_om import EmbeddedJsonModel, HashModel, JsonModel

BYTES = {"plain": b"hello", "looks_encoded": b"abcd", "accents": "caf\u00e9".encode(), "long": b"x" * 300}
INDEXED: dict[str, Any] = {} if sys.argv[1] == "0x" else {"index": True}


class Part(EmbeddedJsonModel):
    code: str


class Line(EmbeddedJsonModel):
    sku: str
    part: Part


class Blob(HashModel, **INDEXED):
    payload: bytes

    class Meta:
        global_key_prefix = "old"
        model_key_prefix = "blob"


class Order(JsonModel, **INDEXED):
    payload: bytes
    main: Line
    lines: list[Line]

    class Meta:
        global_key_prefix = "old"
        model_key_prefix = "order"


def write() -> None:
    for name, payload in BYTES.items():
        Blob(pk=name, payload=payload).save()
        line = Line(sku=name, part=Part(code="p"))
        Order(pk=name, payload=payload, main=line, lines=[line, Line(sku="b", part=Part(code="q"))]).save()


def read() -> None:
    found = {}
    for name in BYTES:
        order = Order.get(name)
        found[name] = {
            "blob": Blob.get(name).payload.hex(),
            "order": order.payload.hex(),
            "skus": [order.main.sku, order.main.part.code, *(line.sku for line in order.lines)],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    write() if sys.argv[2] == "write" else read()
