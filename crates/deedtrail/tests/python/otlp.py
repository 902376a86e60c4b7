"""Exports spans and log records with OpenTelemetry's own SDK.

Arguments: address, token, `http` or `grpc`, and for TLS the file of the authority. Every line of standard input is the body of one log record. The spans are
an agent's: one tool call, and one request that the tool makes.
"""

import logging
import sys
from pathlib import Path

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

address, token, protocol, *authority = sys.argv[1:]


def exporters():
    """Of spans and of log records."""
    if protocol == "http":
        headers = {"Authorization": "Bearer " + token}
        return (
            http_traces.OTLPSpanExporter(endpoint=address + "/v1/traces", headers=headers),
            http_logs.OTLPLogExporter(endpoint=address + "/v1/logs", headers=headers),
        )
    options = {
        "endpoint": address,
        "headers": (("authorization", "Bearer " + token),),
        "compression": grpc.Compression.Gzip,
        "insecure": not authority,
    }
    if authority:
        certificate = Path(authority[0]).read_bytes()
        options["credentials"] = grpc.ssl_channel_credentials(certificate)
    return grpc_traces.OTLPSpanExporter(**options), grpc_logs.OTLPLogExporter(**options)


span_exporter, log_exporter = exporters()

spans = TracerProvider(resource=Resource.create({"service.name": "support-bot"}))
spans.add_span_processor(BatchSpanProcessor(span_exporter))
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
logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
logger = logging.getLogger("file")
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.propagate = False
for line in sys.stdin:
    logger.info("%s", line.rstrip("\n"))

spans.shutdown()
logs.shutdown()
