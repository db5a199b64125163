"""A release that must never be taken for a good one: what $FAULT says is wrong with it."""
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULT = os.environ["FAULT"]
ANSWERS = {"wrong-status": 500, "redirect": 302}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if FAULT == "never-ready":
            time.sleep(3600)
        # The redirect leads to a page that is fine: whoever follows it is fooled.
        self.send_response(200 if self.path == "/welcome" else ANSWERS[FAULT])
        if FAULT == "redirect" and self.path != "/welcome":
            self.send_header("Location", "/welcome")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


if FAULT == "crash":
    print("faulty: cannot read its configuration, giving up", file=sys.stderr, flush=True)
    sys.exit(1)
if FAULT not in ANSWERS and FAULT != "never-ready":
    sys.exit(f"faulty: no such fault: {FAULT}")
print(f"faulty: listening on port 5000, fault: {FAULT}", flush=True)
server = ThreadingHTTPServer(("0.0.0.0", 5000), Handler)
server.daemon_threads = True
server.serve_forever()
