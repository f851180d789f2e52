"""Keys of each tenant below a prefix of its own: by classes made for it, and by a setting that changes."""

from contextlib import contextmanager
from functools import lru_cache

from redis_om import Field, HashModel, JsonModel, Migrator, get_redis_connection


@lru_cache(maxsize=None)
def order_model(tenant):
    class Order(JsonModel, index=True):
        number: int = Field(index=True, sortable=True)
        state: str = Field(default="new", index=True)

        class Meta:
            global_key_prefix = f"tenant:{tenant}"
            model_key_prefix = "order"
            database = get_redis_connection()

    return Order


class Setting(HashModel, index=True):
    value: str = Field(index=True)

    class Meta:
        model_key_prefix = "setting"


@contextmanager
def acting_for(tenant):
    before = Setting._meta.global_key_prefix
    Setting._meta.global_key_prefix = tenant
    try:
        yield
    finally:
        Setting._meta.global_key_prefix = before


def main():
    for tenant, count in (("a", 3), ("b", 1)):
        model = order_model(tenant)
        Migrator().run()
        model.add([model(pk=str(number), number=number) for number in range(count)])
    for tenant in ("a", "b"):
        model = order_model(tenant)
        print(tenant, [one.key() for one in model.find().sort_by("number").all()], model.Meta.index_name)
    order_model("a").find(order_model("a").number > 0).update(state="done")
    print([one.pk for one in order_model("a").find(order_model("a").state == "done").sort_by("number").all()])
    for tenant in ("a", "b"):
        with acting_for(tenant):
            Setting(pk="colour", value=f"of {tenant}").save()
    with acting_for("b"):
        print(Setting.get("colour"), Setting.make_key("x"), sorted(Setting.all_pks()))
    print(Setting.make_key("x"))
