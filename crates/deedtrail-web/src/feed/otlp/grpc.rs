//! OTLP over gRPC: the same messages, framed by gRPC over HTTP/2
//! (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>).

use std::future::{Future, ready};
use std::pin::Pin;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use deedtrail_app::access::Principal;
use deedtrail_core::port::mapper::Encoding;
use prost::bytes::{Buf as _, BufMut as _};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::{Decode, Form, answer, log, trace};
use crate::delivery;
use crate::feed::take_body;
use crate::problem::Problem;
use crate::state::Shared;

/// `opentelemetry.proto.collector.trace.v1.TraceService/Export`.
pub(in crate::feed) async fn traces(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Refusal> {
    let export = Export::new(shared, principal, trace::PROTOCOL, trace::records);
    export.run(request).await
}

/// `opentelemetry.proto.collector.logs.v1.LogsService/Export`.
pub(in crate::feed) async fn logs(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Refusal> {
    let export = Export::new(shared, principal, log::PROTOCOL, log::records);
    export.run(request).await
}

/// One call.
struct Export {
    shared: Shared,
    principal: Principal,
    protocol: &'static str,
    decode: Decode,
}

impl Export {
    fn new(shared: Shared, principal: Principal, protocol: &'static str, decode: Decode) -> Self {
        Self {
            shared,
            principal,
            protocol,
            decode,
        }
    }

    /// Waits for a turn before the message is read, so that waiting calls hold no memory.
    async fn run(self, request: Request) -> Result<Response, Refusal> {
        let turn = delivery::turn(&self.shared, &self.shared.ingest_turns).await?;
        let limit = self.shared.config.ingest_bytes_max;
        let mut grpc = Grpc::new(Whole)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(limit);
        let service = Turned {
            export: Some((self, turn)),
        };
        let response = grpc.unary(service, request).await;
        // What the library says of a message over the limit would make clients send it for ever.
        let status = Status::from_header_map(response.headers());
        match status.map(|status| status.code()) {
            Some(Code::OutOfRange) => Err(delivery::over_limit(limit).into()),
            // The body stopped arriving, or the client went away: it may be sent again.
            Some(Code::Unknown) => Err(Problem::busy(1).into()),
            _ => Ok(response.map(Body::new)),
        }
    }

    async fn take(self, message: Bytes, turn: delivery::Turn) -> Result<Vec<u8>, Refusal> {
        let decode = self.decode;
        let took = take_body(
            &self.shared,
            self.principal,
            (turn, Encoding::Identity, message),
            self.protocol,
            move |mapper, body| Ok((decode(Form::Protobuf, mapper, body)?, ())),
        );
        Ok(answer::message(&took.await?.answer))
    }
}

/// The call as the library drives it.
struct Turned {
    /// Taken by the one call there is.
    export: Option<(Export, delivery::Turn)>,
}

impl UnaryService<Bytes> for Turned {
    type Response = Vec<u8>;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let Some((export, turn)) = self.export.take() else {
            return Box::pin(ready(Err(Status::internal("one message for each call"))));
        };
        Box::pin(async move {
            let taken = export.take(request.into_inner(), turn).await;
            taken.map(tonic::Response::new).map_err(Status::from)
        })
    }
}

/// Messages as bytes: they are decoded where all other deliveries are.
struct Whole;

impl Codec for Whole {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Whole {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A refusal in gRPC's terms. Exporters send again after `UNAVAILABLE`.
#[derive(Debug)]
pub(crate) struct Refusal(Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Refusal> for Status {
    fn from(Refusal(problem): Refusal) -> Self {
        let code = match problem.status {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::Unimplemented,
            StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::INSUFFICIENT_STORAGE => Code::Unavailable,
            status if status.is_server_error() => Code::Internal,
            _ => Code::InvalidArgument,
        };
        let mut status = Self::new(code, problem.detail);
        if let Some(seconds) = problem.retry_after_s {
            let pause = MetadataValue::from(u64::from(seconds) * 1_000);
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", pause);
        }
        status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Status::from(self).into_http::<Body>()
    }
}
