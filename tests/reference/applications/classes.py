"""Every class of the library as a base, a mixin, a generic or an abstract class."""

import abc
import enum
from typing import *
from redis_om import *
from redis_om.model.model import ModelMeta, RedisModel, Expression, ExpressionProxy, FieldInfo, UlidPrimaryKey, PrimaryKeyCreator, PartialModel
from redis_om.model.types import *
import pydantic
def t(label, f):
    try: print(label, "->", str(f())[:260])
    except BaseException as e: print(label, "->", type(e).__name__, str(e)[:200].replace("\n"," / "))

def main():
    global H
    class H(HashModel, index=True):
        a: int = Field(index=True, default=1)
        class Meta: model_key_prefix="h"
    Migrator().run(); H(pk="1").save()
    def f():
        class Q(FindQuery):
            def first_or_none(self):
                try: return self.first()
                except NotFoundError: return None
        q=Q(expressions=[H.a==9], model=H); return q.first_or_none(), type(q.copy()).__name__, type(q.sort_by("a")).__name__
    t("FindQuery sub", f)
    def f():
        class M(Migrator):
            def run(self): super().run(); return "ran"
        return M().run()
    t("Migrator sub", f)
    def f():
        class G(GeoFilter):
            @classmethod
            def around(cls, x): return cls(longitude=x, latitude=x, radius=1, unit="km")
        return str(G.around(3))
    t("GeoFilter sub", f)
    def f():
        class V(VectorFieldOptions): pass
        return V.flat(V.TYPE.FLOAT32, 2, V.DISTANCE_METRIC.L2).schema
    t("Vector sub", f)
    def f():
        class K(KNNExpression): pass
        return K(1, H.a, H.a, b"").k
    t("KNN sub", f)
    def f():
        class MM(ModelMeta):
            def __new__(m, name, bases, ns, **kw):
                c=super().__new__(m,name,bases,ns,**kw); c.tagged=True; return c
        class X(HashModel, metaclass=MM, index=True): a: int
        return X.tagged, X(pk="1",a=1).save().key()
    t("metaclass sub", f)
    def f():
        class X(HashModel, JsonModel, index=True): a: int
        return X(pk="1",a=1).save()
    t("both", f)
    def f():
        class A(HashModel, abc.ABC):
            a: int
            @abc.abstractmethod
            def m(self): ...
        class B(A, index=True):
            def m(self): return 5
        try: A(a=1); r="made"
        except TypeError as e: r="abstract"
        return r, B(a=1).m(), B(pk="1",a=1).save().key()
    t("abstract", f)
    def f():
        T=TypeVar("T")
        class Repo(Generic[T]):
            model: Type[T]
            def get(self, pk): return self.model.get(pk)
        class HR(Repo[H]): model=H
        return HR().get("1")
    t("generic repo", f)
    def f():
        class Mix:
            @classmethod
            def by_a(cls, a): return cls.find(cls.a==a).all()
            def hello(self): return self.pk
        class X(Mix, HashModel, index=True):
            a: int = Field(index=True)
        Migrator().run(); X(pk="x",a=4).save(); return X.by_a(4)[0].hello()
    t("mixin classmethods", f)
    def f():
        class Base(HashModel, abc.ABC):
            a: int = Field(index=True)
        class Sub(Base, index=True):
            b: int = Field(index=True, default=2)
        Migrator().run(); Sub(pk="1",a=3).save(); return Sub.find(Sub.a==3).count(), Sub.find(Sub.b==2).count(), Sub.Meta.model_key_prefix
    t("non abstract base", f)
    def f():
        class Super(JsonModel, abc.ABC):
            def save(self, *a, **kw):
                self.n += 1; return super().save(*a, **kw)
            @classmethod
            def get(cls, pk): d = super().get(pk); d.n += 100; return d
        class Counted(Super, index=True): n: int = 0
        Counted(pk="1").save(); return Counted.get("1").n
    t("override save/get", f)
    def f():
        class X(HashModel, index=True):
            a: int
            def __eq__(self, o): return self.a == o.a
            def __hash__(self): return hash(self.a)
            def __str__(self): return f"X{self.a}"
            def __lt__(self, o): return self.a > o.a
            def __len__(self): return self.a
            def __bool__(self): return True
            def __getitem__(self, k): return getattr(self,k)
            def __contains__(self, k): return k in self.__class__.model_fields
        return X(a=1)==X(a=1), len({X(a=1),X(a=1)}), str(X(a=3)), X(a=3)<X(a=1), X(a=3)["a"], "a" in X(a=1), X(pk="1",a=2).save() and str(X.get("1"))
    t("dunder", f)
    def f():
        class X(HashModel, index=True):
            a: int = Field(index=True)
            @property
            def double(self): return self.a*2
            @double.setter
            def double(self, v): self.a = v//2
            @staticmethod
            def st(): return 1
            @classmethod
            def cm(cls): return cls.__name__
        x=X(pk="1",a=2); x.double=10; return x.a, x.st(), X.cm(), x.save() and X.get("1").double
    t("props", f)
    def f():
        from functools import cached_property
        class X(HashModel, index=True):
            a: int
            @cached_property
            def c(self): return self.a+1
        x=X(pk="1",a=2); x.c; x.save(); return X.db().hgetall(x.key()), X.get("1").c
    t("cached_property", f)
    def f():
        class Outer:
            class Inner(HashModel, index=True): a: int
        return Outer.Inner.Meta.model_key_prefix, Outer.Inner(a=1).key()[:15]
    t("nested class", f)
    def f():
        class Creator(UlidPrimaryKey):
            def create_pk(self, *a, **k): return "c"
        class X(HashModel, index=True):
            a: int
            class Meta: primary_key_creator_cls=Creator
        return X(a=1).pk
    t("creator sub", f)
    def f():
        class Creator:
            @staticmethod
            def create_pk(*a, **k): return "s"
        class X(HashModel, index=True):
            a: int
            class Meta: primary_key_creator_cls=Creator
        return X(a=1).pk
    t("creator static", f)
    def f():
        class E(enum.StrEnum): A="a"; B="b"
        class X(HashModel, index=True):
            e: E = Field(index=True)
            s: str = Field(default="k", index=True)
        Migrator().run(); X(pk="1",e=E.A).save(); return X.find(X.e==E.A).count(), X.find(X.e=="a").count(), X.get("1").e
    t("StrEnum", f)
    t("isinstance", lambda: (isinstance(H.a, ExpressionProxy), isinstance(H.a==1, Expression), isinstance(H.model_fields["a"], FieldInfo), isinstance(H, ModelMeta), isinstance(H(), RedisModel), issubclass(H, HashModel), issubclass(H, JsonModel)))
    def f():
        class X(HashModel, index=True):
            a: int
            class Meta:
                database = get_redis_connection()
                extra = {"my": 1}
        return X.Meta.extra, X._meta.extra
    t("meta extra", f)
    def f():
        class X(HashModel, index=True):
            a: int
            class Config: anystr_strip_whitespace = True
        return X(a=1).a
    t("class Config", f)
    def f():
        class Configured(JsonModel, index=True):
            a: int
            model_config = pydantic.ConfigDict(validate_default=True, arbitrary_types_allowed=True, json_schema_extra={"example":1})
        return Configured(pk="1",a=1).save().a
    t("config", f)
    def f():
        class X(HashModel, index=True, frozen=True):
            a: int
        return X(pk="1",a=1).save().a
    t("class kwargs", f)
