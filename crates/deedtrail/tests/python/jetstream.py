"""Publishes to a stream of JetStream what standard input says, line by line:
{"subject": …, "text": …, "headers": {…}}. Then prints how much waits for the consumer."""

import asyncio
import json
import sys

import nats
from nats.js.errors import NotFoundError


async def main(address, consumer):
    client = await nats.connect(address)
    stream = client.jetstream()
    try:
        await stream.stream_info("AUDIT")
    except NotFoundError:
        await stream.add_stream(name="AUDIT", subjects=["audit.>"])
    for line in sys.stdin:
        message = json.loads(line)
        await stream.publish(
            message["subject"], message["text"].encode(), headers=message.get("headers")
        )
    try:
        info = await stream.consumer_info("AUDIT", consumer)
        print(info.num_pending + info.num_ack_pending)
    except NotFoundError:
        print("none")
    await client.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
