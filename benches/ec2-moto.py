#!/usr/bin/env python3
"""moto's server, with the name of every call written to a file: ec2-moto.py PORT FILE"""

import io
import os
import sys
from urllib.parse import parse_qs

os.environ.setdefault(
    "MOTO_AMIS_PATH", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/moto/amis.json")
)

from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402 (it reads the environment)
from werkzeug.serving import WSGIRequestHandler, run_simple  # noqa: E402


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


def counted(app, path):
    log = open(path, "a", buffering=1)

    def call(environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = parse_qs(body.decode(errors="replace"))
        action = form.get("Action", [environ["PATH_INFO"]])[0]
        dry = "DryRun " if form.get("DryRun") == ["true"] else ""
        log.write(f"{dry}{action}\n")
        return app(environ, start_response)

    return call


if __name__ == "__main__":
    port, path = sys.argv[1:]
    app = counted(DomainDispatcherApplication(create_backend_app), path)
    run_simple("127.0.0.1", int(port), app, threaded=True, request_handler=Quiet)
