//! What is seen of systems, and what the first page says.

use serde_json::{Value, json};

use crate::scenario::record::{Caller::User, cloudtrail, github, okta};
use crate::scenario::stage::Stage;

#[test]
fn p6_coverage_shows_planes_by_system_and_the_missing_application_plane() {
    let stage = Stage::new();
    stage.take(
        "github.audit",
        &[github(0, "repo.create", "ana-dev", json!({}))],
    );
    let about = json!({ "name": "main" });
    let call = cloudtrail(
        0,
        User("ana", "AKIA1"),
        "cloudtrail:StopLogging",
        about,
        json!({}),
    );
    stage.take("aws.cloudtrail", &[call]);
    let coverage = stage.get("/v1/coverage");
    println!("{coverage:#}");
    let planes = coverage["planes"].as_array().unwrap();
    let of = |system: &str, plane: &str| -> Value {
        let place = planes.iter().position(|name| name == plane).unwrap();
        let systems = coverage["systems"].as_array().unwrap();
        let row = systems.iter().find(|row| row["system"] == system).unwrap();
        row["planes"][place].clone()
    };
    assert_eq!(of("aws", "control")["state"], "seen");
    let page = stage.text("/coverage");
    println!("{page}");
}
