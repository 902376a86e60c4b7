"""Logs through a public logging handler for Splunk's HTTP Event Collector.

Arguments: host, port, token. Every line of standard input is one message: JSON or text.
"""

import json
import logging
import sys

from splunk_hec_handler import SplunkHecHandler

host, port, token = sys.argv[1:]
handler = SplunkHecHandler(
    host,
    token,
    port=int(port),
    proto="http",
    ssl_verify=False,
    sourcetype="aws:cloudtrail",
)
log = logging.getLogger("shipper")
log.setLevel(logging.INFO)
log.addHandler(handler)
for line in sys.stdin:
    try:
        message = json.loads(line)
    except ValueError:
        message = line.rstrip("\n")
    log.info(message)
logging.shutdown()
