"""A bucket `logs` of a store that speaks S3. Prints its address, then does what standard input
says, line by line: {"key": …, "text": …} puts an object, "file" instead of "text" the bytes of a
file, with "gzip" packed, with "cut" without its end; {"delete": …} deletes one. Prints a line when it
is done."""

import gzip
import json
import logging
import pathlib
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"
store = boto3.client(
    "s3",
    endpoint_url=address,
    region_name="us-east-1",
    aws_access_key_id="AKIAEXAMPLE",
    aws_secret_access_key="secret",
)
store.create_bucket(Bucket="logs")
print(address, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if "delete" in request:
        store.delete_object(Bucket="logs", Key=request["delete"])
    else:
        if "file" in request:
            body = pathlib.Path(request["file"]).read_bytes()
        else:
            body = request["text"].encode()
        if request.get("gzip"):
            body = gzip.compress(body)
        if request.get("cut"):
            body = body[:-12]
        store.put_object(Bucket="logs", Key=request["key"], Body=body)
    print("done", flush=True)
