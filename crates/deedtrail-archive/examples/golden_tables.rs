//! Writes the tables that the tests open as those of earlier versions, each once and for ever:
//! `cargo run -p deedtrail-archive --example golden_tables -- FOLDER`
//!
//! `first` is a table as the first version wrote it, `narrow` one without the columns that say
//! where a request came from and where a row was derived: what a version looks like before columns
//! are appended. After the schema grew, this writes other tables: keep those that are there.

use std::path::Path;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::event::{Event, EvidenceGrade, MappedEvent, TimeQuality};
use deedtrail_core::id::{AliasUid, EventUid, SourceName, TenantId};
use deedtrail_core::port::archive::{Archive as _, OutputFormat, QueryBudget};
use deedtrail_core::time::Timestamp;
use deltalake::DeltaTableBuilder;
use deltalake::arrow::array::RecordBatch;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{StructType, Transaction};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Under this name the position is kept, as in the tests.
const ORIGIN: &str = "example.com/log";
/// 2026-11-18T00:00:00Z.
const START_US: i64 = 1_794_960_000_000_000;
const EVENTS: u64 = 12;
/// First column that the narrow table lacks; all after it are missing too.
const FIRST_MISSING: &str = "src_asn";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("FOLDER is missing")?;
    let folder = std::path::absolute(folder)?;
    let made = tempfile::tempdir()?;
    let archive = DeltaArchive::open(made.path(), ORIGIN)?;
    let events = (0..EVENTS).map(event).collect::<Result<Vec<_>, _>>()?;
    archive.add(events, EVENTS)?;
    archive.commit()?;
    let narrow = narrow_rows(&archive)?;
    drop(archive);
    let first = made.path().join("events-000001");
    // The first version made no index.
    std::fs::remove_dir_all(first.join("_needles"))?;
    copy(&first, &folder.join("first"), made.path())?;
    let made_narrow = made.path().join("narrow");
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(write(&made_narrow, narrow))?;
    Ok(copy(&made_narrow, &folder.join("narrow"), made.path())?)
}

fn event(sequence: u64) -> Result<Event, Failure> {
    let actor = format!("user{}@example.com", sequence % 3);
    let tenant = TenantId::default();
    let at = START_US + i64::try_from(sequence)? * Timestamp::SECOND_US;
    let at = Timestamp::from_micros(at);
    Ok(Event {
        event_uid: EventUid::derive(&[&sequence.to_be_bytes()]),
        log_origin: ORIGIN.into(),
        log_seq: sequence,
        ordinal: 0,
        mapping_version: "00".into(),
        derived_at: sequence,
        source: SourceName::new("test.log")?,
        source_uid: Some(format!("vendor-{sequence}").as_str().into()),
        time_received: at,
        time_effective: at,
        time_quality: TimeQuality::Receipt,
        actor_alias_uid: Some(AliasUid::of(&tenant, "email", &actor)),
        tenant,
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::C,
        mapped: MappedEvent {
            operation: "GetObject".into(),
            actor_ref: Some(actor.as_str().into()),
            src_ip: Some("192.0.2.7".into()),
            src_country: Some("DE".into()),
            ..MappedEvent::default()
        },
    })
}

/// The rows, sorted as files are, without the columns that came later.
fn narrow_rows(archive: &DeltaArchive) -> Result<Vec<RecordBatch>, Failure> {
    let columns = deedtrail_archive::columns()
        .iter()
        .map(|column| column.name);
    let columns: Vec<&str> = columns.take_while(|name| *name != FIRST_MISSING).collect();
    let sql = format!(
        "SELECT {} FROM events ORDER BY actor_alias_uid NULLS FIRST, time_effective",
        columns.join(", ")
    );
    let mut parquet = Vec::new();
    let (tenant, budget) = (TenantId::default(), QueryBudget::default());
    archive.query(&tenant, &sql, OutputFormat::Parquet, budget, &mut parquet)?;
    let rows = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet))?.build()?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

async fn write(folder: &Path, rows: Vec<RecordBatch>) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let schema = rows.first().ok_or("there are no rows")?.schema();
    let columns: StructType = schema.as_ref().try_into_kernel()?;
    let location = deltalake::ensure_table_uri(folder.to_string_lossy())?;
    let table = DeltaTableBuilder::from_url(location)?
        .build()?
        .create()
        .with_table_name("events")
        .with_columns(columns.fields().cloned())
        .with_partition_columns(["tenant", "event_month"])
        .await?;
    let position = Transaction::new(ORIGIN, i64::try_from(EVENTS)?);
    let position = CommitProperties::default().with_application_transactions(vec![position]);
    table.write(rows).with_commit_properties(position).await?;
    Ok(())
}

/// Copies a folder with everything in it; logs then name `/archive` as the place they were made in.
fn copy(from: &Path, to: &Path, made_in: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, made_in)?;
        } else if target
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(entry.path())?;
            let place = made_in.to_string_lossy();
            std::fs::write(target, text.replace(place.as_ref(), "/archive"))?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
