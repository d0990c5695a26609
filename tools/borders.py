"""The import-linter contract of this house: a package may import what it lists, and nothing else.

import-linter's own `forbidden` contract names what must stay out, so a library that nobody thought
of gets in. Here the list says what may come in; the standard library and the package itself may.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph


class Border(Contract):
    """Holds one package to the packages of the house and the libraries that it lists."""

    package = fields.StringField()
    # Packages of the house; the root's name stands for its `__init__` alone, not for all within.
    may_import = fields.ListField(subfield=fields.StringField(), required=False)
    # Import names; "*" stands for any.
    third_party = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return the imports that cross the border, as (importer, imported, line numbers)."""
        # A package that is not built yet has no imports to judge.
        inside = {m for m in graph.modules if _within(m, self.package)}
        crossings = [
            (importer, imported)
            for importer in sorted(inside)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._allows(imported)
        ]
        found = [(a, b, _lines(graph, a, b)) for a, b in crossings]
        return ContractCheck(kept=not found, metadata={"crossings": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each crossing."""
        for importer, imported, lines in check.metadata["crossings"]:
            output.print_error(f"{importer} imports {imported} (line {lines})", bold=False)

    def _allows(self, imported: str) -> bool:
        root = imported.partition(".")[0]
        roots, listed = self.session_options["root_packages"], self.may_import or ()
        if root not in roots:
            libraries = {"*", root} & set(self.third_party or ())
            return bool(libraries) or root in sys.stdlib_module_names
        homes = [self.package, *(home for home in listed if home not in roots)]
        return imported in listed or any(_within(imported, home) for home in homes)


def _within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _lines(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(str(d["line_number"]) for d in details)
