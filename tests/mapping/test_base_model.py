import abc
import sys
import types

import pytest

from redstart.mapping.base_model import model_name, models_of_modules, register, registered_models
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel

SOURCE = """
import abc
from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel

class Abstract(HashModel, abc.ABC):
    x: int = 0

class Legacy(Abstract):
    pass

class Current(JsonModel, index=True):
    pass

class Part(EmbeddedJsonModel):
    pass

class AbstractPart(EmbeddedJsonModel, abc.ABC):
    pass

class MarkedByHand(JsonModel):
    class Meta:
        embedded = True

class Outer:
    class Nested(JsonModel):
        pass
"""


def declare_module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(SOURCE, f"{name}.py", "exec"), module.__dict__)
    return module


def test_models_of_both_syntaxes_are_registered_but_not_abstract_or_embedded_ones():
    declare_module("registry_one")
    assert [model_name(model) for model in models_of_modules("registry_one")] == [
        "registry_one.Legacy",
        "registry_one.Current",
        "registry_one.Outer.Nested",
    ]


def test_a_reloaded_module_replaces_its_models():
    before = declare_module("registry_two")
    count = len(registered_models())
    after = declare_module("registry_two")
    assert len(registered_models()) == count
    assert before.Legacy not in registered_models()
    assert after.Legacy in registered_models()


def test_modules_are_distinguished_by_whole_names():
    for name in ("registry_pkg.orders", "registry_pkg.orders_old", "registry_pkg"):
        declare_module(name)
    assert {model.__module__ for model in models_of_modules("registry_pkg")} == {
        "registry_pkg",
        "registry_pkg.orders",
        "registry_pkg.orders_old",
    }
    assert {model.__module__ for model in models_of_modules("registry_pkg.orders")} == {"registry_pkg.orders"}
    assert models_of_modules("registry_pk") == ()
    assert models_of_modules() == ()


def test_our_own_bases_are_not_models():
    assert not {HashModel, JsonModel, EmbeddedJsonModel} & set(registered_models())


@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_a_child_of_an_abstract_model_is_registered(base):
    class Abstract(base, abc.ABC):
        pass

    class Concrete(Abstract):
        pass

    assert Concrete in registered_models()
    assert Abstract not in registered_models()


def test_register_takes_a_model_made_elsewhere():
    class Model(HashModel):
        pass

    register(Model)
    assert registered_models().count(Model) == 1
