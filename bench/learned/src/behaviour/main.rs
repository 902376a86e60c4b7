//! Benchmarks of learned behaviour: `behaviour q1|q2|q6|q7|q8|s9 [FOLDER] [--json]`.

mod budget;
mod detection;
mod replay;
mod sets;
mod speed;

use std::path::{Path, PathBuf};

use detection::Detection;
use serde_json::{Value, json};
use sets::Set;

/// Normal and abnormal sessions of HDFS in truth.
const HDFS_MIX: (f64, f64) = (553_366.0, 16_838.0);
/// Training sessions of Q2.
const FEW_SESSIONS: usize = 1_000;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let mut plain = arguments.iter().filter(|argument| *argument != "--json");
    let usage = "behaviour q1|q2|q6|q7|q8|s9 [FOLDER] [--json]";
    let name = plain.next().ok_or(usage)?;
    let folder = plain.next().map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/behaviour"),
        PathBuf::from,
    );
    let result = run(name, &folder)?;
    if as_json {
        println!("{result:#}");
    } else {
        table(&result);
    }
    Ok(())
}

fn run(name: &str, folder: &Path) -> Result<Value, String> {
    let read = |set: &str| Set::read(&folder.join(set));
    let all = usize::MAX;
    Ok(match name {
        "q1" => told(&[detection::measure(
            "HDFS",
            &read("hdfs")?,
            all,
            Some(HDFS_MIX),
        )]),
        "q2" => told(&[detection::measure(
            "HDFS",
            &read("hdfs")?,
            FEW_SESSIONS,
            Some(HDFS_MIX),
        )]),
        "q6" => json!(budget::measure(&read("hdfs")?)),
        "q7" => told(&[
            detection::measure("OpenStack (Kalaki)", &read("openstack")?, all, None),
            detection::measure("OpenStack (loghub)", &read("openstack_control")?, all, None),
        ]),
        "q8" => told(&[detection::measure("ADFA-LD", &read("adfa")?, all, None)]),
        "s9" => json!([speed::measure(&read("hdfs")?)]),
        other => return Err(format!("{other}: no such benchmark")),
    })
}

fn told(results: &[Detection]) -> Value {
    json!(results)
}

/// One line for each figure.
fn table(result: &Value) {
    for row in result.as_array().into_iter().flatten() {
        for (figure, value) in row.as_object().into_iter().flatten() {
            println!("{figure:34} {value}");
        }
        println!();
    }
}
