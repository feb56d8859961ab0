"""A receiver that verifies, in Python: python3 receiver.py [PORT], then

    echo whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA== |
        hookbox endpoint add me http://127.0.0.1:9000/ --sign standard --secret -

It answers 204 to a request whose signature and time are right, 401 to any other, as Standard
Webhooks has it (https://www.standardwebhooks.com), and drops a webhook-id that it has seen: delivery
is at least once.
"""

import base64
import hashlib
import hmac
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = "whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA=="
TOLERANCE_SECONDS = 300

seen = set()


def is_genuine(headers, body):
    """Whether the sender knows the secret and the request is not an old one sent again."""
    event, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (sent.isascii() and sent.isdigit()) or abs(time.time() - int(sent)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{event}.{sent}.".encode() + body
    right = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # There are several while a secret is being replaced.
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), right) for one in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        event = self.headers.get("webhook-id", "no id")
        if not is_genuine(self.headers, body):
            status, what = 401, "refused"
        elif event in seen:
            status, what = 204, "seen before"
        else:
            seen.add(event)
            status, what = 204, "genuine"
        print(f"{event}: {len(body)} bytes, {what}", flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
