"""Flask: a view, a stream, a thread that outlives its request, an application that forgets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from calling import call
from flask import Blueprint, Flask, Response, send_file, session

from anchor_autopatch import attribute

app = Flask(__name__)
app.secret_key = "test"
shop = Blueprint("shop", __name__, url_prefix="/shop")
pool = ThreadPoolExecutor(2)


@app.get("/plain/<name>")
def plain(name):
    return call(name)


@app.get("/stream/<name>")
def stream(name):
    def steps():
        yield "begun "
        yield call(name)

    return Response(steps())


@app.get("/background/<name>")
def background(name):
    threading.Thread(target=call, args=(name,)).start()
    return "later"


@app.get("/pool/<name>")
def in_pool(name):
    pool.submit(call, name)
    return "later"


@shop.get("/items/<int:item>/<name>")
def in_blueprint(item, name):
    return call(name)


@app.get("/forgetful/<name>")
def forgetful(name):
    answer = call(name)
    attribute(team="left behind", user_id="left behind").__enter__()
    return answer


@app.get("/login/<name>")
def login(name):
    session["user"] = name
    return "in"


@app.get("/file")
def file():
    return send_file(__file__)


app.register_blueprint(shop)
