"""A repository for any model, generic over it."""

from typing import Any, Generic, List, Optional, Type, TypeVar

from redis_om import Field, HashModel, JsonModel, Migrator, NotFoundError, RedisModel

M = TypeVar("M", bound=RedisModel)


class Repository(Generic[M]):
    def __init__(self, model: Type[M]) -> None:
        self.model = model

    def create(self, **values: Any) -> M:
        return self.model(**values).save()

    def find_by_id(self, pk: Any) -> Optional[M]:
        try:
            return self.model.get(pk)
        except NotFoundError:
            return None

    def find_by(self, **values: Any) -> List[M]:
        conditions = [getattr(self.model, name) == value for name, value in values.items()]
        return self.model.find(*conditions).all()

    def all(self) -> List[M]:
        return self.model.find().all()

    def remove(self, document: M) -> bool:
        return bool(self.model.delete(document.pk))


class Book(HashModel, index=True):
    title: str = Field(index=True)
    year: int = Field(index=True)


class Shelf(JsonModel, index=True):
    place: str = Field(index=True)
    books: List[str] = Field(default_factory=list, index=True)


class BookRepository(Repository[Book]):
    def __init__(self) -> None:
        super().__init__(Book)

    def older_than(self, year: int) -> List[Book]:
        return self.model.find(self.model.year < year).sort_by("year").all()


def main():
    Migrator().run()
    books, shelves = BookRepository(), Repository(Shelf)
    for pk, title, year in [("1", "A", 1999), ("2", "B", 2005), ("3", "A", 2010)]:
        print(books.create(pk=pk, title=title, year=year))
    print(shelves.create(pk="s", place="hall", books=["1", "3"]))
    print(books.find_by_id("2"), books.find_by_id("no"))
    print(sorted(one.pk for one in books.find_by(title="A")), [one.pk for one in books.find_by(title="A", year=2010)])
    print([one.pk for one in books.older_than(2008)])
    print([one.pk for one in Shelf.find(Shelf.books << ["3", "9"]).all()])
    print(books.remove(books.find_by_id("2")), len(books.all()), shelves.all())
