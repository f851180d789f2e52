"""Settings of models in all the ways they are given, with redis-om or with Redstart: the keys and indexes they lead to.

Run as `python declared_settings.py redis_om URL`; prints a JSON object. Nothing here may import Redstart: it runs where
only redis-om is.
"""

import abc
import importlib
import json
import os
import sys
import warnings
from typing import Any


def families(om: Any) -> "dict[str, Any]":
    """Models by what they are called, most of them in families."""

    class Base(om.HashModel, abc.ABC):
        class Meta:
            global_key_prefix = "g"

    class Silent(Base, index=True):
        a: str = om.Field(default="", index=True)

    class Heir(Base, index=True):
        class Meta(Base.Meta):
            primary_key_pattern = "h-{pk}"

    class OfHeir(Heir):
        pass

    class OfHeirAsWell(Heir):
        class Meta(Heir.Meta):
            encoding = "latin-1"

    class OwnNames(Base, index=True):
        class Meta:
            model_key_prefix = "own"
            index_name = "own-index"

    class WithoutNames(OwnNames):
        class Meta:
            global_key_prefix = ""

    class WithNames(OwnNames):
        class Meta(OwnNames.Meta):
            pass

    class Elsewhere:
        global_key_prefix = ":colons:"
        model_key_prefix = ":m:"

    class Given(om.JsonModel, index=True):
        Meta = Elsewhere

    class Mixed(om.JsonModel, index=True):
        class Meta(Elsewhere):
            primary_key_pattern = "{pk}:tail"

    models = (Silent, Heir, OfHeir, OfHeirAsWell, OwnNames, WithoutNames, WithNames, Given, Mixed)
    return {model.__name__: model for model in models}


def said(om: Any) -> "dict[str, Any]":
    """Of each model a key, its index, and how these change when a setting is assigned."""
    found: dict[str, Any] = {}
    for name, model in families(om).items():
        found[name] = [model.make_primary_key("1"), model._meta.index_name, model.Meta.encoding]
    silent = families(om)["Silent"]
    client = om.get_redis_connection(db=0)
    silent.Meta.database = client
    silent.Meta.global_key_prefix = "late"
    found["assigned"] = [silent.db() is client, silent._meta.database is client, silent.make_key("1")]
    found["sorted"] = [one.pk for one in sorted(silent(pk=key) for key in "bca")]
    found["names"] = [field.name for field in silent.model_fields.values()]
    return found


if __name__ == "__main__":
    library, os.environ["REDIS_OM_URL"] = sys.argv[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(json.dumps(said(importlib.import_module(library))))
