# -*- coding: utf-8 -*-
"""What to watch next: the recommendation service, in the Python 2.7 that it was written in.

GET /?genre=drama&limit=3   titles, most played first
GET /health                 200 while there is a catalogue to recommend from
"""
import BaseHTTPServer
import SocketServer
import json
import os
import signal
import sys
import threading
import urllib2
import urlparse

VERSION = os.environ.get("APP_VERSION", "dev")
PORT = 8080
MOST = 50


def load_catalogue():
    """From CATALOGUE_URL where that is set and answers, else from the file beside this program."""
    url = os.environ.get("CATALOGUE_URL")
    if url:
        try:
            return json.load(urllib2.urlopen(url, timeout=5))
        except (urllib2.URLError, ValueError), e:
            print >>sys.stderr, "catalogue: %s: %s; taking the one on disk" % (url, e)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "catalogue.json")) as f:
        return json.load(f)


def recommend(catalogue, genre, limit):
    found = [t for t in catalogue if genre is None or t["genre"] == genre]
    found.sort(lambda a, b: cmp(b["plays"], a["plays"]) or cmp(a["title"], b["title"]))
    return found[:limit]


class Handler(BaseHTTPServer.BaseHTTPRequestHandler):
    catalogue = []

    def do_GET(self):
        url = urlparse.urlsplit(self.path)
        if url.path == "/health":
            well = len(self.catalogue) > 0
            self.reply(200 if well else 503, {"status": "healthy" if well else "unhealthy",
                                              "titles": len(self.catalogue), "version": VERSION})
        elif url.path == "/":
            self.recommendations(urlparse.parse_qs(url.query))
        else:
            self.reply(404, {"error": "no such page"})

    def recommendations(self, query):
        try:
            limit = int(query.get("limit", ["5"])[0])
        except ValueError, e:
            return self.reply(400, {"error": "limit: %s" % e})
        if not 0 < limit <= MOST:
            return self.reply(400, {"error": "limit: from 1 to %d" % MOST})
        # parse_qs gives bytes and the catalogue holds text: they are equal only while both are ASCII.
        genre = query.get("genre", [None])[0]
        if genre is not None:
            genre = genre.decode("utf-8", "replace")
        self.reply(200, {"version": VERSION, "genre": genre,
                         "recommendations": recommend(self.catalogue, genre, limit)})

    def reply(self, status, body):
        text = json.dumps(body, ensure_ascii=False, sort_keys=True)
        if isinstance(text, unicode):  # it is a str when all of it happens to be ASCII
            text = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-App-Version", VERSION)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        if not self.path.startswith("/health"):
            print "%s %s" % (self.address_string(), format % args)

    def address_string(self):
        return self.client_address[0]  # the inherited one asks DNS for a name, each time


class Server(SocketServer.ThreadingMixIn, BaseHTTPServer.HTTPServer):
    allow_reuse_address = True
    daemon_threads = False  # a stop waits for the requests at hand
    request_queue_size = 128


def main():
    Handler.catalogue = load_catalogue()
    server = Server(("", PORT), Handler)

    def stop(signum, frame):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    print "py27-monolith %s: %d titles, port %d" % (VERSION, len(Handler.catalogue), PORT)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print "py27-monolith: stopped"


if __name__ == "__main__":
    main()
