"""Sends a body as a webhook, signed by the Standard Webhooks library.

Arguments: address, secret, id. The body is standard input. Prints the status and the answer.
"""

import datetime
import sys
import urllib.error
import urllib.request

from standardwebhooks.webhooks import Webhook

address, secret, message = sys.argv[1:]
body = sys.stdin.read()
now = datetime.datetime.now(tz=datetime.timezone.utc)
request = urllib.request.Request(
    address,
    data=body.encode(),
    headers={
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, now, body),
    },
)
try:
    with urllib.request.urlopen(request) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as refusal:
    print(refusal.code, refusal.read().decode())
