"""Reads what a receiver got, as JSON, and verifies it with the public library."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

arrived = json.load(sys.stdin)
webhook = Webhook(arrived["secret"])
webhook.verify(arrived["body"], arrived["headers"])
try:
    webhook.verify(arrived["body"] + " ", arrived["headers"])
except WebhookVerificationError:
    sys.exit(0)
sys.exit("a changed body was accepted")
