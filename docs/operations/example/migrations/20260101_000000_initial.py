"""Orders, customers, parcels and coupons, before the examples change them."""

from redstart.operations import (
    CreateModel,
    Field,
    FieldKind,
    Index,
    IndexField,
    Migration,
    Model,
    Storage,
)

migration = Migration(
    dependencies=[],
    operations=[
        CreateModel(
            Model(
                "shop.Coupon",
                key_prefix="shop:coupon:",
                storage=Storage.HASH,
                fields=[Field("code", "str")],
                index=Index(
                    name="shop:coupon:index",
                    storage=Storage.HASH,
                    prefixes=("shop:coupon:",),
                    fields=(
                        IndexField(
                            identifier="pk",
                            attribute="pk",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                        IndexField(
                            identifier="code",
                            attribute="code",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                    ),
                    parts=(1, 1),
                ),
            ),
        ),
        CreateModel(
            Model(
                "shop.Customer",
                key_prefix="shop:customer:",
                storage=Storage.HASH,
                fields=[Field("first_name", "str"), Field("last_name", "str")],
                index=Index(
                    name="shop:customer:index",
                    storage=Storage.HASH,
                    prefixes=("shop:customer:",),
                    fields=(
                        IndexField(
                            identifier="pk",
                            attribute="pk",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                        IndexField(
                            identifier="last_name",
                            attribute="last_name",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                    ),
                    parts=(1, 1),
                ),
            ),
        ),
        CreateModel(
            Model(
                "shop.Order",
                key_prefix="shop:order:",
                storage=Storage.HASH,
                fields=[
                    Field("name", "str"),
                    Field("customer", "str"),
                    Field("total", "str"),
                    Field("price", "float"),
                    Field("ordered_at", "str"),
                    Field("note", "str", default=None, is_optional=True),
                ],
                index=Index(
                    name="shop:order:index",
                    storage=Storage.HASH,
                    prefixes=("shop:order:",),
                    fields=(
                        IndexField(
                            identifier="pk",
                            attribute="pk",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                        IndexField(
                            identifier="name",
                            attribute="name",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                    ),
                    parts=(1, 1),
                ),
            ),
        ),
        CreateModel(
            Model(
                "shop.Parcel",
                key_prefix="shop:parcel:",
                storage=Storage.JSON,
                fields=[
                    Field("street", "str"),
                    Field("address", "object", fields=[Field("city", "str")]),
                ],
                index=Index(
                    name="shop:parcel:index",
                    storage=Storage.JSON,
                    prefixes=("shop:parcel:",),
                    fields=(
                        IndexField(
                            identifier="$.pk",
                            attribute="pk",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                        IndexField(
                            identifier="$.address.city",
                            attribute="address_city",
                            kind=FieldKind.TAG,
                            separator="|",
                        ),
                    ),
                    parts=(1, 0, 1),
                ),
            ),
        ),
    ],
)
