"""A small `sys.meta_path` finder that runs a patcher right after its target has been executed.

It never finds a module itself: it asks the finders behind it, and sets `exec_module` on the one
loader instance that they return, so that `__spec__`, `__loader__`, `inspect.getsource` and
resources stay as they are.
"""

from __future__ import annotations

import sys

from anchor_autopatch.host.targets import (
    DEPENDENCIES,
    EXECUTORS,
    FRAMEWORKS,
    PARTS,
    TARGETS,
    Target,
)

# Spelled out: `import typing` would cost every process of the host 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_IMPORTED = (*TARGETS, *PARTS, *DEPENDENCIES, *FRAMEWORKS)


class AnchorFinder:
    """Watches for the trigger modules of the targets; every other import costs one set lookup."""

    def __init__(self, disabled: frozenset[str]) -> None:
        self._disabled = disabled
        self.waiting: dict[str, Target] = {}
        self.waiting = {target.trigger: target for target in self.wanted(_IMPORTED)}
        self._searching: set[str] = set()

    def wanted(self, targets: tuple[Target, ...]) -> list[Target]:
        """Those not waited for yet that ANCHOR_DISABLE does not name, nor what they are part of."""
        return [
            target
            for target in targets
            if target.trigger not in self.waiting
            and self._disabled.isdisjoint((target.name, target.name.partition("/")[0]))
        ]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders give, its loader told to call the patcher afterwards."""
        if name not in self.waiting or name in self._searching:
            return None
        self._searching.add(name)
        try:
            spec = self._ask_the_others(name, path, target)
        finally:
            self._searching.discard(name)
        if spec is not None and spec.loader is not None:
            _run_after(spec.loader, self.waiting[name])
        return spec

    def _ask_the_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                return spec
        return None


def _run_after(loader: Loader, target: Target) -> None:
    def exec_module(module: ModuleType) -> None:
        # The loader is its old self before the module runs: a reload or an introspection meets no
        # trace of us.
        del loader.exec_module
        original(module)
        apply(target)

    try:
        original = loader.exec_module
        loader.exec_module = exec_module  # type: ignore[method-assign]  # this one instance only
    except AttributeError:
        # A loader without instance attributes (a frozen or C module), or with the old `load_module`
        # alone: cannot be watched; `anchor doctor` reports the target as not patched.
        return


def apply(target: Target) -> None:
    """Patches one target whose trigger module has been executed; never raises."""
    try:
        from anchor_autopatch.host import patching

        patching.apply(target)
        _watch_executors()
    except Exception:  # noqa: BLE001 - our installation is broken; the doctor tells
        return


def _watch_executors() -> None:
    """From the first patch on: before it there is no attribution that could travel."""
    from anchor_autopatch.host import patching

    finders = [finder for finder in sys.meta_path if isinstance(finder, AnchorFinder)]
    for finder in finders:
        for target in finder.wanted(EXECUTORS):
            finder.waiting[target.trigger] = target
            if target.trigger in sys.modules:
                patching.apply(target)


def add(disabled: frozenset[str]) -> None:
    """Puts the finder first on `sys.meta_path` and patches targets that are imported already."""
    if any(isinstance(finder, AnchorFinder) for finder in sys.meta_path):
        return
    ours = AnchorFinder(disabled)
    sys.meta_path.insert(0, ours)
    for trigger, target in tuple(ours.waiting.items()):
        if trigger in sys.modules:
            apply(target)


def remove() -> None:
    """Takes the finder off `sys.meta_path` and undoes every patch."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, AnchorFinder)]
    if "anchor_autopatch.host.patching" in sys.modules:
        from anchor_autopatch.host import patching

        patching.undo_all()
