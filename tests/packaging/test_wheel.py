from __future__ import annotations

from zipfile import ZipFile

import pytest


def test_wheel_leaves_nothing_else_importable(wheel):
    tops = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "anchor_autopatch",
        "anchor_exporters",
    }


def test_wheel_carries_every_file_that_is_not_code(wheel, checkout):
    packages = {"anchor_autopatch": checkout, "anchor_exporters": checkout / "exporters"}
    data = {
        str(path.relative_to(source))
        for package, source in packages.items()
        for path in (source / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }

    assert data <= set(ZipFile(wheel).namelist())


def test_wheel_carries_the_startup_template(wheel):
    assert "anchor_autopatch/_hook/sitecustomize.py" in ZipFile(wheel).namelist()


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_uninstall_leaves_nothing(new_environment, wheel, checkout, kind):
    environment = new_environment()
    environment.pip_install(*([wheel] if kind == "wheel" else ["-e", checkout]))
    environment.run("anchor", "install")

    environment.run("anchor", "uninstall")
    environment.run("python", "-m", "pip", "uninstall", "-q", "-y", "anchor-autopatch")

    left = [p.name for p in environment.site_packages().iterdir() if "anchor" in p.name]
    assert left == []


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_hook_prints_the_folder_of_the_template(new_environment, wheel, checkout, kind):
    environment = new_environment()
    environment.pip_install(*([wheel] if kind == "wheel" else ["-e", checkout]))

    folder = environment.run("anchor", "hook").stdout.strip()

    home = environment.folder if kind == "wheel" else checkout
    assert (home / folder / "sitecustomize.py").is_file()
    assert folder.startswith(str(home))
