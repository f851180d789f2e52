"""The ways of pydantic: computed fields, create_model, aliases, validators, serializers, configuration, containers."""

from __future__ import annotations
import copy
import dataclasses
import datetime
import enum
import json
import pickle
import uuid
from typing import *
from redis_om import HashModel, JsonModel, EmbeddedJsonModel, Field, Migrator
from pydantic import *
from redis_om import Field
from typing_extensions import TypedDict
import pydantic
from pydantic.dataclasses import dataclass as pdc
def t(label, f):
    try: print(label, "->", str(f())[:350])
    except BaseException as e: print(label, "->", type(e).__name__, str(e)[:250].replace("\n"," / "))
def raw(d):
    db=d.db(); k=d.key()
    try: r = db.json().get(k) if isinstance(d, JsonModel) else db.hgetall(k)
    except Exception as e: r=e
    return r
def round(M, **v):
    Migrator().run()
    d=M(pk="1",**v); d.save(); r=M.get("1")
    return raw(d), r, r==d, M.find().count()
class CE(HashModel, index=True):
    a: int = Field(index=True)
    @computed_field
    @property
    def b(self) -> int: return self.a*2
t("computed hash", lambda: round(CE, a=2))
class CJ(JsonModel, index=True):
    a: int = Field(index=True)
    @computed_field
    @property
    def b(self) -> int: return self.a*2
t("computed json", lambda: round(CJ, a=2))
t("computed find", lambda: CJ.find(CJ.a==2).all())
t("computed values all", lambda: CJ.find().values().all())
CM = create_model("CM", __base__=HashModel, __module__=__name__, x=(int, Field(index=True)), __cls_kwargs__={"index":True})
t("create_model", lambda: round(CM, x=3))
t("create_model find", lambda: CM.find(CM.x==3).all())
CM2 = create_model("CM2", __base__=JsonModel, __module__=__name__, x=(int, ...), __cls_kwargs__={"index":True})
t("create_model2", lambda: round(CM2, x=3))
class AG(JsonModel, index=True):
    first_name: str = Field(index=True)
    model_config = ConfigDict(alias_generator=lambda s: s.upper(), populate_by_name=True)
t("alias gen", lambda: round(AG, FIRST_NAME="a"))
class FR(JsonModel, index=True):
    a: int = Field(index=True)
    model_config=ConfigDict(frozen=True)
t("frozen", lambda: round(FR, a=1))
t("frozen hash", lambda: hash(FR(pk="1",a=1))==hash(FR(pk="1",a=1)))
class EX(HashModel, index=True):
    a: int
    model_config=ConfigDict(extra="allow")
t("extra", lambda: round(EX, a=1, b="x"))
class EXJ(JsonModel, index=True):
    a: int
    model_config=ConfigDict(extra="allow")
t("extraj", lambda: round(EXJ, a=1, b={"c":1}))
class EXF(JsonModel, index=True):
    a: int
    model_config=ConfigDict(extra="forbid")
t("forbid", lambda: round(EXF, a=1))
class VA(JsonModel, index=True):
    a: int
    model_config=ConfigDict(validate_assignment=True)
def f():
    d=VA(pk="1",a=1); d.a="5"; return d.a, d.save(), VA.get("1")
t("validate_assignment", f)
class Col(enum.Enum): R="r"; G="g"
class Num(enum.IntEnum): A=1; B=2
class UE(JsonModel, index=True):
    c: Col = Field(index=True)
    n: Num
    model_config=ConfigDict(use_enum_values=True)
t("use_enum", lambda: round(UE, c=Col.R, n=Num.B))
class MV(HashModel, index=True):
    a: int
    b: int = 0
    @model_validator(mode="after")
    def chk(self):
        if self.a < 0: raise ValueError("neg")
        return self
    @field_validator("b")
    @classmethod
    def bv(cls, v): return v+1
t("validators", lambda: round(MV, a=1, b=1))
class FS(JsonModel, index=True):
    a: datetime.datetime
    s: set[str] = set()
    @field_serializer("a")
    def ser(self, v): return v.isoformat()
t("field_serializer", lambda: round(FS, a=datetime.datetime(2023,1,1,tzinfo=datetime.timezone.utc), s={"x"})[0])
class MS(JsonModel, index=True):
    a: int
    @model_serializer
    def ser(self): return {"pk":self.pk,"a":self.a+1}
t("model_serializer", lambda: round(MS, a=1))
class MSW(JsonModel, index=True):
    a: int
    @model_serializer(mode="wrap")
    def ser(self, h): return {**h(self), "extra": 1}
t("model_serializer wrap", lambda: round(MSW, a=1))
class PA(JsonModel, index=True):
    a: int
    _p: int = PrivateAttr(default=5)
    K: ClassVar[int] = 7
    def model_post_init(self, ctx): self._p = 9
t("private", lambda: (round(PA, a=1), PA.K, PA(a=1)._p))
class MIX(BaseModel):
    created: datetime.datetime = Field(default_factory=lambda: datetime.datetime(2023,1,1,tzinfo=datetime.timezone.utc))
class WM(MIX, HashModel, index=True):
    a: int = Field(index=True)
t("mixin first", lambda: round(WM, a=1))
class WM2(HashModel, MIX, index=True):
    a: int = Field(index=True)
t("mixin last", lambda: round(WM2, a=1))
class PM:
    def hello(self): return f"hi {self.a}"
class WM3(PM, JsonModel, index=True):
    a: int
t("plain mixin", lambda: WM3(a=1).hello())
@pdc
class PD: x: int; when: datetime.date
@dataclasses.dataclass
class DC: x: int
class TD(TypedDict): x: int
class NT(NamedTuple): x: int; y: str
class DCJ(JsonModel, index=True):
    p: PD; d: DC; t: TD; n: NT
t("dataclasses", lambda: round(DCJ, p=PD(1,datetime.date(2023,1,1)), d=DC(2), t={"x":1}, n=NT(1,"a")))
class Cat(EmbeddedJsonModel): kind: Literal["cat"]; m: int = Field(default=0,index=True)
class Dog(EmbeddedJsonModel): kind: Literal["dog"]; b: int = 0
class DU(JsonModel, index=True):
    pet: Union[Cat, Dog] = Field(discriminator="kind")
t("discriminated", lambda: round(DU, pet={"kind":"dog","b":3}))
t("construct", lambda: (CE.model_construct(pk="9", a=1).save(), CE.get("9")))
t("copy", lambda: (CE(pk="1",a=1).model_copy(update={"a":2}), copy.copy(CE(pk="1",a=1)), copy.deepcopy(CJ(pk="1",a=1)), pickle.loads(pickle.dumps(CJ(pk="1",a=1)))))
t("validate json", lambda: CJ.model_validate_json('{"pk":"1","a":2}'))
t("from orm", lambda: CJ.model_validate(type("O",(),{"pk":"1","a":2})()))
t("eq", lambda: (CJ(pk="1",a=1)==CJ(pk="1",a=1), CJ(pk="1",a=1)==CJ(pk="2",a=1)))
t("iter", lambda: dict(CJ(pk="1",a=1)))
t("fields_set", lambda: (sorted(CJ(pk="1",a=1).model_fields_set), sorted(CJ(a=1).model_fields_set)))
t("repr", lambda: repr(CJ(pk="1",a=1)))
t("dump", lambda: (CJ(pk="1",a=1).model_dump(), CJ(pk="1",a=1).dict(), CJ(pk="1",a=1).json()))
t("parse_obj", lambda: CJ.parse_obj({"pk":"1","a":1}))
t("fields", lambda: (list(CJ.model_fields), list(CE.__fields__)))
class INI(JsonModel, index=True):
    a: int
    b: int
    def __init__(self, a=0, **kw): super().__init__(a=a, b=a+1, **{k:v for k,v in kw.items() if k!="b"})
t("own init", lambda: round(INI, a=4))
class PKI(JsonModel, index=True):
    id: uuid.UUID = Field(default_factory=lambda: uuid.UUID(int=5), primary_key=True)
    note: str = Field(default="", index=True)
t("uuid pk", lambda: PKI.get(PKI().save().id) is not None)
class DT(HashModel, index=True):
    d: datetime.date = Field(index=True)
    tm: datetime.time = datetime.time(1,2)
t("dates", lambda: round(DT, d=datetime.date(2023,1,1)))
class OPT(HashModel, index=True):
    o: Optional[int] = Field(default=None, index=True)
    p: int | None = None
    q: Union[str, int] = "a"
t("optional", lambda: round(OPT))
class NOANN(HashModel, index=True):
    a: "int" = Field(index=True)
t("string ann", lambda: NOANN.redisearch_schema())
class TAl(JsonModel, index=True):
    tags: List[str] = Field(index=True, default=[])
    tup: Tuple[str, ...] = Field(index=True, default=())
    fs: FrozenSet[int] = frozenset()
    any: Any = None
    dd: Dict[str, List[int]] = {}
t("containers", lambda: (round(TAl, tags=["a"], tup=("b",), fs={1}, any={"x":[1]}, dd={"a":[1]}), TAl.redisearch_schema()))


def main():
    pass
