"""Several documents in one transaction."""

from redis_om import Field, HashModel, JsonModel, Migrator, get_redis_connection


class Account(HashModel, index=True):
    owner: str = Field(index=True)
    balance: int = Field(index=True)

    class Meta:
        database = get_redis_connection()
        model_key_prefix = "account"


class Log(JsonModel, index=True):
    text: str

    class Meta:
        model_key_prefix = "log"


def transfer(source, target, amount):
    with Account.db().pipeline(transaction=True) as pipeline:
        source.balance -= amount
        target.balance += amount
        source.save(pipeline=pipeline)
        target.save(pipeline=pipeline)
        Log(pk=f"{source.pk}-{target.pk}", text=str(amount)).save(pipeline=pipeline)
        return len(pipeline.execute()) >= 3


def main():
    Migrator().run()
    first, second = Account(pk="1", owner="a", balance=10).save(), Account(pk="2", owner="b", balance=0).save()
    print(transfer(first, second, 4), Account.get("1").balance, Account.get("2").balance, Log.get("1-2"))
    pipeline = Account.Meta.database.pipeline()
    Account.delete("1", pipeline=pipeline)
    Log(pk="x", text="y").save(pipeline=pipeline)
    print(Account.find().count())
    print(pipeline.execute())
    print(sorted(Account.all_pks()), sorted(Log.all_pks()))
    pipeline = Account.db().pipeline()
    accounts = Account.add([Account(pk=str(number), owner="c", balance=number) for number in range(5, 8)], pipeline=pipeline)
    second.expire(100, pipeline=pipeline)
    pipeline.execute()
    print(len(accounts), Account.find(Account.owner == "c").count(), 0 < Account.db().ttl(second.key()) <= 100)
    print(Account.delete_many(accounts[:2]), Account.find(Account.owner == "c").count())
    print(first < second, sorted([second, first]) == [first, second])
