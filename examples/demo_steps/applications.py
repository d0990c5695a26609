"""Runs the applications as their owners would; only the hook is put on their path."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.demo_steps.screen import timed
from examples.demo_steps.stage import APPLICATION_PYTHON, APPS, DemoError, Stage

_QUESTIONS = (
    "Do you repair gears?", "What does a new chain cost?", "Are you open on Sunday?",
    "Which lock is the safest?", "Can I rent a cargo bike?", "How do I fix a flat tyre?",
)  # fmt: skip
_SUBJECTS = (
    "a lighthouse at dawn", "a red bicycle", "a harbour in the rain", "two cats on a roof",
    "a market square", "a tram at night", "an orchard", "a paper kite", "a mountain hut",
    "a ferry", "a baker at work", "a library", "an old bridge", "a garden gate",
)  # fmt: skip
_LONG, _SHORT = 40, 5
_LEGAL_TEXTS = {"contract": _LONG, "amendment": _SHORT}
_RESEARCH_TEXTS = {"survey": _LONG, "interview": _LONG, "notes": _SHORT}
_DAY_QUESTIONS = (
    "ada: Where is order 1815?", "grace: Can I return a bell?", "ada: Is the blue frame in stock?",
)  # fmt: skip
_NIGHT_QUESTIONS = ("night-batch: Which orders are late?", "night-batch: Which customers wait?")


def run_all(stage: Stage) -> None:
    """Runs every application once or twice, one after the other."""
    _chat(stage)
    with timed("image-generator", f"{len(_SUBJECTS)} pictures, google-genai"):
        pictures = str(stage.state / "pictures")
        _run(stage, "image_generator", "marketing", *_SUBJECTS, "--out", pictures)
    with timed("summariser", f"{len(_LEGAL_TEXTS)} texts, anthropic; one model is overloaded"):
        _run(stage, "summariser", "legal", *_texts(stage, _LEGAL_TEXTS))
    with timed("summariser", f"{len(_RESEARCH_TEXTS)} texts of another team"):
        _run(stage, "summariser", "research", *_texts(stage, _RESEARCH_TEXTS))
    with timed("agent", f"{len(_DAY_QUESTIONS)} questions, litellm over openai"):
        _run(stage, "agent", "operations", *_DAY_QUESTIONS)
    with timed("agent", f"{len(_NIGHT_QUESTIONS)} questions by a job that names no team"):
        _run(stage, "agent", None, *_NIGHT_QUESTIONS)


def _texts(stage: Stage, sentences: dict[str, int]) -> list[str]:
    folder = stage.state / "texts"
    folder.mkdir(exist_ok=True)
    for name, count in sentences.items():
        sentence = f"This {name} says in its sentence {{}} what the one before has said already.\n"
        text = "".join(sentence.format(number) for number in range(1, count + 1))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [str(folder / f"{name}.txt") for name in sentences]


def _names(service: str, team: str | None) -> dict[str, str]:
    names = {"ANCHOR_SERVICE": service, "ANCHOR_ENVIRONMENT": "production"}
    return {**names, "ANCHOR_TEAM": team} if team else names


def _run(stage: Stage, script: str, team: str | None, *arguments: str) -> None:
    service = script.replace("_", "-")
    done = subprocess.run(
        [str(APPLICATION_PYTHON), f"{script}.py", *arguments],
        cwd=APPS,
        env=stage.application_variables(**_names(service, team)),
        capture_output=True,
        text=True,
        check=False,
    )
    log = _log(stage, f"{service}-{team or 'no-team'}")
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise DemoError(f"{script}.py ended with {done.returncode}; what it said: {log}")


def _chat(stage: Stage) -> None:
    count = 2 * len(_QUESTIONS)
    with (
        timed("chatbot", f"{count} requests to a server of 2 workers, google-genai"),
        _server(stage) as url,
    ):
        for question in _QUESTIONS:
            for stream in (False, True):
                _post(f"{url}/chat", {"message": question, "stream": stream})


@contextmanager
def _server(stage: Stage) -> Iterator[str]:
    """The chatbot under gunicorn, on a socket that listens already: nobody has to wait for it."""
    listening = socket.create_server(("127.0.0.1", 0))
    number, port = listening.fileno(), listening.getsockname()[1]
    gunicorn = ["-m", "gunicorn", "chatbot:app", "--workers", "2", "--no-control-socket"]
    with _log(stage, "chatbot-support").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [str(APPLICATION_PYTHON), *gunicorn, "--bind", f"fd://{number}"],
            cwd=APPS,
            env=stage.application_variables(**_names("chatbot", "support")),
            pass_fds=(number,),
            stdout=log,
            stderr=log,
        )
    # The server has inherited it; open here too, requests would wait for one that has died.
    listening.close()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


# A proxy of the environment would be asked for this machine's own address.
_without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _post(url: str, body: dict[str, object]) -> str:
    data = json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with _without_proxy.open(asked, timeout=30) as answer:
            return str(answer.read().decode())
    except OSError as error:
        raise DemoError(f"The chatbot did not answer: {error}") from error


def _log(stage: Stage, name: str) -> Path:
    folder = stage.state / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.log"
