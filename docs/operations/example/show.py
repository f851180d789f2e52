"""Print a document as the server has it: `python show.py KEY`."""

import os
import sys

import redis

client = redis.Redis.from_url(os.environ["REDIS_OM_URL"], decode_responses=True)
(key,) = sys.argv[1:]
kind = client.type(key)
if kind == "none":
    print("no document")
else:
    print(dict(sorted(client.hgetall(key).items())) if kind == "hash" else client.json().get(key))
client.close()
