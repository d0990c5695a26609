"""Paints one picture for each text given and saves it as a file.

Started by `python image_generator.py --out pictures "a lighthouse at dawn" "a red bicycle"`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash-image"
STYLE = "Watercolour on rough paper, no lettering. "


def paint(client: genai.Client, subject: str) -> bytes | None:
    """The picture of a subject as PNG, None when the model answers without one."""
    answer = client.models.generate_content(
        model=MODEL,
        contents=STYLE + subject,
        config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
    )
    pictures = (part.inline_data.data for part in answer.parts or () if part.inline_data)
    return next(pictures, None)


def main() -> int:
    """Returns 0 when every picture was painted, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="+", metavar="TEXT")
    parser.add_argument("--out", type=Path, default=Path("pictures"))
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    client, painted = genai.Client(), 0
    for number, subject in enumerate(wanted.subjects, 1):
        try:
            picture = paint(client, subject)
        except errors.APIError as error:
            print(f"{subject}: not painted, {error}")
            continue
        if picture is not None:
            (wanted.out / f"{number:02d}.png").write_bytes(picture)
            painted += 1
    print(f"{painted} of {len(wanted.subjects)} pictures painted")
    return 0 if painted == len(wanted.subjects) else 1


if __name__ == "__main__":
    raise SystemExit(main())
