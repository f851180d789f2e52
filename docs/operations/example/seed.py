"""Store the documents that the examples change."""

import os

import redis

client = redis.Redis.from_url(os.environ["REDIS_OM_URL"], decode_responses=True)
order = {"name": "Teapot", "customer": "Ann Lee", "price": "9.99", "ordered_at": "31/12/2024"}
client.hset("shop:order:1", mapping={"pk": "1", **order, "total": "12"})
client.hset("shop:order:2", mapping={"pk": "2", **order, "total": "free"})
client.hset("shop:customer:1", mapping={"pk": "1", "first_name": "Ann", "last_name": "Lee"})
client.json().set("shop:parcel:1", "$", {"pk": "1", "street": "Mill Lane 3", "address": {"city": "Bonn"}})
client.hset("shop:coupon:1", mapping={"pk": "1", "code": "SPRING"})
client.close()
