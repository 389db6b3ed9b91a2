"""The shop: answers with its version. `server.py VERSION PORT`."""

import http.server
import sys

version, port = sys.argv[1], int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(version)))
        self.end_headers()
        self.wfile.write(version.encode())


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
