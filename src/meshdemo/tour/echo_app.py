"""The app of some lessons on a cluster, where no registry has the image meshdemo/echo.

It stands in manifests as a whole, and needs no more than a Python of any age: so it also runs in
the walkthrough's image. It does of that app what lessons use: says which pod answered, and what it
was asked; x-echo-status and x-echo-delay steer it, x-echo-only says which version they are for.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

VERSION, POD = os.environ.get("version", ""), os.environ.get("HOSTNAME", "")


class Echo(BaseHTTPRequestHandler):
    """Answers a request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        """Say who answers, and what was asked."""
        asked = {name.lower(): value for name, value in self.headers.items()}
        meant = asked.get("x-echo-only", VERSION) == VERSION
        time.sleep(float(asked.get("x-echo-delay", 0)) if meant else 0)
        said = {"version": VERSION, "pod": POD, "path": self.path, "headers": asked}
        body = VERSION if self.path == "/env/version" else json.dumps(said)
        self.send_response(int(asked.get("x-echo-status", 200)) if meant else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said: object) -> None:
        """Keep quiet."""


class Server(ThreadingMixIn, HTTPServer):
    """Answers side by side."""

    daemon_threads = True
    request_queue_size = 128


Server(("", 80), Echo).serve_forever()
