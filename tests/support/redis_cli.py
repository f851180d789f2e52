"""Stands in for `redis-cli` where documents show it: sends its words, prints the reply a line for each part."""

import os
import sys

import redis


def lines_of(reply: object) -> list[str]:
    """A reply as redis-cli prints it in a pipe."""
    if isinstance(reply, list):
        return [line for part in reply for line in lines_of(part)]
    if isinstance(reply, bytes):
        return reply.decode().splitlines()
    return ["" if reply is None else str(reply)]


def main() -> int:
    """Exit code 1 when the server says no; SHUTDOWN is answered by nothing."""
    with redis.Redis.from_url(os.environ["REDIS_OM_URL"], protocol=2, retry=None) as client:
        client.response_callbacks.clear()
        try:
            print(*lines_of(client.execute_command(*sys.argv[1:])), sep="\n")
        except redis.ConnectionError:
            return 0 if sys.argv[1].upper() == "SHUTDOWN" else 1
        except redis.ResponseError as error:
            print(f"(error) {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
