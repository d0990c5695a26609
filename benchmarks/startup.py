"""CPU time of a whole process.

`python -c pass`, and importing the SDKs, with and without the hook.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measuring import Comparison, show

_HOOK = Path(__file__).resolve().parent.parent / "sitecustomize_template"
_IMPORT = (
    "import openai, anthropic, google.genai; "
    "openai.OpenAI(api_key='x'); anthropic.Anthropic(api_key='x')"
)


def compare(world: str, python: Path, rounds: int) -> list[Comparison]:
    """Start-up bars: +5 ms for an empty program, 1.05x for importing three SDKs."""
    return [
        show(
            _turns(
                f"{world}: python -c pass, CPU",
                python,
                "pass",
                rounds,
                most_added=5.0,
                most_ratio=None,
            )
        ),
        show(
            _turns(
                f"{world}: import 3 SDKs, CPU",
                python,
                _IMPORT,
                max(3, rounds // 8),
                most_added=None,
                most_ratio=1.05,
            )
        ),
    ]


def _turns(
    name: str,
    python: Path,
    code: str,
    rounds: int,
    *,
    most_added: float | None,
    most_ratio: float | None,
) -> Comparison:
    bare, hooked = [], []
    with tempfile.TemporaryDirectory() as home:
        environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANCHOR_", "PYTHON"))
        }
        on = {**environ, "PYTHONPATH": str(_HOOK), "ANCHOR_HOME": home}
        for _ in range(2):
            _cpu_ms(python, code, environ)
            _cpu_ms(python, code, on)
        for _ in range(rounds):
            bare.append(_cpu_ms(python, code, environ))
            hooked.append(_cpu_ms(python, code, on))
    return Comparison(name, "ms", tuple(bare), tuple(hooked), most_added, most_ratio)


def _cpu_ms(python: Path, code: str, environ: dict[str, str]) -> float:
    process = subprocess.Popen([python, "-c", code], env=environ)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{python} -c {code!r} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000
