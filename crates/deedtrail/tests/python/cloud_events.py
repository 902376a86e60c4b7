"""Sends events with the CloudEvents project's own SDK, as `binary` or `structured` says.

Arguments: address, token, mode. Every line of standard input is the JSON of one event's data. Prints
the status of each answer.
"""

import json
import sys

import requests
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

address, token, mode = sys.argv[1:]
convert = {"binary": to_binary, "structured": to_structured}[mode]
for number, line in enumerate(sys.stdin):
    attributes = {
        "type": "com.example.audit",
        "source": "//example.com/audit",
        "id": f"n-{number}",
    }
    headers, body = convert(CloudEvent(attributes, json.loads(line)))
    headers["Authorization"] = "Bearer " + token
    print(requests.post(address + "/v1/cloudevents", data=body, headers=headers).status_code)
