# ruff: noqa: N802 - methods have the names of the RPCs
"""A small gRPC server that answers as xAI does, from the protos that the SDK ships."""

from __future__ import annotations

from concurrent import futures

import grpc
from xai_sdk.proto import (
    batch_pb2,
    batch_pb2_grpc,
    chat_pb2,
    chat_pb2_grpc,
    deferred_pb2,
    image_pb2,
    image_pb2_grpc,
    usage_pb2,
    video_pb2,
    video_pb2_grpc,
)

USAGE = {
    "prompt_tokens": 120,
    "prompt_text_tokens": 100,
    "prompt_image_tokens": 20,
    "cached_prompt_text_tokens": 40,
    "completion_tokens": 30,
    "reasoning_tokens": 50,
    "total_tokens": 200,
    "server_side_tools_used": ["SERVER_SIDE_TOOL_WEB_SEARCH", "SERVER_SIDE_TOOL_WEB_SEARCH"],
    "cost_in_usd_ticks": 12_345_678_901,
}


class State:
    """What the server answers with, and how often it was asked."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.calls = []
        self.fail = []
        self.break_after = None
        self.with_usage = True
        self.polls = 1
        self.status = deferred_pb2.DONE
        self.text = "hello there"
        self.count = 0

    def begin(self, name, context):
        self.calls.append(name)
        self.count += 1
        if self.fail:
            code, details = self.fail.pop(0)
            context.abort(code, details)


def _completion(state, request, cls=chat_pb2.GetChatCompletionResponse):
    answer = cls(id=f"grok-{state.count}", model=f"{request.model}-0709", service_tier=1)
    if state.with_usage:
        answer.usage.CopyFrom(usage_pb2.SamplingUsage(**USAGE))
    if cls is chat_pb2.GetChatCompletionResponse:
        for index in range(max(request.n, 1)):
            output = answer.outputs.add(index=index, finish_reason=3)
            output.message.role = chat_pb2.ROLE_ASSISTANT
            output.message.content = state.text
    return answer


class Chat(chat_pb2_grpc.ChatServicer):
    def __init__(self, state):
        self.state = state
        self.left = {}

    def GetCompletion(self, request, context):
        self.state.begin("GetCompletion", context)
        return _completion(self.state, request)

    def GetCompletionChunk(self, request, context):
        state = self.state
        state.begin("GetCompletionChunk", context)
        for number in range(1, 5):
            if number == state.break_after:
                context.abort(grpc.StatusCode.INTERNAL, "the model went away")
            chunk = _completion(state, request, chat_pb2.GetChatCompletionChunk)
            for index in range(max(request.n, 1)):
                output = chunk.outputs.add(index=index, finish_reason=3 if number == 4 else 0)
                output.delta.content = "word "
            if state.with_usage:
                # Cumulative: 10, 20, 30 and then the whole.
                chunk.usage.completion_tokens = 10 * min(number, 3)
            yield chunk

    def CompactContext(self, request, context):
        self.state.begin("CompactContext", context)
        usage = usage_pb2.SamplingUsage(**USAGE)
        return chat_pb2.CompactContextResponse(id="compact-1", usage=usage)

    def StartDeferredCompletion(self, request, context):
        self.state.begin("StartDeferredCompletion", context)
        key = f"deferred-{self.state.count}"
        self.left[key] = [request, self.state.polls]
        return deferred_pb2.StartDeferredResponse(request_id=key)

    def GetDeferredCompletion(self, request, context):
        self.state.begin("GetDeferredCompletion", context)
        asked, left = self.left[request.request_id]
        if left > 0:
            self.left[request.request_id][1] -= 1
            return chat_pb2.GetDeferredCompletionResponse(status=deferred_pb2.PENDING)
        answer = _completion(self.state, asked)
        answer.id = f"grok-of-{request.request_id}"
        return chat_pb2.GetDeferredCompletionResponse(status=self.state.status, response=answer)


class Images(image_pb2_grpc.ImageServicer):
    def __init__(self, state):
        self.state = state

    def GenerateImage(self, request, context):
        self.state.begin("GenerateImage", context)
        usage = usage_pb2.SamplingUsage(cost_in_usd_ticks=700_000_000)
        answer = image_pb2.ImageResponse(model=request.model, usage=usage)
        for _ in range(max(request.n, 1)):
            answer.images.add(url="http://images.invalid/1.png", respect_moderation=True)
        return answer


class Videos(video_pb2_grpc.VideoServicer):
    def __init__(self, state):
        self.state = state

    def GenerateVideo(self, request, context):
        self.state.begin("GenerateVideo", context)
        return deferred_pb2.StartDeferredResponse(request_id=f"video-{self.state.count}")

    def GetDeferredVideo(self, request, context):
        self.state.begin("GetDeferredVideo", context)
        if self.state.polls > 0:
            self.state.polls -= 1
            return video_pb2.GetDeferredVideoResponse(status=deferred_pb2.PENDING)
        usage = usage_pb2.SamplingUsage(cost_in_usd_ticks=5_000_000_000)
        video = video_pb2.GeneratedVideo(
            url="http://videos.invalid/1.mp4", duration=6, respect_moderation=True
        )
        answer = video_pb2.VideoResponse(model="grok-video", usage=usage, video=video)
        return video_pb2.GetDeferredVideoResponse(status=deferred_pb2.DONE, response=answer)


class Batches(batch_pb2_grpc.BatchMgmtServicer):
    def __init__(self, state):
        self.state = state

    def CreateBatch(self, request, context):
        self.state.begin("CreateBatch", context)
        return batch_pb2.Batch(batch_id="batch-1", name=request.name)

    def ListBatchResults(self, request, context):
        self.state.begin("ListBatchResults", context)
        answer = batch_pb2.ListBatchResultsResponse()
        for number in (1, 2):
            done = answer.results.add(batch_request_id=f"request-{number}")
            asked = chat_pb2.GetCompletionsRequest(model="grok-4")
            done.response.completion_response.CopyFrom(_completion(self.state, asked))
            done.response.completion_response.id = f"grok-batched-{number}"
        answer.results.add(batch_request_id="request-3").error.message = "too long"
        return answer


class Server:
    """The server in threads of this process; `host` is what a client dials."""

    def __init__(self):
        self.state = State()
        # A test makes many clients one after the other: no ping of theirs is one too many.
        patient = [("grpc.http2.max_ping_strikes", 0)]
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=patient)
        chat_pb2_grpc.add_ChatServicer_to_server(Chat(self.state), self.server)
        image_pb2_grpc.add_ImageServicer_to_server(Images(self.state), self.server)
        video_pb2_grpc.add_VideoServicer_to_server(Videos(self.state), self.server)
        batch_pb2_grpc.add_BatchMgmtServicer_to_server(Batches(self.state), self.server)
        self.host = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_exception):
        self.server.stop(None).wait()
