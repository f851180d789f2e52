"""Routes in a table, one function each; errors of models become status codes."""

import json
from typing import Any, Callable, Dict, Optional, Tuple

from pydantic import EmailStr, ValidationError  # noqa: F401
from redis_om import Field, HashModel, Migrator
from redis_om.model.model import NotFoundError

ROUTES: Dict[Tuple[str, str], Callable[..., Any]] = {}


class Customer(HashModel, index=True):
    first_name: str = Field(index=True)
    last_name: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    bio: Optional[str] = None


def route(method: str, path: str):
    def register(function):
        ROUTES[method, path] = function
        return function

    return register


@route("POST", "/customers")
def create(body):
    try:
        customer = Customer(**body)
    except ValidationError as error:
        return 400, [one["loc"] for one in error.errors()]
    customer.save()
    return 201, json.loads(customer.json())


@route("GET", "/customers")
def show(body):
    try:
        return 200, Customer.get(body["pk"]).dict()
    except NotFoundError:
        return 404, {}


@route("GET", "/customers/by-name")
def by_name(body):
    found = Customer.find(Customer.last_name == body["name"]).sort_by("-age").all()
    return 200, [one.dict() for one in found]


@route("PUT", "/customers")
def change(body):
    customer = Customer.get(body.pop("pk"))
    customer.update(**body)
    return 200, customer.dict()


@route("DELETE", "/customers")
def remove(body):
    return 204, Customer.delete(body["pk"])


def main():
    Migrator().run()
    for method, path, body in [
        ("POST", "/customers", {"pk": "1", "first_name": "Ann", "last_name": "Lee", "age": 30}),
        ("POST", "/customers", {"pk": "2", "first_name": "Bob", "last_name": "Lee", "age": 41, "bio": "é"}),
        ("POST", "/customers", {"pk": "3", "first_name": "Cid"}),
        ("GET", "/customers", {"pk": "1"}),
        ("GET", "/customers", {"pk": "9"}),
        ("GET", "/customers/by-name", {"name": "Lee"}),
        ("PUT", "/customers", {"pk": "1", "age": 31, "bio": "new"}),
        ("GET", "/customers", {"pk": "1"}),
        ("DELETE", "/customers", {"pk": "2"}),
        ("GET", "/customers", {"pk": "2"}),
        ("GET", "/customers/by-name", {"name": "Lee"}),
    ]:
        print(method, path, *ROUTES[method, path](dict(body)))
