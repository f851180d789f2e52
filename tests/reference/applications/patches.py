"""Changes that a client sends in part, with the old and the new document compared."""

from typing import Any, Dict, Optional

from pydantic import BaseModel, ValidationError
from redis_om import Field, HashModel, JsonModel, Migrator, QuerySyntaxError


class Profile(JsonModel, index=True):
    name: str = Field(index=True)
    email: Optional[str] = Field(default=None, index=True)
    settings: Dict[str, Any] = {}
    age: int = Field(default=0, ge=0, index=True)


class ProfilePatch(BaseModel):
    name: Optional[str] = None
    email: Optional[str] = None
    age: Optional[int] = None


class Flag(HashModel, index=True):
    on: bool = Field(default=False, index=True)
    comment: Optional[str] = None


def changed(before, after):
    old, new = before.model_dump(), after.model_dump()
    return {name: (old[name], new[name]) for name in new if old[name] != new[name]}


def main():
    Migrator().run()
    Profile(pk="1", name="ann", settings={"a": [1, {"b": None}]}).save()
    before = Profile.get("1")
    profile = Profile.get("1")
    profile.update(**ProfilePatch(email="a@b.c", age=3).model_dump(exclude_unset=True))
    print(changed(before, Profile.get("1")), Profile.find(Profile.email == "a@b.c").count())
    merged = before.model_copy(update={"name": "eve"})
    merged.save()
    print(Profile.get("1"), changed(before, merged))
    for wrong in ({"age": -1}, {"nothing": 1}):
        try:
            profile.update(**wrong)
        except ValidationError as error:
            print("invalid", [one["loc"] for one in error.errors()])
        except QuerySyntaxError:
            print("no such field")
    flag = Flag(pk="f", on=True, comment="c").save()
    flag.on = False
    flag.save()
    print(Flag.find(Flag.on == False).count(), Flag.find(Flag.on == True).count(), Flag.get("f"))  # noqa: E712
    print(Profile.parse_obj({"pk": "2", "name": "z"}).save().dict(exclude={"settings"}))
    print(Profile.model_validate_json(Profile.get("2").model_dump_json()) == Profile.get("2"))
