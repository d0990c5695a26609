"""Reads Python source without running it: classes, their methods, the requests in their bodies.

An SDK takes seconds to import; its syntax tree says the same and cannot fail on a missing extra.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Method(NamedTuple):
    """A method of an SDK and one request that it sends."""

    name: str
    """As written after the client: `chat.completions.create`; sync and async twins alike."""
    route: str
    """`POST /chat/completions`; "" where its source shows none."""


class Way(NamedTuple):
    """How the classes of one code generator are read."""

    is_client: Callable[[ast.ClassDef], bool]
    routes: Callable[[Function], Iterable[str]]
    name: Callable[[tuple[str, ...], str, str], str]
    """(module path below the package, class, method) -> name of the method."""


def methods(folder: Path, files: Iterable[Path], way: Way) -> set[Method]:
    """The public methods of the client classes in these files, with their requests.

    A method that sends nothing itself has the requests of the methods of its class that it calls.
    """
    found: set[Method] = set()
    for path in files:
        module = path.relative_to(folder).with_suffix("").parts
        for owner in _classes(path):
            if way.is_client(owner):
                for method, routes in _of_class(owner, way.routes).items():
                    name = way.name(module, owner.name, method)
                    found.update(Method(name, route) for route in routes or ("",))
    # An overload or an older twin without a readable request says nothing beside one that has it.
    sending = {method.name for method in found if method.route}
    return {method for method in found if method.route or method.name not in sending}


def functions(path: Path) -> Iterator[Function]:
    """The functions of a module, those of its classes not among them."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def base_names(owner: ast.ClassDef) -> list[str]:
    """The last words of a class's bases: `BaseModule` for `_api_module.BaseModule`."""
    return [ast.unparse(base).rpartition(".")[2] for base in owner.bases]


def url_of(node: ast.expr | None) -> str | None:
    """The URL path that an expression stands for, its parameters in braces; None for others."""
    if isinstance(node, ast.Call):
        # The text is what is formatted, or the first argument of the function that does it.
        formatted = node.func.value if isinstance(node.func, ast.Attribute) else None
        return url_of(formatted or next(iter(node.args), None))
    if isinstance(node, ast.IfExp):
        return url_of(node.body)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return re.sub(r"\{[^}]*\}", _last_word, ast.unparse(node)[2:-1])
    return None


def _last_word(braces: re.Match[str]) -> str:
    words: list[str] = re.findall(r"[a-z]\w*", braces[0])
    return f"{{{words[-1] if words else 'id'}}}"


def calls(function: Function) -> Iterator[ast.Call]:
    """Every call in a function's body, nested functions included."""
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((word.value for word in call.keywords if word.arg == name), None)


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    tree = ast.parse(path.read_bytes())
    return (node for node in tree.body if isinstance(node, ast.ClassDef))


def _of_class(
    owner: ast.ClassDef, routes_in: Callable[[Function], Iterable[str]]
) -> dict[str, set[str]]:
    bodies: dict[str, list[Function]] = {}
    for node in owner.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_attribute(node):
            bodies.setdefault(node.name, []).append(node)
    own = {name: {r for each in group for r in routes_in(each)} for name, group in bodies.items()}
    return {
        name: own[name] or _called(name, bodies, own, set())
        for name in bodies
        if not name.startswith("_")
    }


def _called(
    name: str, bodies: dict[str, list[Function]], own: dict[str, set[str]], seen: set[str]
) -> set[str]:
    """The requests of the methods of the same class that this one mentions."""
    # Methods of a class may call each other in a circle.
    seen.add(name)
    found: set[str] = set()
    for node in (node for body in bodies[name] for node in ast.walk(body)):
        if not (isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"):
            continue
        if node.attr in bodies and node.attr not in seen:
            found |= own[node.attr] or _called(node.attr, bodies, own, seen)
    return found


def _is_attribute(function: Function) -> bool:
    words = {ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list}
    return not words.isdisjoint(("property", "cached_property", "staticmethod", "classmethod"))
