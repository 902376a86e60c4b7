"""Exports spans and log records with OpenTelemetry's own SDK.

Arguments: address, token. Every line of standard input is the body of one log record. The spans are
an agent's: one tool call, and one request that the tool makes.
"""

import logging
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

address, token = sys.argv[1:]
headers = {"Authorization": "Bearer " + token}

spans = TracerProvider(resource=Resource.create({"service.name": "support-bot"}))
exporter = OTLPSpanExporter(endpoint=address + "/v1/traces", headers=headers)
spans.add_span_processor(BatchSpanProcessor(exporter))
tracer = spans.get_tracer("agent")
tool = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "refund_order",
    "gen_ai.agent.name": "support-bot",
}
with tracer.start_as_current_span("execute_tool refund_order", attributes=tool):
    with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT):
        pass

logs = LoggerProvider(
    resource=Resource.create({"service.name": "collector", "deedtrail.source": "aws.cloudtrail"})
)
exporter = OTLPLogExporter(endpoint=address + "/v1/logs", headers=headers)
logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = logging.getLogger("file")
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.propagate = False
for line in sys.stdin:
    logger.info("%s", line.rstrip("\n"))

spans.shutdown()
logs.shutdown()
