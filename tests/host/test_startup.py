"""The hook in real interpreters: next to nothing at start, silent, never in the way."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from tests.host.support import CHECKOUT, HOOK, run_python

FORBIDDEN = {"wrapt", "json", "sqlite3", "logging", "asyncio", "threading", "typing", "re", "uuid",
             "inspect",
             "dataclasses", "functools", "contextlib", "importlib.util", "openai", "anthropic",
             "litellm", "google.genai"}  # fmt: skip
IS_ON = (
    "import sys; print(any(type(f).__name__ == 'AnchorFinder' for f in sys.meta_path),"
    " 'anchor_autopatch.host.startup' in sys.modules)"
)


@pytest.fixture
def start(home):
    """Runs an interpreter and returns what it printed."""
    return lambda *arguments, **options: run_python(*arguments, home=home, **options).stdout.strip()


def loaded(home, **options):
    names = run_python("-c", "import sys; print('\\n'.join(sys.modules))", home=home, **options)
    return set(names.stdout.split())


def test_start_loads_nothing_but_ours(home):
    added = loaded(home) - loaded(home, hook=False)

    assert not added & FORBIDDEN
    assert {name for name in added if not name.startswith("anchor_autopatch")} <= {
        "sitecustomize",
        "__future__",
    }


def test_hook_is_on(start):
    assert start("-c", IS_ON) == "True True"


def test_nothing_is_printed_or_written(home):
    done = run_python("-c", "pass", home=home)

    assert (done.stdout, done.stderr) == ("", "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("variables", [{"ANCHOR_DISABLED": "1"}, {"ANCHOR_DISABLED": "yes"}])
def test_switched_off_adds_no_finder(start, variables):
    assert start("-c", IS_ON, **variables).startswith("False")


def test_zero_is_not_off(start):
    assert start("-c", IS_ON, ANCHOR_DISABLED="0") == "True True"


def test_one_target_is_switched_off_by_name(start):
    code = "import sys; print(sorted(sys.meta_path[0].waiting))"

    rest = start("-c", code, ANCHOR_DISABLE="openai, litellm")

    assert "openai._base_client" not in rest
    assert "anthropic._base_client" in rest


class TestOtherSitecustomize:
    """The application's own sitecustomize runs as if we were not there."""

    @pytest.fixture
    def theirs(self, tmp_path):
        folder = tmp_path / "theirs"
        folder.mkdir()

        def write(text):
            (folder / "sitecustomize.py").write_text(text)
            return [folder]

        return write

    def test_it_runs_and_keeps_its_name(self, start, theirs):
        path = theirs("import sys; VALUE = 7; sys.flag_of_theirs = __name__")
        code = "import sys, sitecustomize as s; print(sys.flag_of_theirs, s.VALUE, s.__file__)"

        assert start("-c", code, path=path) == f"sitecustomize 7 {path[0]}/sitecustomize.py"

    def test_the_hook_is_on_all_the_same(self, start, theirs):
        assert start("-c", IS_ON, path=theirs("pass")) == "True True"

    @pytest.mark.parametrize("fault", ["1/0", "import no_such_module", "raise SystemError('x')"])
    def test_its_errors_look_the_same(self, home, theirs, fault):
        path = theirs(fault)

        without = run_python("-c", IS_ON, home=home, hook=False, path=path)
        hooked = run_python("-c", IS_ON, home=home, path=path)

        assert hooked.stderr == without.stderr
        assert hooked.stdout.strip() == "True True"

    def test_hook_twice_on_the_path_is_once(self, start):
        code = "import sys; print(sum(type(f).__name__ == 'AnchorFinder' for f in sys.meta_path))"

        assert start("-c", code, path=[HOOK, HOOK]) == "1"

    def test_two_copies_of_the_hook_are_one(self, home, tmp_path, theirs):
        copy = tmp_path / "copy"
        shutil.copytree(HOOK, copy)
        path = [copy, *theirs("print('theirs')"), HOOK]

        done = run_python("-c", IS_ON, home=home, path=path)

        assert (done.stdout.split(), done.stderr) == (["theirs", "True", "True"], "")


@pytest.mark.parametrize("option", ["-S", "-I", "-E"])
def test_isolated_interpreters_stay_ours_free(start, option):
    assert start(option, "-c", IS_ON) == "False False"


def test_missing_package_is_silent(home, tmp_path):
    lonely = tmp_path / "lonely"
    shutil.copytree(HOOK, lonely)
    (lonely / "anchor_autopatch.py").write_text("raise ImportError('gone')")

    done = run_python("-c", "print('ran')", home=home, hook=False, path=[lonely])

    assert (done.stdout, done.stderr) == ("ran\n", "")


@pytest.mark.parametrize(
    "arguments",
    [("-m", "pip", "--version"), ("-m", "venv", "--help"), ("-m", "pip", "list", "--help")],
)
def test_tools_are_left_alone(home, arguments):
    hooked = run_python(*arguments, home=home, check=False)
    bare = run_python(*arguments, home=home, hook=False, check=False)

    assert (hooked.stdout, hooked.stderr) == (bare.stdout, bare.stderr)


@pytest.mark.parametrize(
    ("orig_argv", "is_tool"),
    [
        (["python", "-m", "pip", "install"], True),
        (["python", "-W", "ignore", "-m", "pip"], True),
        (["python", "/usr/bin/pip", "install"], True),
        (["python", "-m", "build"], True),
        (["python", "build.py"], False),
        (["python", "manage.py", "build"], False),
        (["python", "-c", "pass", "pip"], False),
        (["python", "-u", "app.py"], False),
        (["python", "-m", "gunicorn", "app"], False),
        (["python"], False),
    ],
)
def test_deny_list_knows_tools_by_their_command(monkeypatch, orig_argv, is_tool):
    from anchor_autopatch.host import startup

    monkeypatch.setattr(sys, "orig_argv", orig_argv)

    assert startup._running_a_tool() is is_tool


class TestTargets:
    """A stand-in for an SDK: right name, wrong shape or version."""

    @pytest.fixture
    def fake(self, tmp_path):
        def make(version, base_client="class SyncAPIClient: pass"):
            package = tmp_path / "fake" / "openai"
            package.mkdir(parents=True)
            (package / "__init__.py").write_text("from openai import _base_client")
            (package / "_version.py").write_text(f"__version__ = {version!r}")
            (package / "_streaming.py").write_text("class Stream: pass")
            text = f"import openai._version, openai._streaming\n{base_client}"
            (package / "_base_client.py").write_text(text)
            return [tmp_path / "fake"]

        return make

    def state(self, home, path):
        code = (
            "import json, openai; from anchor_autopatch.host import patching;"
            "print(json.dumps(patching.states['openai']))"
        )
        done = run_python("-c", code, home=home, path=path)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def test_too_old_is_left_alone(self, home, fake):
        name, version, patched, reason = self.state(home, fake("0.28.1"))

        assert (name, version, patched) == ("openai", "0.28.1", False)
        assert "older than" in reason

    def test_unknown_shape_is_left_alone(self, home, fake):
        assert self.state(home, fake("99.0"))[2] is False

    def test_half_known_shape_is_not_half_patched(self, home, fake):
        path = fake("99.0", "class SyncAPIClient:\n    def request(self): return 1")
        code = "import openai; print(vars(openai._base_client.SyncAPIClient.request))"

        assert run_python("-c", code, home=home, path=path).stdout == "{}\n"

    def test_error_of_the_module_is_its_own(self, home, fake):
        path = fake("3.0", "raise RuntimeError('theirs')")

        hooked = run_python("-c", "import openai", home=home, path=path, check=False)
        bare = run_python("-c", "import openai", home=home, path=path, hook=False, check=False)

        assert hooked.stderr.splitlines()[-1] == "RuntimeError: theirs"
        assert bare.stderr.splitlines()[-1] == "RuntimeError: theirs"

    def test_import_facts_are_unchanged(self, home, fake):
        code = (
            "import openai._base_client as m, inspect, importlib;"
            "print(type(m.__loader__).__name__, m.__spec__.origin == m.__file__, m.__spec__.name,"
            " inspect.getsource(m)[:6], vars(m.__loader__).keys());"
            "importlib.reload(m); print(m.__loader__.name)"
        )
        path = fake("3.0")

        hooked = run_python("-c", code, home=home, path=path).stdout
        assert hooked == run_python("-c", code, home=home, path=path, hook=False).stdout


def test_pth_route_runs_twice_harmlessly(home, tmp_path):
    code = (
        f"import site, sys; sys.path.insert(0, {str(CHECKOUT)!r});"
        f"site.addsitedir({str(tmp_path)!r}); site.addsitedir({str(tmp_path)!r});"
        "print(sum(type(f).__name__ == 'AnchorFinder' for f in sys.meta_path))"
    )
    line = "import anchor_autopatch.host.startup as s; s.install(); s.install()\n"
    (tmp_path / "anchor.pth").write_text(line * 2)

    assert run_python("-c", code, home=home, hook=False).stdout.strip() == "1"
