//! Records a second through each protocol of shippers, from the body of a request to the answer: the
//! real router, sources and evidence log (with `fdatasync`); identities, findings and the archive are
//! not part of it. Rounds of all protocols alternate; printed are the medians and their share of NDJSON.
//!
//! `protocols FOLDER [RECORDS]`: the folder must not exist.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use deedtrail_app::access::Principal;
use deedtrail_app::{App, Ports};
use deedtrail_core::port::store::Scope;
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::{Log, LogConfig};
use deedtrail_sources::Registry;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{WebConfig, router};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use tower::ServiceExt as _;

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Records in one request.
const REQUEST_RECORDS: usize = 1_000;
/// Requests on their way at a time.
const AT_A_TIME: usize = 8;
const ROUNDS: usize = 5;

/// A way to send, with the body it makes of records.
struct Protocol {
    name: &'static str,
    path: &'static str,
    kind: &'static str,
    body: fn(&[String]) -> Vec<u8>,
}

const PROTOCOLS: [Protocol; 5] = [
    Protocol {
        name: "NDJSON",
        path: "/v1/ingest/aws.cloudtrail",
        kind: "application/x-ndjson",
        body: |records| records.join("\n").into_bytes(),
    },
    Protocol {
        name: "_bulk",
        path: "/logs-aws.cloudtrail-default/_bulk",
        kind: "application/x-ndjson",
        body: |records| {
            let lines = records
                .iter()
                .map(|record| format!("{{\"create\":{{}}}}\n{record}\n"));
            lines.collect::<String>().into_bytes()
        },
    },
    Protocol {
        name: "OTLP logs, protobuf",
        path: "/v1/logs",
        kind: "application/x-protobuf",
        body: |records| otlp(records).encode_to_vec(),
    },
    Protocol {
        name: "OTLP logs, JSON",
        path: "/v1/logs",
        kind: "application/json",
        body: |records| serde_json::to_vec(&otlp(records)).unwrap_or_default(),
    },
    Protocol {
        name: "HEC",
        path: "/services/collector/event?sourcetype=aws.cloudtrail",
        kind: "application/json",
        body: |records| {
            let lines = records
                .iter()
                .map(|record| format!("{{\"event\":{record}}}\n"));
            lines.collect::<String>().into_bytes()
        },
    },
];

/// As the Collector's `filelog` receiver sends lines.
fn otlp(records: &[String]) -> ExportLogsServiceRequest {
    let text = |text: &str| AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    };
    let log_records = records.iter().map(|record| LogRecord {
        body: Some(text(record)),
        ..LogRecord::default()
    });
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource {
                attributes: vec![KeyValue {
                    key: "deedtrail.source".to_owned(),
                    value: Some(text("aws.cloudtrail")),
                    ..KeyValue::default()
                }],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: log_records.collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn record(number: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE:job-{}","arn":"arn:aws:sts::111122223333:assumed-role/etl/job-{}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/etl","accountId":"111122223333","userName":"etl"}},"attributes":{{"creationDate":"2026-11-01T09:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-11-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.{}","userAgent":"aws-sdk-java/2.20","requestParameters":{{"bucketName":"orders","key":"day/{number}"}},"responseElements":null,"requestID":"r-{number}","eventID":"e-{number}","readOnly":true,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::orders/day/{number}"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#,
        number % 7,
        number % 7,
        number % 7,
        number % 250
    )
}

/// An installation over a new folder, its router and a token.
fn installation(folder: &Path) -> Done<(Router, String)> {
    let sample = Sample::empty();
    std::fs::create_dir_all(folder)?;
    let config = LogConfig::new(folder, &folder.with_extension("checkpoints"));
    let clock = Arc::clone(&sample.clock) as _;
    let log = Log::open(
        &config,
        Arc::new(RealDisk),
        clock,
        Arc::clone(&sample.entropy) as _,
    )?;
    let app = Arc::new(App::new(Ports {
        log: Arc::new(log),
        mapper: Arc::new(Registry::built_in()?),
        tables: Arc::new(FakeTables),
        archive: Arc::clone(&sample.archive) as _,
        store: Arc::clone(&sample.store) as _,
        clock: Arc::clone(&sample.clock) as _,
        entropy: Arc::clone(&sample.entropy) as _,
    }));
    let made = app.create_token(&Principal::local(), "bench", vec![Scope::Ingest], None)?;
    let config = WebConfig {
        ingest_concurrent_max: AT_A_TIME,
        ..WebConfig::default()
    };
    Ok((router(app, config), made.token))
}

/// Sends all bodies, some at a time; gives the seconds it took.
async fn send(
    router: &Router,
    token: &str,
    protocol: &Protocol,
    bodies: Vec<Vec<u8>>,
) -> Done<f64> {
    let started = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for body in bodies {
        if under_way.len() == AT_A_TIME {
            under_way.join_next().await.ok_or("nothing under way")???;
        }
        let request = Request::post(protocol.path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", protocol.kind)
            .body(Body::from(body))?;
        let router = router.clone();
        under_way.spawn(async move {
            let response = router.oneshot(request).await?;
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
            let text = String::from_utf8_lossy(&body);
            if status != StatusCode::OK || text.contains("quarantine\":[{") {
                return Err(format!("{status} {text}").into());
            }
            Done::Ok(())
        });
    }
    while let Some(ended) = under_way.join_next().await {
        ended??;
    }
    Ok(started.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("name a folder that does not exist")?;
    let records: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let mut rates = vec![Vec::new(); PROTOCOLS.len()];
    for round in 0..ROUNDS {
        for (place, protocol) in PROTOCOLS.iter().enumerate() {
            let data = Path::new(&folder).join(format!("{round}-{place}"));
            let (router, token) = installation(&data)?;
            let lines: Vec<String> = (0..records).map(record).collect();
            let bodies = lines.chunks(REQUEST_RECORDS).map(protocol.body).collect();
            let seconds = send(&router, &token, protocol, bodies).await?;
            rates[place].push(records as f64 / seconds);
        }
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let rates: Vec<f64> = rates.iter_mut().map(median).collect();
    for (protocol, rate) in PROTOCOLS.iter().zip(&rates) {
        println!(
            "{:<20} {rate:>9.0} records/s  {:.2} of NDJSON",
            protocol.name,
            rate / rates[0]
        );
    }
    Ok(())
}
