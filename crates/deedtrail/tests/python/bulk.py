"""Sends documents with the official Elasticsearch client, and prints what it was told.

Arguments: address, token, index. Every line of standard input is one JSON document, sent as it is
and again as the text of a shipper's `message`.
"""

import json
import sys

from elasticsearch import Elasticsearch, helpers

address, token, index = sys.argv[1:]
client = Elasticsearch(address + "/elastic", api_key=token)
client.info()
documents = [json.loads(line) for line in sys.stdin]
wrapped = [{"@timestamp": "now", "message": json.dumps(one, separators=(",", ":"))} for one in documents]
actions = [
    {"_op_type": "create", "_index": index, "_source": one} for one in documents + wrapped
]
taken, errors = helpers.bulk(client, actions, raise_on_error=False)
refused, reasons = helpers.bulk(
    client,
    [{"_op_type": "delete", "_index": index, "_id": "1"}],
    raise_on_error=False,
)
print(
    json.dumps(
        {
            "health": client.cluster.health()["status"],
            "taken": taken,
            "errors": errors,
            "refused": [one["delete"]["status"] for one in reasons],
        }
    )
)
