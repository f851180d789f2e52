"""Tasks that work through a queue of jobs."""

import asyncio
from typing import Optional

from aredis_om import Field, HashModel, JsonModel, Migrator, NotFoundError


class Job(HashModel, index=True):
    number: int = Field(primary_key=True)
    rank: int = Field(index=True, sortable=True)
    state: str = Field(default="waiting", index=True)
    worker: Optional[str] = Field(default=None, index=True)


class Result(JsonModel, index=True):
    job: int = Field(index=True)
    value: float


async def work(name, queue):
    while True:
        number = await queue.get()
        job = await Job.get(number)
        await job.update(state="done", worker="w")
        await Result(pk=str(number), job=number, value=number**0.5).save()
        queue.task_done()


async def story():
    await Migrator().run()
    await Job.add([Job(number=number, rank=number) for number in range(12)])
    queue = asyncio.Queue()
    for job in await Job.find(Job.state == "waiting").sort_by("rank").all():
        queue.put_nowait(job.number)
    workers = [asyncio.create_task(work(f"w{number}", queue)) for number in range(3)]
    await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    print(await Job.find(Job.state == "done").count(), await Job.find(Job.state == "waiting").count())
    print(sorted([one.job async for one in Result.find(Result.job < 4)]))
    print([one.value for one in await asyncio.gather(*(Result.get(str(number)) for number in (0, 1, 4, 9)))])
    print(await Job.find(Job.rank > 8).delete(), sorted([int(pk) async for pk in await Job.all_pks()]))
    try:
        await Job.get(11)
    except NotFoundError:
        print("gone")
    await Job.find(Job.rank < 2).update(state="again")
    print([(one.number, one.state) for one in await Job.find(Job.state == "again").sort_by("rank").all()])
    print(await Result.find().sort_by("job").first(), await Result.find(Result.job == 3).get_item(0))


def main():
    asyncio.run(story())
