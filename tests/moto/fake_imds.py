#!/usr/bin/env python3
"""A fake instance metadata service (IMDSv2): fake_imds.py PORT FILE

FILE holds {"region": ..., "role": ..., "credentials": {...}} and is read at each request; without "role", the instance
has none. Requests without a token of this service are refused, as `http_tokens = required` has it.
"""

import http.server
import json
import sys

TOKEN = "fake-imds-token"


class FakeImds(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        lives = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if self.path == "/latest/api/token" and lives and 1 <= int(lives) <= 21600:
            self.answer(200, TOKEN)
        else:
            self.answer(400, "")

    def do_GET(self):
        with open(sys.argv[2], encoding="utf-8") as file:
            instance = json.load(file)
        role = instance.get("role")
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self.answer(401, "")
        elif self.path == "/latest/meta-data/placement/region":
            self.answer(200, instance["region"])
        elif role and self.path == roles:
            self.answer(200, role)
        elif role and self.path == roles + role:
            self.answer(200, json.dumps(instance["credentials"], indent=2))
        else:
            self.answer(404, "<html>not found</html>")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), FakeImds).serve_forever()
