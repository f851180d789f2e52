"""Words, parts of words, and orders."""

from typing import List

from redis_om import Field, HashModel, JsonModel, Migrator


class Article(JsonModel, index=True):
    title: str = Field(index=True, full_text_search=True)
    author: str = Field(index=True, case_sensitive=True)
    tags: List[str] = Field(default=[], index=True)
    words: int = Field(index=True, sortable=True)


class Word(HashModel, index=True):
    text: str = Field(index=True, sortable=True)
    labels: str = Field(default="", index=True, separator=",")


def main():
    Migrator().run()
    Article.add(
        [
            Article(pk="1", title="Redis in action", author="Ann", tags=["redis", "db"], words=300),
            Article(pk="2", title="Cooking with fire", author="ann", tags=["food"], words=100),
            Article(pk="3", title="Redis and fire", author="Bob", words=200),
        ]
    )

    def pks(query):
        return [one.pk for one in query.sort_by("words").all()]

    print(pks(Article.find(Article.title % "redis")), pks(Article.find(Article.title % "redis fire")))
    print(pks(Article.find(Article.author == "Ann")), pks(Article.find(Article.author != "Ann")))
    print(pks(Article.find(Article.tags << ["db", "food"])), pks(Article.find(~(Article.title % "fire"))))
    print(pks(Article.find((Article.title % "fire") & (Article.words > 150))))
    Word.add([Word(pk=text, text=text, labels=labels) for text, labels in (("alpha", "x,y"), ("beta", "y"), ("alps", ""))])
    print([one.pk for one in Word.find(Word.text.startswith("al")).sort_by("text").all()])
    print([one.pk for one in Word.find(Word.text.contains("ph")).all()], [one.pk for one in Word.find(Word.text.endswith("ta")).all()])
    print([one.pk for one in Word.find(Word.labels == "y").sort_by("-text").all()])
    print(Word.find(Word.text >> ["alpha", "beta"]).first().pk, Word.find().sort_by("text")[1].pk)
    print([sorted(one.items()) for one in Article.find().sort_by("words").values("title", "words").all()])
    print([(one.title, one.words) for one in Article.find(Article.words >= 200).sort_by("words").only("title", "words").all()])
