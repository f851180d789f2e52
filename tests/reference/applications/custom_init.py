"""Documents that compute fields when they are made, in `__init__` and after it."""

import hashlib
from typing import Optional

from pydantic import PrivateAttr, computed_field, model_validator
from redis_om import Field, HashModel, JsonModel, Migrator


class Page(HashModel, index=True):
    url: str = Field(index=True)
    digest: Optional[str] = Field(default=None, index=True)
    _seen: bool = PrivateAttr(default=False)

    def __init__(self, **values):
        if values.get("digest") is None and "url" in values:
            values["digest"] = hashlib.md5(values["url"].encode()).hexdigest()[:8]
        super().__init__(**values)

    def see(self):
        self._seen = True
        return self

    @property
    def is_seen(self):
        return self._seen


class Box(JsonModel, index=True):
    width: int = Field(index=True)
    height: int
    label: str = ""

    @model_validator(mode="after")
    def _label(self):
        self.label = self.label or f"{self.width}x{self.height}"
        return self

    @computed_field
    @property
    def area(self) -> int:
        return self.width * self.height

    def grow(self, by: int) -> "Box":
        self.width += by
        return self.save()


def main():
    Migrator().run()
    page = Page(pk="1", url="http://a.b").save()
    print(page, page.see().is_seen, Page.get("1").is_seen, Page.get("1") == Page(pk="1", url="http://a.b"))
    print(Page.find(Page.digest == page.digest).first().url)
    box = Box(pk="1", width=2, height=3).save()
    print(box, box.area, Box.get("1").model_dump(), Box.db().json().get(box.key()))
    print(box.grow(5).area, Box.get("1"), Box.find(Box.width == 7).count())
