"""Django in one file: synchronous and asynchronous views, streams, a thread."""

from __future__ import annotations

import threading

import django
from calling import call, call_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import include, path


def plain(request, name):
    return HttpResponse(call(name))


async def plain_async(request, name):
    return HttpResponse(await call_async(name))


def stream(request, name):
    def steps():
        yield "begun "
        yield call(name)

    return StreamingHttpResponse(steps())


async def stream_async(request, name):
    async def steps():
        yield "begun "
        yield await call_async(name)

    return StreamingHttpResponse(steps())


def background(request, name):
    threading.Thread(target=call, args=(name,)).start()
    return HttpResponse("later")


urlpatterns = [
    path("plain/<str:name>", plain),
    path("async/<str:name>", plain_async),
    path("stream/<str:name>", stream),
    path("stream-async/<str:name>", stream_async),
    path("background/<str:name>", background),
    path(
        "shop/",
        include([path("items/<int:item>/<str:name>", lambda r, item, name: plain(r, name))]),
    ),
]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="test",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()
wsgi = get_wsgi_application()
asgi = get_asgi_application()
