"""Which response objects have a receipt already: by identity, then by (provider, response id).

SDK responses are unhashable and equal by value, so they are known by `id()` for as long as they
live; the weak reference's callback forgets the id before Python can give it to another object.
"""

from __future__ import annotations

import weakref
from itertools import islice
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")

_ID_LIMIT = 4_096
"""Remembered (provider, response id) pairs; the older half goes, so memory stays bounded."""
_DEAD_LIMIT = 1_024
"""Entries of dead answers that may lie about."""


class _Ref(weakref.ref):  # type: ignore[type-arg]  # a weak reference that knows the id of what it pointed to
    __slots__ = ("key",)

    key: int


class ObjectMemo(Generic[_Value]):
    """Values kept for live objects, by identity; an entry goes when its object dies."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[_Ref, _Value]] = {}
        """By id; for those who only ask whether there is any."""

    def get(self, key: object) -> _Value | None:
        """The value of this very object, or None."""
        found = self.entries.get(id(key))
        return found[1] if found is not None else None

    def put(self, key: object, value: _Value) -> None:
        """Keeps a value for as long as `key` lives; replaces an older one.

        Raises:
            TypeError: `key` cannot be weakly referenced.
        """
        reference = _Ref(key, self._forget)
        reference.key = id(key)
        self.entries[reference.key] = (reference, value)

    def pop(self, key: object) -> _Value | None:
        """Takes the value out, or None."""
        found = self.entries.pop(id(key), None)
        return found[1] if found is not None else None

    def values(self) -> list[_Value]:
        """Every value."""
        return [value for _, value in tuple(self.entries.values())]

    def pop_all(self) -> list[_Value]:
        """Takes every value out."""
        values = [value for _, value in self.entries.values()]
        self.entries.clear()
        return values

    def died(self, value: _Value) -> None:
        """Called with the value of an object that died with its entry in place.

        Does nothing here.
        """

    def _forget(self, reference: _Ref) -> None:
        found = self.entries.get(reference.key)
        # The id may have been given to a new object whose entry must stay.
        if found is not None and found[0] is reference:
            del self.entries[reference.key]
            self.died(found[1])


# No `ObjectMemo`: every call passes here, and a callback at the death of every answer costs 1 us
# among cold caches. A dead entry is told by its reference, whoever has its id by then.
_receipts: dict[int, tuple[weakref.ref[Any], str]] = {}
_sweep_at = _DEAD_LIMIT
_by_response_id: dict[tuple[str, str], str] = {}


def remember(value: object, receipt_id: str) -> None:
    """Notes that `value` has a receipt; values that cannot be weakly referenced are not noted."""
    try:
        _receipts[id(value)] = (weakref.ref(value), receipt_id)
    except TypeError:
        return
    if len(_receipts) > _sweep_at:
        _sweep()


def _sweep() -> None:
    global _sweep_at
    for key, entry in list(_receipts.items()):
        if entry[0]() is None and _receipts.get(key) is entry:
            del _receipts[key]
    # As many again as are alive: however many answers a program keeps, a sweep is rare.
    _sweep_at = 2 * len(_receipts) + _DEAD_LIMIT


def remember_response_id(provider: str, response_id: str, receipt_id: str) -> None:
    """Notes the fallback key, for records and retrievals only.

    A fresh call is never dropped on its id.
    """
    remember_answer(None, provider, response_id, receipt_id)


def _forget_older_half() -> None:
    for key in list(islice(_by_response_id, _ID_LIMIT // 2)):
        _by_response_id.pop(key, None)


def remember_answer(value: object, provider: str, response_id: str | None, receipt_id: str) -> None:
    """Notes the receipt of an answer by both keys; None where there is none."""
    if value is not None:
        remember(value, receipt_id)
    if response_id is not None:
        _by_response_id[(provider, response_id)] = receipt_id
        if len(_by_response_id) > _ID_LIMIT:
            _forget_older_half()


def receipt_of(value: object) -> str | None:
    """The receipt of this very object, or None."""
    found = _receipts.get(id(value))
    return found[1] if found is not None and found[0]() is value else None


def providers_of(response_id: str) -> list[str]:
    """The providers under which this response id has a receipt."""
    return [provider for provider, known in list(_by_response_id) if known == response_id]


def receipt_of_response_id(response_id: str, provider: str | None = None) -> str | None:
    """The receipt of a response id; any provider's when `provider` is None."""
    if provider is not None:
        return _by_response_id.get((provider, response_id))
    for (_, known), receipt_id in reversed(list(_by_response_id.items())):
        if known == response_id:
            return receipt_id
    return None
