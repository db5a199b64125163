"""The task manager: a page for people, a JSON API for programs, Redis behind both."""
import os
import socket

import redis
from flask import Flask, abort, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from store import Store

VERSION = os.environ.get("APP_VERSION", "dev")
TITLE_LIMIT = 200
SHOWN = 100

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
store = Store(os.environ.get("REDIS_SOCKET", "/run/app/redis.sock"))


@app.after_request
def sign(response):
    response.headers["X-App-Version"] = VERSION
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return response


@app.errorhandler(redis.RedisError)
def store_down(error):
    return failure(503, f"the store does not answer: {error}")


@app.errorhandler(HTTPException)
def refused(error):
    return failure(error.code, error.description)


def failure(code, message):
    if request.path.startswith("/api/"):
        return jsonify(error=message), code
    return render_template("error.html", message=message, version=VERSION), code


def checked(title):
    if not isinstance(title, str) or not title.strip():
        abort(400, "a task needs a title")
    title = title.strip()
    if len(title) > TITLE_LIMIT:
        abort(400, f"a title has at most {TITLE_LIMIT} characters")
    if not title.isprintable():
        abort(400, "a title is one line of printable text")
    return title


@app.get("/")
def page():
    return render_template(
        "index.html",
        tasks=store.newest(SHOWN),
        counts=store.counts(),
        version=VERSION,
        server=socket.gethostname(),
        limit=TITLE_LIMIT,
    )


@app.post("/tasks")
def add():
    store.add(checked(request.form.get("title")))
    return redirect("/", 303)


@app.post("/tasks/<int:task>/toggle")
def toggle(task):
    return back_or_404(store.toggle(task))


@app.post("/tasks/<int:task>/delete")
def delete(task):
    return back_or_404(store.delete(task))


def back_or_404(found):
    if not found:
        abort(404, "no such task")
    return redirect("/", 303)


@app.get("/api/tasks")
def api_list():
    return jsonify(tasks=store.newest(SHOWN), **store.counts())


@app.post("/api/tasks")
def api_add():
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        abort(400, "a task is a JSON object")
    return jsonify(store.add(checked(body.get("title")))), 201


@app.get("/api/health")
def health():
    up = store.up()
    body = {"status": "healthy" if up else "unhealthy", "store": "up" if up else "down", "version": VERSION}
    return jsonify(body), 200 if up else 503
