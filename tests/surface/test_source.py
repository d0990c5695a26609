"""Methods and their requests are read from source alone, one made-up SDK per code generator."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from anchor_autopatch.surface import source, ways
from anchor_autopatch.surface.source import Method, Way


@pytest.fixture
def read(tmp_path: Path):
    """A function that writes modules and reads the methods of their clients."""

    def read(way: Way, **modules: str) -> set[Method]:
        files = []
        for name, text in modules.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), "utf-8")
            files.append(path)
        return source.methods(tmp_path, files, way)

    return read


def test_stainless_twins_are_one_method(read) -> None:
    found = read(
        ways.STAINLESS,
        chat__completions__completions="""
            class Completions(SyncAPIResource):
                def create(self, model): return self._post("/chat/completions", body={})
                def _private(self): return self._post("/never")
                @cached_property
                def messages(self): return self._get("/never")
            class AsyncCompletions(AsyncAPIResource):
                async def create(self, model): return await self._post("/chat/completions")
            class CompletionsWithRawResponse:
                def create(self): return self._post("/never")
        """,
    )

    assert found == {Method("chat.completions.create", "POST /chat/completions")}


def test_parts_of_a_path_that_vary_have_one_name(read) -> None:
    found = read(
        ways.STAINLESS,
        files="""
            class Files(SyncAPIResource):
                def content(self, file_id): return self._get(f"/files/{file_id}/content")
                def delete(self, id): return self._delete(path_template("/files/{file_id}", id=id))
        """,
    )

    assert found == {
        Method("files.content", "GET /files/{id}/content"),
        Method("files.delete", "DELETE /files/{id}"),
    }


def test_method_that_sends_by_another_has_its_request(read) -> None:
    found = read(
        ways.STAINLESS,
        runs="""
            class Runs(SyncAPIResource):
                def create(self): return self._post("/runs")
                def create_and_poll(self):
                    run = self.create()
                    return self._wait(run)
                def _wait(self, run): return self.create_and_poll()
                def stream(self): return Manager(partial(self._post, "/runs"))
        """,
    )

    assert found == {
        Method("runs.create", "POST /runs"),
        Method("runs.create_and_poll", "POST /runs"),
        Method("runs.stream", "POST /runs"),
    }


def test_genai_paths_of_both_clouds_are_read(read) -> None:
    found = read(
        ways.GENAI,
        models="""
            class Models(_api_module.BaseModule):
                def generate_content(self, vertexai):
                    if vertexai:
                        path = '{model}:generateContent'.format_map(parts)
                    else:
                        path = 'publishers/{model}:generateContent'.format_map(parts)
                    return self._api_client.request('post', path, {}, None)
        """,
    )

    assert {method.route.split(" ")[0] for method in found} == {"POST"}
    assert {method.route.rpartition(":")[2] for method in found} == {"generateContent"}
    assert len(found) == 2


def test_speakeasy_fragment_is_never_sent(read) -> None:
    found = read(
        ways.SPEAKEASY,
        chat="""
            class Chat(BaseSDK):
                def complete(self): return self._build_request(method="POST", path="/v1/chat")
                def stream(self): return self._build_request(method="POST", path="/v1/chat#stream")
                async def stream_async(self):
                    return self._build_request_async(method="POST", path="/v1/chat#stream")
        """,
    )

    assert found == {
        Method("chat.complete", "POST /v1/chat"),
        Method("chat.stream", "POST /v1/chat"),
    }


def test_fern_client_is_named_by_its_folder(read) -> None:
    found = read(
        ways.FERN,
        raw_base_client="""
            class RawBaseCohere:
                def chat(self): return self._client.request("v1/chat", method="POST")
        """,
        batches__raw_client="""
            class AsyncRawBatchesClient:
                async def list(self): return await self._client.request("v2/batches", method="GET")
        """,
    )

    assert {method.name for method in found} == {"chat", "batches.list"}
    assert {method.route for method in found} == {"POST /v1/chat", "GET /v2/batches"}


def test_grpc_stub_names_the_request(read) -> None:
    found = read(
        ways.GRPC,
        chat="""
            class Client(BaseClient):
                def create(self): return Chat(self._stub)
            class Chat(BaseChat):
                def sample(self): return self._stub.GetCompletion(request)
        """,
    )

    assert Method("chat.sample", "gRPC GetCompletion") in found


def test_overload_says_nothing_beside_the_method_that_sends(read) -> None:
    found = read(
        ways.STAINLESS,
        audio="""
            class Audio(SyncAPIResource):
                @overload
                def create(self, stream: Literal[True]): ...
                def create(self, stream=False): return self._post("/audio")
                def helper(self): return 1
        """,
    )

    assert found == {Method("audio.create", "POST /audio"), Method("audio.helper", "")}
