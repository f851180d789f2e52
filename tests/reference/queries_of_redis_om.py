"""An application that uses redis-om 1.x, after `om` has migrated its data: what it finds. Prints a JSON object."""

import asyncio
import json
from datetime import datetime, timezone
from typing import Any

import aredis_om
from shop_of_redis_om import Customer, Session

YEAR = datetime(2023, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - as in programs for older Pythons


async def found() -> "dict[str, Any]":
    """What is pending to redis-om, and the documents of this year."""
    detector = aredis_om.Migrator()
    await detector.detect_migrations()
    sessions = await Session.find(Session.at >= YEAR).sort_by("at").all()
    return {
        "pending": [str(one.action) for one in detector.migrations],
        "sessions": [session.token for session in sessions],
    }


if __name__ == "__main__":
    customers = Customer.find((Customer.joined >= YEAR) & (Customer.name == "Ann")).all()
    print(
        json.dumps(
            {
                "customers": [customer.name for customer in customers],
                "joined": customers[0].joined.isoformat() if customers else None,
                **asyncio.run(found()),
            }
        )
    )
