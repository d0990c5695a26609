"""A support chatbot: POST /chat with {"message": ..., "history": [...], "stream": false}.

Started by `flask --app chatbot run`, or by `gunicorn chatbot:app`.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, jsonify, request
from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash"
CONFIG = types.GenerateContentConfig(
    system_instruction="You help the customers of a bicycle shop. Answer in two sentences.",
    max_output_tokens=1_000,
)

app = Flask(__name__)
client = genai.Client()


@app.post("/chat")
def chat() -> Response:
    """Answers one message, in the light of those before it."""
    asked = request.get_json()
    turns = [*asked.get("history", []), {"role": "user", "text": asked["message"]}]
    contents = [
        types.Content(role=turn["role"], parts=[types.Part(text=turn["text"])]) for turn in turns
    ]
    if asked.get("stream"):
        return Response(_words(contents), mimetype="text/plain")
    answer = client.models.generate_content(model=MODEL, contents=contents, config=CONFIG)
    return jsonify(answer=answer.text)


def _words(contents: list[types.Content]) -> Iterator[str]:
    for chunk in client.models.generate_content_stream(
        model=MODEL, contents=contents, config=CONFIG
    ):
        yield chunk.text or ""


@app.errorhandler(errors.APIError)
def unavailable(error: errors.APIError) -> tuple[Response, int]:
    """Tells the customer to come back, whatever the model's trouble is."""
    app.logger.warning("the model did not answer: %s", error)
    return jsonify(answer="I cannot answer at the moment, please try again later."), 503
