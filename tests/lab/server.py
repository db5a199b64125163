"""What the lab's HTTP servers have in common."""

import sys
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Its threads end with the lab. Callers may go away in the middle: some tests kill them."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Tells of every error but that."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
