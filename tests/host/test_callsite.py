"""Which function of the application made a call; where that cannot be told, nobody is guessed."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from anchor_autopatch.host import callsite
from tests.host.support import run_python

HERE = __name__


def begin(depth=callsite._OWN_FRAMES - 1):
    """Where a call asks, as many frames below the application as `find` passes over unseen."""
    return callsite.find() if depth == 1 else begin(depth - 1)


def call():
    return begin()


class TestFunctions:
    def test_nearest_function_of_the_application(self):
        assert call() == f"{HERE}:call"

    def test_method_is_known_by_its_class(self):
        class Shop:
            def sell(self):
                return begin()

        name = Shop().sell()

        assert name == f"{HERE}:{Shop.sell.__qualname__}"

    def test_line_is_no_part_of_the_name(self):
        first = begin()
        second = begin()

        assert first == second

    def test_comprehension_is_its_function(self):
        names = {begin(), *[begin() for _ in range(2)], *(begin() for _ in range(2))}

        assert len(names) == 1

    def test_frames_of_libraries_are_passed(self):
        # json calls back from its own frames.
        name = json.loads("[{}]", object_hook=lambda _: call())[0]

        assert name == f"{HERE}:call"

    def test_caller_of_a_library_is_the_site(self):
        def sell():
            return json.JSONDecoder(object_hook=ask).decode("{}")

        ask = eval("lambda _: begin()", {"begin": begin}, {})
        ask.__code__ = ask.__code__.replace(co_filename=json.__file__)

        assert sell().endswith("<locals>.sell")

    def test_thread_without_an_application_has_none(self):
        found = []
        work = eval("lambda: found.append(begin())", {"found": found, "begin": begin})
        work.__code__ = work.__code__.replace(co_filename=threading.__file__)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

        assert found == [None]

    def test_thread_pool_is_asked_for_its_work(self):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(call).result() == f"{HERE}:call"

    def test_endless_code_objects_do_not_grow_the_process(self):
        for number in range(callsite._KNOWN_LIMIT + 50):
            exec(compile("begin()", f"made-{number}", "exec"), {"begin": call})

        assert len(callsite._ends) + len(callsite._libraries) <= callsite._KNOWN_LIMIT


class TestLoops:
    def test_coroutine_of_the_application_is_the_site(self):
        async def sell():
            await asyncio.sleep(0)
            return begin()

        assert asyncio.run(sell()).endswith("<locals>.sell")

    def test_task_of_a_library_is_nobodys(self):
        """As in `create_task(client.chat.completions.create())`: only the loop is below it."""
        code = compile("async def send(): return begin()", asyncio.tasks.__file__, "exec")
        library = {"begin": begin}
        exec(code, library)

        async def main():
            return await asyncio.create_task(library["send"]())

        assert asyncio.run(main()) is None


WHO = """
from anchor_autopatch.host import callsite

def begin(depth=callsite._OWN_FRAMES - 1):
    return callsite.find() if depth == 1 else begin(depth - 1)

def sell():
    return begin()
"""
SPAWNS = (
    WHO
    + """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(sell(), pool.apply(sell))
"""
)


class TestScripts:
    @pytest.mark.parametrize(
        ("arguments", "folder", "name"),
        [
            (["jobs/nightly.py"], ".", "jobs.nightly:sell"),
            (["PROJECT/jobs/nightly.py"], ".", "jobs.nightly:sell"),
            (["PROJECT/jobs/nightly.py"], "/", "nightly:sell"),
            (["-m", "jobs.nightly"], ".", "jobs.nightly:sell"),
            (["-c", "from jobs.nightly import sell; print(sell())"], ".", "jobs.nightly:sell"),
            (["-c", f"{WHO}\nprint(sell())"], ".", "__main__:sell"),
        ],
    )
    def test_script_is_named_by_its_place_in_the_project(self, tmp_path, arguments, folder, name):
        script = tmp_path / "project" / "jobs" / "nightly.py"
        script.parent.mkdir(parents=True)
        script.write_text(f"{WHO}\nif __name__ == '__main__': print(sell())\n")
        project = tmp_path / "project"
        words = [word.replace("PROJECT", str(project)) for word in arguments]

        done = run_python(*words, home=tmp_path, cwd=project / folder)

        assert done.stdout == f"{name}\n"

    def test_spawned_process_knows_the_script_by_the_same_name(self, tmp_path):
        (tmp_path / "nightly.py").write_text(SPAWNS)

        done = run_python("nightly.py", home=tmp_path, cwd=tmp_path)

        assert done.stdout == "nightly:sell nightly:sell\n"
