"""Which response objects have a receipt already: by identity, then by (provider, response id).

SDK responses are unhashable and equal by value, so they are known by `id()` for as long as they
live; the weak reference's callback forgets the id before Python can give it to another object.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Generic, TypeVar

_Value = TypeVar("_Value")

_ID_LIMIT = 4_096
"""Remembered (provider, response id) pairs; the oldest goes first, so memory stays bounded."""


class _Ref(weakref.ref):  # type: ignore[type-arg]  # a weak reference that knows the id of what it pointed to
    __slots__ = ("key",)

    key: int


class ObjectMemo(Generic[_Value]):
    """Values kept for live objects, by identity; an entry goes when its object dies."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[_Ref, _Value]] = {}

    def get(self, key: object) -> _Value | None:
        """The value of this very object, or None."""
        found = self._entries.get(id(key))
        return found[1] if found is not None else None

    def put(self, key: object, value: _Value) -> None:
        """Keeps a value for as long as `key` lives; replaces an older one.

        Raises:
            TypeError: `key` cannot be weakly referenced.
        """
        reference = _Ref(key, self._forget)
        reference.key = id(key)
        self._entries[reference.key] = (reference, value)

    def pop(self, key: object) -> _Value | None:
        """Takes the value out, or None."""
        found = self._entries.pop(id(key), None)
        return found[1] if found is not None else None

    def pop_all(self) -> list[_Value]:
        """Takes every value out."""
        values = [value for _, value in self._entries.values()]
        self._entries.clear()
        return values

    def died(self, value: _Value) -> None:
        """Called with the value of an object that died with its entry in place.

        Does nothing here.
        """

    def _forget(self, reference: _Ref) -> None:
        found = self._entries.get(reference.key)
        # The id may have been given to a new object whose entry must stay.
        if found is not None and found[0] is reference:
            del self._entries[reference.key]
            self.died(found[1])


_receipts: ObjectMemo[str] = ObjectMemo()
_by_response_id: OrderedDict[tuple[str, str], str] = OrderedDict()


def remember(value: object, receipt_id: str) -> None:
    """Notes that `value` has a receipt; values that cannot be weakly referenced are not noted."""
    try:
        _receipts.put(value, receipt_id)
    except TypeError:
        return


def remember_response_id(provider: str, response_id: str, receipt_id: str) -> None:
    """Notes the fallback key, for records and retrievals only.

    A fresh call is never dropped on its id.
    """
    _by_response_id[(provider, response_id)] = receipt_id
    if len(_by_response_id) > _ID_LIMIT:
        _by_response_id.popitem(last=False)


def receipt_of(value: object) -> str | None:
    """The receipt of this very object, or None."""
    return _receipts.get(value)


def providers_of(response_id: str) -> list[str]:
    """The providers under which this response id has a receipt."""
    return [provider for provider, known in _by_response_id if known == response_id]


def receipt_of_response_id(response_id: str, provider: str | None = None) -> str | None:
    """The receipt of a response id; any provider's when `provider` is None."""
    if provider is not None:
        return _by_response_id.get((provider, response_id))
    for (_, known), receipt_id in reversed(_by_response_id.items()):
        if known == response_id:
            return receipt_id
    return None
