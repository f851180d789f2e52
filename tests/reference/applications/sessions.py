"""Sessions with dates, some of which expire."""

import datetime
from typing import Optional

from redis_om import Field, HashModel, Migrator

UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
START = datetime.datetime(2024, 1, 31, 23, 30, tzinfo=UTC)


class Session(HashModel, index=True):
    user: str = Field(index=True)
    started: datetime.datetime = Field(index=True, sortable=True)
    day: datetime.date = Field(index=True)
    token: Optional[str] = None
    length: Optional[int] = None


def main():
    Migrator().run()
    for number in range(4):
        started = START + number * DAY
        Session(pk=str(number), user=f"u{number % 2}", started=started, day=started.date(), token="t").save()
    print([one.pk for one in Session.find(Session.started >= START + 2 * DAY).sort_by("started").all()])
    print([one.pk for one in Session.find(Session.day == datetime.date(2024, 2, 1)).all()])
    print([one.pk for one in Session.find((Session.user == "u1") & (Session.started < START + 2 * DAY)).all()])
    print([one.pk for one in Session.find().sort_by("-started").page(offset=1, limit=2)])
    session = Session.get("0")
    print(session.started.isoformat(), session.day, session.length)
    Session.get("1").expire(600)
    print(0 < Session.db().ttl(Session.make_key("1")) <= 600, Session.db().ttl(session.key()))
    session.update(length=5)
    print(Session.get("0").length, Session.db().hget(session.key(), "started"), Session.db().hget(session.key(), "day"))
