"""Writes docs/coverage.md: every method of every supported SDK, what becomes of it and why.

    python tools/coverage_page.py --record   notes the methods of the SDKs installed here
    python tools/coverage_page.py            writes the page from what was noted
    python tools/coverage_page.py --check    exit 1 when the page is not what it would write

No environment holds all SDKs, and none holds two versions of one: hence the notes, in
`tools/sdk_methods.csv`. `make docs` does all of it.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from anchor_autopatch.surface import captured, verdicts
from anchor_autopatch.surface.sdks import SDKS, find
from anchor_autopatch.surface.source import Method
from anchor_autopatch.surface.verdicts import CAPTURED, FREE, NOT_YET, Unclear, Verdict

_ROOT = Path(__file__).resolve().parents[1]
PAGE = _ROOT / "docs" / "coverage.md"
NOTES = _ROOT / "tools" / "sdk_methods.csv"
_COLUMNS = ("sdk", "method", "route", "versions")
_MARK = "<!-- From here on written by tools/coverage_page.py -->\n"
_SUMMARY = (
    "| SDK | versions checked | methods | captured | not yet | free |",
    "|---|---|" + "---:|" * 4,
)
_MENDS = "mend anchor_autopatch/surface/verdicts, then run `make docs`"


class Noted(NamedTuple):
    """A method of an SDK and the versions that have it, oldest first."""

    method: Method
    versions: tuple[str, ...]


Notes = dict[str, list[Noted]]
"""SDK -> its methods, by name and route."""


def notes() -> Notes:
    """What was noted of every SDK."""
    found: Notes = defaultdict(list)
    if NOTES.exists():
        with NOTES.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                method = Method(row["method"], row["route"])
                found[row["sdk"]].append(Noted(method, tuple(row["versions"].split())))
    return found


def versions_of(noted: Iterable[Noted]) -> list[str]:
    """Every version that was looked at, oldest first."""
    return sorted({version for one in noted for version in one.versions}, key=_place)


def record() -> str:
    """The text of the notes with the SDKs that are installed here."""
    known = notes()
    for sdk in SDKS:
        installed = find(sdk)
        if installed is not None:
            known[sdk.name] = _merged(
                known[sdk.name], sdk.read(installed.folder), installed.version
            )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for sdk in SDKS:
        for method, versions in sorted(known[sdk.name]):
            writer.writerow((sdk.name, *method, " ".join(versions)))
    return text.getvalue()


def _merged(noted: list[Noted], seen: set[Method], version: str) -> list[Noted]:
    versions = {one.method: set(one.versions) - {version} for one in noted}
    for method in seen:
        versions.setdefault(method, set()).add(version)
    return [
        Noted(method, tuple(sorted(having, key=_place)))
        for method, having in versions.items()
        if having
    ]


def _place(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def page() -> str:
    """The text that the page should have: its own introduction, then a section for each SDK."""
    introduction = PAGE.read_text(encoding="utf-8").partition(_MARK)[0]
    known = notes()
    sections = [_section(sdk.name, known[sdk.name]) for sdk in SDKS]
    summary = [_summary(sdk.name, known[sdk.name]) for sdk in SDKS]
    return "\n".join([introduction + _MARK, *_SUMMARY, *summary, "", *sections])


class _Judged(NamedTuple):
    noted: Noted
    verdict: Verdict


def _judged(sdk: str, noted: list[Noted]) -> list[_Judged]:
    table = verdicts.read(sdk)
    versions: dict[Method, set[str]] = defaultdict(set)
    for one in noted:
        versions[table.sent(one.method)].update(one.versions)
    found = []
    for method, having in sorted(versions.items()):
        verdict = table.on(method)
        if isinstance(verdict, Unclear):
            raise SystemExit(f"{sdk} {method.name} {verdict.problem}; {_MENDS}")
        found.append(_Judged(Noted(method, tuple(sorted(having, key=_place))), verdict))
    return found


def counts(sdk: str, noted: list[Noted]) -> dict[str, int]:
    """Methods by verdict; one that sends several requests counts as the least settled of them."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for one, verdict in _judged(sdk, noted):
        kinds[one.method.name].add(verdict.kind)
    settled = [next(k for k in (NOT_YET, CAPTURED, FREE) if k in kind) for kind in kinds.values()]
    return {kind: settled.count(kind) for kind in (CAPTURED, NOT_YET, FREE)}


def _summary(sdk: str, noted: list[Noted]) -> str:
    counted = counts(sdk, noted)
    versions = ", ".join(versions_of(noted))
    cells = [f"[{sdk}](#{sdk})", versions, sum(counted.values()), *counted.values()]
    return f"| {' | '.join(map(str, cells))} |"


def _section(sdk: str, noted: list[Noted]) -> str:
    judged = _judged(sdk, noted)
    newest = versions_of(noted)[-1]
    lines = [f"## {sdk}", "", "| captured | methods | operation on the receipt |", "|---|---|---|"]
    lines += _rows(judged, CAPTURED, newest)
    others = sorted(set(captured.unsent(sdk, [one.noted.method for one in judged])))
    if others:
        words = ", ".join(f"`{other}`" for other in others)
        lines += ["", f"Captured too, where an application posts to it by itself: {words}."]
    lines += ["", "| not yet | methods | why |", "|---|---|---|", *_rows(judged, NOT_YET, newest)]
    lines += ["", "| free, because | methods |", "|---|---|", *_free(judged, newest), ""]
    return "\n".join(lines)


def _rows(judged: list[_Judged], kind: str, newest: str) -> Iterator[str]:
    """A row for each request."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one, verdict in judged:
        if verdict.kind == kind:
            request = one.method.route
            groups[verdict.why, request].append(f"`{one.method.name}`{_gone(one, newest)}")
    for (why, request), names in sorted(groups.items()):
        # A function or a WebSocket has no request that says more than its name.
        shown = f"`{request}`" if request else ""
        yield f"| {shown} | {', '.join(names)} | {why} |"


def _free(judged: list[_Judged], newest: str) -> Iterator[str]:
    """A row for each reason, the methods under their resources: hundreds are of no interest."""
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one, verdict in judged:
        if verdict.kind == FREE:
            resource, _, name = one.method.name.rpartition(".")
            groups[verdict.why][resource].add(name + _gone(one, newest))
    for why, resources in sorted(groups.items()):
        told = (
            f"`{resource}`: {', '.join(sorted(names))}" if resource else ", ".join(sorted(names))
            for resource, names in sorted(resources.items())
        )
        yield f"| {why} | {'; '.join(told)} |"


def _gone(noted: Noted, newest: str) -> str:
    return "" if newest in noted.versions else f" (up to {noted.versions[-1]})"


def main() -> int:
    """Does what the arguments say."""
    parser = argparse.ArgumentParser(description="The page docs/coverage.md")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parsed = parser.parse_args()
    if parsed.record:
        NOTES.write_text(record(), encoding="utf-8")
    elif not parsed.check:
        PAGE.write_text(page(), encoding="utf-8")
    elif page() != PAGE.read_text(encoding="utf-8"):
        print(f"{PAGE.relative_to(_ROOT)} is out of date: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
