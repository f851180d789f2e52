"""Prints what public classes of redis-om or of Redstart have: attributes of each, and arguments of what is called.

Run as `python public_attributes.py redis_om URL`. Nothing here may import Redstart: it runs where only redis-om is.
"""

import importlib
import inspect
import json
import os
import struct
import sys
import warnings
from typing import Any


def things(library: str) -> "dict[str, Any]":
    """One of each, by what it is called here."""
    om = importlib.import_module(library)
    inner = importlib.import_module(f"{library}.model.model")
    schema = importlib.import_module(f"{library}.model.migrations.schema")
    data = importlib.import_module(f"{library}.model.migrations.data")
    built_in = importlib.import_module(f"{library}.model.migrations.data.builtin")
    flat = om.VectorFieldOptions.flat(
        om.VectorFieldOptions.TYPE.FLOAT32, 2, om.VectorFieldOptions.DISTANCE_METRIC.L2
    )

    class Part(om.EmbeddedJsonModel, index=True):
        name: str = om.Field(index=True, default="")

    class Flat(om.HashModel, index=True):
        number: int = om.Field(index=True, default=1)

    class Deep(om.JsonModel, index=True):
        number: int = om.Field(index=True, default=1)
        part: Part = om.Field(default_factory=Part)
        vector: "list[float]" = om.Field(default=[], vector_options=flat)
        score: float = om.Field(default=0.0)

    knn = om.KNNExpression(
        k=3, vector_field=Deep.vector, score_field=Deep.score, reference_vector=struct.pack("<2f", 1, 2)
    )
    return {
        "FindQuery": Flat.find(Flat.number == 1),
        "Expression": Flat.number == 1,
        "Expression (AND)": (Flat.number == 1) & (Flat.number == 2),
        "NegatedExpression": ~(Flat.number == 1),
        "ExpressionProxy": Flat.number,
        "ExpressionProxy (nested)": Deep.part.name,
        "KNNExpression": knn,
        "GeoFilter": om.GeoFilter(longitude=1, latitude=2, radius=3, unit="km"),
        "Coordinates": om.Coordinates(latitude=1, longitude=2),
        "VectorFieldOptions": flat,
        "Migrator": om.Migrator(),
        "SchemaMigrator": schema.SchemaMigrator(),
        "DataMigrator": data.DataMigrator(),
        "BaseMigration": data.BaseMigration,
        "BaseSchemaMigration": schema.BaseSchemaMigration,
        "DatetimeFieldDetector": built_in.DatetimeFieldDetector,
        "HashModel": Flat,
        "HashModel (document)": Flat(pk="1"),
        "JsonModel": Deep,
        "JsonModel (document)": Deep(pk="1"),
        "EmbeddedJsonModel": Part,
        "EmbeddedJsonModel (document)": Part(),
        "FieldInfo": Flat.model_fields["number"],
        "Operators": inner.Operators,
        "Meta": Flat.Meta,
        "UlidPrimaryKey": inner.UlidPrimaryKey(),
        "the package": om,
    }


def arguments(called: Any) -> "list[str] | None":
    """The names of what it takes; None if that cannot be said."""
    try:
        return [
            one.name for one in inspect.signature(called).parameters.values() if one.kind != one.VAR_KEYWORD
        ]
    except (TypeError, ValueError):
        return None


def main() -> None:
    """Print them as JSON: by thing and attribute, the arguments of what is called, else None."""
    os.environ["REDIS_OM_URL"] = sys.argv[2]
    found: dict[str, dict[str, Any]] = {}
    for name, thing in things(sys.argv[1]).items():
        attributes = thing.__all__ if name == "the package" else dir(thing)
        found[name] = {
            attribute: arguments(getattr(thing, attribute)) if callable(getattr(thing, attribute)) else None
            for attribute in attributes
            if not attribute.startswith(("_", "model_"))
        }
    print(json.dumps(found))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
