"""Sends again what is dead of an endpoint, over the API: python3 replay.py http://127.0.0.1:8421 ci [TOKEN]

The client is made from the document that hookbox serves:

    python3 -m venv client && . client/bin/activate
    pip install openapi-python-client
    curl -fsS http://127.0.0.1:8421/openapi.json > openapi.json    # with a token: -H "Authorization: Bearer ..."
    openapi-python-client generate --path openapi.json
    pip install ./hookbox-client
"""

import sys
import time
import uuid

from hookbox_client import AuthenticatedClient, Client
from hookbox_client.api.default import replay, show_replay
from hookbox_client.models import Problem, ReplayBody, ReplayBodyFilterType0


def told(answer):
    """What was asked for, or an end with what hookbox said is wrong."""
    if answer is None or isinstance(answer, Problem):
        sys.exit(f"replay: {answer.detail if answer else 'no answer that the document knows'}")
    return answer


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: replay.py ADDRESS ENDPOINT [TOKEN]")
    address, endpoint, *token = sys.argv[1:]
    client = AuthenticatedClient(address, token[0]) if token else Client(address)
    dead = ReplayBodyFilterType0(state="dead", endpoint=endpoint)

    # First only to see. An older delivery of an event that arrived since is left out.
    preview = told(replay.sync(client=client, body=ReplayBody(filter_=dead, dry_run=True)))
    print(f"to be sent to {endpoint} again: {preview.deliveries}")
    if preview.deliveries == 0:
        return

    # The key makes it one replay, however often an uncertain request is repeated.
    key = str(uuid.uuid4())
    begun = told(replay.sync(client=client, body=ReplayBody(filter_=dead), idempotency_key=key))
    while True:
        now = told(show_replay.sync(begun.replay, client=client))
        if now.state not in ("running", "paused"):
            break
        time.sleep(0.2)
    print(f"{now.id}: {now.delivered} delivered, {now.dead} dead")


main()
