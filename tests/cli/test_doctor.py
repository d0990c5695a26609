"""`anchor doctor` in environments of its own: what is hooked there, which SDKs are captured."""

from __future__ import annotations

import os
import pty
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import HOOK, Bare

_CLIENT = "class SyncAPIClient:\n    def request(self): ...\n"
_OLD = {
    "openai/__init__.py": "from . import _version",
    "openai/_version.py": '__version__ = "1.2.0"\n',
}
_SHAPELESS = {"openai/__init__.py": "", "openai/_version.py": '__version__ = "99.1.0"\n'}


def _problems(findings: list[list[str]]) -> list[tuple[str, str]]:
    return [(subject, text) for subject, status, text in findings if status == "problem"]


def test_hooked_environment_without_sdks_is_clean(bare: Bare) -> None:
    code, findings = bare.doctor()

    assert (code, _problems(findings)) == (0, [])
    assert ["switch", "ok", f"PYTHONPATH has {HOOK}"] in findings


def test_terminal_without_rich_gets_a_plain_table(bare: Bare) -> None:
    ours, theirs = pty.openpty()

    done = bare.run("doctor", stderr=theirs)

    os.close(ours)
    os.close(theirs)
    assert (done.returncode, "anchor doctor" in done.stdout) == (0, True)


def test_environment_without_sdks_names_its_interpreter(bare: Bare) -> None:
    _, findings = bare.doctor()

    (text,) = [text for subject, status, text in findings if (subject, status) == ("SDKs", "note")]
    assert text.startswith(f"{bare.python} has none that is captured")


def test_sdk_whose_calls_lie_elsewhere_in_an_older_version_is_captured(bare: Bare) -> None:
    requests = (
        "class BaseSDK:\n    def do_request(self): ...\n    def do_request_async(self): ...\n"
    )
    older = {
        "mistralai/__init__.py": "",
        "mistralai/_version.py": '__version__ = "1.12.4"\n',
        "mistralai/basesdk.py": f"from . import _version\n{requests}",
    }
    bare.add("mistralai", "1.12.4", older)

    _, findings = bare.doctor()

    assert ["mistralai", "ok", "1.12.4 is captured"] in findings


def test_sdk_whose_calls_have_moved_is_a_problem(bare: Bare) -> None:
    bare.add("mistralai", "9.0.0", {"mistralai/__init__.py": "", "mistralai/core.py": ""})

    code, findings = bare.doctor()

    told = dict(_problems(findings))["mistralai"]
    assert (code, "9.0.0 is not captured: it has no module mistralai.client" in told) == (1, True)


def test_sdk_that_nothing_captures_is_a_problem_until_it_is_known(bare: Bare) -> None:
    bare.add("replicate", "1.0.7", {"replicate/__init__.py": ""})

    code, findings = bare.doctor()
    known, _ = bare.doctor(ANCHOR_DISABLE="replicate")

    assert "1.0.7 is not captured: its calls go to paths" in dict(_problems(findings))["replicate"]
    assert (code, known) == (1, 0)


def test_environment_without_hook_is_a_problem(bare: Bare) -> None:
    code, findings = bare.doctor(hook=None)

    assert code == 1
    assert "nothing switches capture on here" in dict(_problems(findings))["switch"]


def _add_job(bare: Bare) -> None:
    """What `pip install 'anchor-autopatch[job]'` leaves, as far as the doctor looks at it."""
    extra = ("Provides-Extra: job", 'Requires-Dist: duckdb>=2.0; extra == "job"')
    needs = ('Requires-Dist: litellm>=1.106; extra == "job"', "Requires-Dist: wrapt>=1.17")
    bare.add("anchor-autopatch", "0.1", {}, *extra, *needs)
    bare.add("duckdb", "2.0.0", {})
    bare.add("litellm", "1.106.2", {}, "Requires-Dist: Some_SDK[http2]>=1,<3")
    bare.add("some-sdk", "1.0", {}, "Provides-Extra: http2", 'Requires-Dist: h2; extra == "http2"')
    bare.add("h2", "4.0", {})


def _switch(findings: list[list[str]]) -> tuple[str, str]:
    ((status, text),) = [(each[1], each[2]) for each in findings if each[0] == "switch"]
    return status, text


def test_environment_of_the_job_alone_needs_no_hook(bare: Bare) -> None:
    _add_job(bare)

    code, findings = bare.doctor(hook=None)

    assert code == 0
    assert _switch(findings)[0] == "note"


@pytest.mark.parametrize("other", ["flask", "wheelhouse"])
def test_environment_of_the_job_and_something_else_needs_a_hook(bare: Bare, other: str) -> None:
    _add_job(bare)
    bare.add(other, "3.1", {})

    code, findings = bare.doctor(hook=None)

    assert (code, _switch(findings)[0]) == (1, "problem")


def test_sdk_that_was_asked_for_beside_the_job_needs_a_hook(bare: Bare) -> None:
    _add_job(bare)
    (bare.packages / "litellm-1.106.2.dist-info" / "REQUESTED").touch()

    code, findings = bare.doctor(hook=None)

    assert (code, _switch(findings)[0]) == (1, "problem")


def test_switched_off_capture_is_a_problem(bare: Bare) -> None:
    code, findings = bare.doctor(ANCHOR_DISABLED="1")

    assert code == 1
    assert _problems(findings) == [("switch", "capture is off: ANCHOR_DISABLED is set")]


def test_sitecustomize_in_front_that_hides_the_hook_is_named(bare: Bare, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("")

    code, findings = bare.doctor(hook=Path(f"{theirs}:{HOOK}"))

    assert code == 1
    assert f"{theirs / 'sitecustomize.py'} runs first" in dict(_problems(findings))["switch"]


def test_second_hook_is_noted(bare: Bare, tmp_path: Path) -> None:
    copy = shutil.copytree(HOOK, tmp_path / "copy")

    code, findings = bare.doctor(hook=Path(f"{HOOK}:{copy}"))

    assert (code, [status for subject, status, _ in findings if subject == "hooks"]) == (
        0,
        ["note"],
    )


def test_folder_on_the_path_that_everyone_writes_is_a_problem(bare: Bare) -> None:
    bare.packages.chmod(0o777)

    code, findings = bare.doctor()

    assert code == 1
    assert f"chmod go-w {bare.packages}" in dict(_problems(findings))["PYTHONPATH"]


def test_sdk_that_is_too_old_is_a_problem(bare: Bare) -> None:
    bare.add("openai", "1.2.0", {**_OLD, "openai/_base_client.py": _CLIENT})

    code, findings = bare.doctor()

    assert code == 1
    assert "openai 1.2.0 is older than 1.30" in dict(_problems(findings))["openai"]


def test_newer_sdk_of_an_unknown_shape_is_a_problem(bare: Bare) -> None:
    bare.add(
        "openai", "99.1.0", {**_SHAPELESS, "openai/_base_client.py": "", "openai/_streaming.py": ""}
    )

    code, findings = bare.doctor()

    assert code == 1
    assert dict(_problems(findings))["openai"].startswith("99.1.0 is not captured: ")


def test_new_method_of_a_newer_sdk_is_named(bare: Bare) -> None:
    resource = (
        "class Dreams(SyncAPIResource):\n"
        "    def create(self, *, model):\n"
        '        return self._post("/dreams", body={"model": model})\n'
    )
    bare.add("openai", "99.1.0", {**_SHAPELESS, "openai/resources/dreams.py": resource})

    code, findings = bare.doctor()

    assert code == 1
    assert any("dreams.create (POST /dreams)" in text for _, text in _problems(findings))


def test_target_that_is_switched_off_is_a_problem(bare: Bare) -> None:
    bare.add("openai", "3.54.0", {"openai/__init__.py": ""})

    code, findings = bare.doctor(ANCHOR_DISABLE="openai,opnai")

    assert code == 1
    assert _problems(findings) == [
        ("openai", "3.54.0 is installed but switched off by ANCHOR_DISABLE")
    ]
    assert any(text.startswith("'opnai' is no target") for _, _, text in findings)


def test_sdk_that_nobody_can_import_loses_nothing(bare: Bare) -> None:
    bare.add("openai", "3.54.0", {"openai/__init__.py": "import httpx2\n"})

    code, findings = bare.doctor()

    assert (code, _problems(findings)) == (0, [])


_NO_FLASK = {"flask/__init__.py": "", "flask/app.py": "class Flask: ..."}


def test_framework_of_an_unknown_shape_is_a_problem(bare: Bare) -> None:
    bare.add("flask", "99.0", _NO_FLASK)

    code, findings = bare.doctor()

    assert code == 1
    assert dict(_problems(findings))["flask"].startswith("99.0 does not say whom it serves: ")


def test_framework_that_is_switched_off_is_noted(bare: Bare) -> None:
    bare.add("flask", "99.0", _NO_FLASK)

    code, findings = bare.doctor(ANCHOR_DISABLE="flask")

    assert (code, _problems(findings)) == (0, [])
    text = "99.0 is switched off by ANCHOR_DISABLE: its calls are nobody's"
    assert ["flask", "note", text] in findings


@pytest.mark.slow
def test_newer_version_of_known_shape_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anchor_autopatch.cli.doctor_checks import sdks

    requests = tuple(target for target in sdks._SDKS if target.name == "requests")
    monkeypatch.setattr(sdks, "_SDKS", requests)
    info = tmp_path / "requests-99.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: requests\nVersion: 99.1\n")
    monkeypatch.syspath_prepend(tmp_path)

    (finding,) = [each for each in sdks.check() if each.subject == "requests"]

    assert (finding.status, finding.text[:21]) == ("note", "99.1 is captured; new")
