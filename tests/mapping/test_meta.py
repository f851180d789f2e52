import abc
import warnings

import pydantic
import pytest

from redstart.errors import RedisModelError
from redstart.mapping.fields import Field
from redstart.mapping.meta import SETTINGS, ModelMeta
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.primary_keys import PrimaryKey, UlidPrimaryKey


class Numbered:
    def create_pk(self, *args, **kwargs):
        return "n1"


CLIENT = object()


class Base(HashModel, abc.ABC):
    class Meta:
        global_key_prefix = "::shop:"
        model_key_prefix = "base"
        primary_key_pattern = "v:{pk}"
        database = CLIENT
        primary_key_creator_cls = Numbered
        index_name = "base_index"
        encoding = "latin-1"


class Plain(HashModel):
    pass


class Child(Base):
    pass


class Changed(Base):
    class Meta:
        encoding = "utf-16"
        global_key_prefix = ""


class Explicit(Base):
    class Meta(Base.Meta):
        index_name = "own"


def test_defaults():
    assert Plain._meta == ModelMeta(
        global_key_prefix="",
        model_key_prefix=f"{__name__}.Plain",
        primary_key_pattern="{pk}",
        database=None,
        primary_key_creator_cls=UlidPrimaryKey,
        index_name=f":{__name__}.Plain:index",
        embedded=False,
        encoding="utf-8",
    )


def test_settings_are_inherited_one_by_one_but_for_the_two_names():
    assert Child._meta == ModelMeta(
        global_key_prefix="::shop:",
        model_key_prefix=f"{__name__}.Child",
        primary_key_pattern="v:{pk}",
        database=CLIENT,
        primary_key_creator_cls=Numbered,
        index_name=f"::shop::{__name__}.Child:index",
        embedded=False,
        encoding="latin-1",
    )


def test_one_setting_changes_and_an_empty_one_does_not():
    assert Changed._meta.encoding == "utf-16"
    # As redis-om: keys of existing data depend on it.
    assert Changed._meta.global_key_prefix == "::shop:"
    assert Changed._meta.model_key_prefix == f"{__name__}.Changed"


def test_a_meta_that_inherits_in_python_shares_even_the_names():
    assert (Explicit._meta.model_key_prefix, Explicit._meta.index_name) == ("base", "own")


def test_a_meta_class_from_outside_works_too():
    class Shared:
        global_key_prefix = "outside"

    class Model(JsonModel):
        class Meta(Shared):
            pass

    assert Model._meta.global_key_prefix == "outside"


def test_embedded_is_inherited():
    class Address(EmbeddedJsonModel):
        street: str = ""

    class Office(Address):
        floor: int = 0

    class MarkedByHand(JsonModel):
        class Meta:
            embedded = True

    assert all(model._meta.embedded for model in (Address, Office, MarkedByHand))


def test_settings_can_be_assigned_without_touching_other_models():
    class One(HashModel):
        pass

    class Two(One):
        pass

    other = object()
    One._meta.database = other
    assert (Two._meta.database, HashModel._meta.database) == (None, None)

    class Late(One):
        pass

    assert Late._meta.database is other
    One._meta = ModelMeta(model_key_prefix="x")
    assert One.make_key("1") == ":x:1"


def test_an_assigned_settings_object_of_any_class_is_inherited():
    class Loose:
        global_key_prefix = "g"
        model_key_prefix = "loose"
        primary_key_pattern = "{pk}"

    class One(HashModel):
        pass

    One._meta = Loose  # type: ignore[assignment]  # a class that does not pass for Meta

    class Two(One):
        pass

    assert One.make_primary_key("1") == "g:loose:1"
    assert Two._meta.global_key_prefix == "g"


@pytest.mark.parametrize("name", ["utf-88", "hex", "rot13", "undefined"])
def test_an_encoding_that_does_not_exist_or_is_not_one_of_text_is_refused(name):
    with pytest.raises(RedisModelError, match=rf"Meta.encoding '{name}' is not a known encoding"):

        class Wrong(HashModel):
            class Meta:
                encoding = name


def test_unknown_settings_do_not_disturb():
    class Model(HashModel):
        class Meta:
            global_key_prefix = "g"
            something_of_the_application = 1

    assert Model._meta.global_key_prefix == "g"


def test_meta_of_a_class_is_the_settings_it_has():
    class Silent(HashModel):
        pass

    class Talking(HashModel):
        class Meta:
            of_the_application = 1

    class Later(Talking):
        class Meta:
            encoding = "latin-1"

    assert Silent.Meta is Silent._meta
    assert Silent.Meta.index_name == f":{__name__}.Silent:index"
    other = object()
    Silent.Meta.database = other
    Talking.Meta.global_key_prefix = "late"
    assert Silent._meta.database is other
    assert HashModel._meta.database is None
    assert (Talking.make_key("1")[:5], Talking.Meta.of_the_application) == ("late:", 1)
    assert Later.make_key("1") == f":{__name__}.Later:1"
    for missing in ("nothing", "_nothing"):
        with pytest.raises(AttributeError, match=missing):
            getattr(Later.Meta, missing)


def test_a_meta_that_inherits_in_python_shares_default_names():
    class Parent(HashModel, abc.ABC):
        class Meta:
            global_key_prefix = "g"
            of_the_application = 1

    class Heir(Parent):
        class Meta(Parent.Meta):
            primary_key_pattern = "p-{pk}"

    class Own(Heir):
        pass

    assert Heir(pk="1").key() == f"g:{__name__}.Parent:p-1"  # as redis-om has it: data lies under such keys
    assert Heir.Meta.of_the_application == 1
    assert Own(pk="1").key() == f"g:{__name__}.Own:p-1"


def test_the_names_of_our_own_classes_are_not_shared():
    class One(HashModel):
        class Meta(HashModel.Meta):
            global_key_prefix = "g"

    class Part(EmbeddedJsonModel):
        class Meta(EmbeddedJsonModel.Meta):
            pass

    assert One.make_key("1") == f"g:{__name__}.One:1"
    assert Part._meta.embedded


def test_a_class_from_elsewhere_may_be_the_meta():
    class Shared:
        global_key_prefix = "outside"

    class Model(JsonModel):
        Meta = Shared

    assert Model.make_key("1") == f"outside:{__name__}.Model:1"


def test_the_primary_key_is_among_the_settings():
    class Plain(HashModel):
        pass

    class Named(Plain):
        name: str = Field(primary_key=True)

    class Part(EmbeddedJsonModel):
        name: str

    assert Plain.Meta.primary_key == PrimaryKey("pk", Plain.model_fields["pk"])
    assert Named.Meta.primary_key == PrimaryKey("name", Named.model_fields["name"])
    assert Named.Meta.primary_key.field.name == "name"
    assert Part.Meta.primary_key is None
    with pytest.raises(AttributeError, match="cannot be set: it is derived from the fields"):
        Named.Meta.primary_key = None


def test_a_creator_of_primary_keys_that_is_assigned_is_used():
    class Counting:
        def create_pk(self, *args, **kwargs):
            return "counted"

    class Model(JsonModel):
        pass

    class Heir(Model):
        pass

    assert len(Model().pk) == 26
    Model.Meta.primary_key_creator_cls = Counting
    assert (Model().pk, Model(pk="").pk, len(Heir().pk)) == ("counted", "counted", 26)
    Model.Meta.primary_key_creator_cls = UlidPrimaryKey
    assert len(Model().pk) == 26


def test_what_cannot_be_changed_in_a_model_that_is_made():
    class Model(JsonModel):
        pass

    Model.Meta.embedded = False
    with pytest.raises(
        AttributeError, match=r"Meta\.embedded of Model cannot be changed after the model is created"
    ):
        Model.Meta.embedded = True
    with pytest.raises(AttributeError, match="Meta has no setting 'nothing'"):
        Model.Meta.nothing


class Named:
    class Meta:
        global_key_prefix = "mixed"
        model_key_prefix = "in"


class Inheriting(Named):
    pass


class Validated(pydantic.BaseModel):
    class Meta:
        global_key_prefix = "mixed"
        model_key_prefix = "in"


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize("mixin", [Named, Inheriting, Validated])
def test_the_meta_of_a_mixin_counts_as_the_models_own(base, mixin):
    """As in redis-om 1.2.0, which looks Meta up as Python does: the keys of existing data depend on it."""

    class Shop(base, abc.ABC):
        class Meta:
            encoding = "latin-1"
            model_key_prefix = "shop"

    class Mixed(mixin, base):
        pass

    class AfterABase(mixin, Shop):
        pass

    class Before(base, mixin):
        pass

    class Own(mixin, base):
        class Meta:
            primary_key_pattern = "x{pk}"

    class OwnOfTheMixin(mixin, base):
        class Meta(mixin.Meta):
            primary_key_pattern = "x{pk}"

    class Abstract(mixin, base, abc.ABC):
        pass

    class Child(Abstract):
        pass

    def named(model):
        return f":{__name__}.{model.__name__}:1"

    assert Mixed(pk="1").key() == AfterABase(pk="1").key() == "mixed:in:1"
    assert (AfterABase._meta.index_name, AfterABase._meta.encoding) == ("mixed:in:index", "latin-1")
    assert Before(pk="1").key() == named(Before)
    assert Own(pk="1").key() == f":{__name__}.Own:x1"
    assert OwnOfTheMixin(pk="1").key() == "mixed:in:x1"
    assert Child(pk="1").key() == f"mixed{named(Child)}"


def test_models_with_the_same_mixin_have_keys_of_their_own():
    class Shared:
        class Meta:
            global_key_prefix = "app"

    class First(Shared, HashModel):
        pass

    class Second(Shared, HashModel):
        pass

    assert First(pk="1").key() == f"app:{__name__}.First:1"
    assert Second(pk="1").key() == f"app:{__name__}.Second:1"


def test_the_meta_of_a_mixin_leaves_parts_embedded():
    class Part(Named, EmbeddedJsonModel):
        pass

    assert Part._meta.embedded


def misspelt():
    """Each setting with a letter missing, doubled or exchanged, and in other case."""
    for setting in SETTINGS[:-1]:
        for at in range(1, len(setting)):
            yield setting[:at] + setting[at + 1 :], setting
            yield setting[:at] + setting[at] + setting[at:], setting
        yield setting.replace("_", ""), setting
        yield setting.title().replace("_", ""), setting
        yield f"{setting}s", setting


def in_the_body(name):
    class Model(HashModel):
        Meta = type("Meta", (), {name: "x"})


def inherited(name):
    class Model(HashModel):
        class Meta(type("Common", (), {name: "x"})):
            pass


def in_a_mixin(name):
    class Mixin:
        Meta = type("Meta", (), {name: "x"})

    class Model(Mixin, HashModel):
        pass


def assigned(name):
    class Model(HashModel):
        pass

    setattr(Model._meta, name, "x")


@pytest.mark.sample(3)
@pytest.mark.parametrize("give", [in_the_body, inherited, in_a_mixin, assigned])
def test_a_misspelt_setting_is_refused(give):
    """It would be ignored, and documents would get other keys."""
    for name, setting in misspelt():
        if name in SETTINGS:
            continue
        with pytest.raises(RedisModelError, match=rf"unknown setting Meta.{name}. Did you mean {setting!r}"):
            give(name)


@pytest.mark.parametrize(
    ("name", "setting"), [("key_prefix", "model_key_prefix"), ("database_url", "database")]
)
def test_a_doubtful_setting_warns(name, setting):
    with pytest.warns(UserWarning, match=rf"Meta.{name} has no effect. Did you mean {setting!r}"):
        in_the_body(name)


FOREIGN = """
    primary_key ordering abstract index indexes name table ttl _private verbose_name
    url prefix schema fields key title tenant cache_seconds
"""


@pytest.mark.parametrize("name", FOREIGN.split())
def test_settings_of_an_application_are_accepted(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_the_body(name)
        if name != "primary_key":  # of a model that is made, it is known
            assigned(name)
