"""A cache for a slow function: entries that expire, and locks by saving only what is not there."""

import hashlib
import json
from typing import Optional

from redis_om import HashModel, JsonModel, NotFoundError


class Entry(HashModel, index=True):
    value: str
    hits: int = 0

    class Meta:
        global_key_prefix = "cache"
        model_key_prefix = "entry"


class Lock(JsonModel, index=True):
    owner: str
    note: Optional[str] = None

    class Meta:
        model_key_prefix = "lock"


def cached(seconds):
    def around(function):
        def wrapper(*args):
            pk = hashlib.sha1(json.dumps([function.__name__, *args]).encode()).hexdigest()
            try:
                entry = Entry.get(pk)
                entry.update(hits=entry.hits + 1)
            except NotFoundError:
                entry = Entry(pk=pk, value=json.dumps(function(*args))).save()
                entry.expire(seconds)
            return json.loads(entry.value)

        wrapper.key = lambda *args: hashlib.sha1(json.dumps([function.__name__, *args]).encode()).hexdigest()
        return wrapper

    return around


CALLS = []


@cached(seconds=100)
def slow(number):
    CALLS.append(number)
    return {"square": number * number}


def main():
    print(slow(3), slow(3), slow(4), slow(3), CALLS)
    entry = Entry.get(slow.key(3))
    ttl = Entry.db().ttl(entry.key())
    print(entry.hits, 0 < ttl <= 100)
    print(Lock(pk="job", owner="a").save(nx=True) is not None, Lock(pk="job", owner="b").save(nx=True))
    print(Lock(pk="other", owner="b").save(xx=True), Lock(pk="job", owner="c").save(xx=True) is not None)
    print(Lock.get("job"), Lock.delete("job"), Lock(pk="job", owner="b").save(nx=True) is not None)
    Lock.get("job").expire(50)
    print(0 < Lock.db().ttl(Lock.make_key("job")) <= 50)
    entry.delete(entry.pk)
    print(Entry.db().exists(entry.key()))
