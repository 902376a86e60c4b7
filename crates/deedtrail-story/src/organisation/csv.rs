//! The identity import: what the organisation declares about its people and machines.

use deedtrail_core::time::Timestamp;

use super::{DOMAIN, MACHINES, Machine, PEOPLE, Person};

const COLUMNS: &str = "alias,name,kind,owner,backup_owner,department,environment,purpose,\
    employment,manager,declared_tools,read_only,workload,workload_gone_since,orphaned_since,tags\n";

/// RFC 4180 table of identities as seen on `anchor_day`. Undeclared machines are left out.
pub(crate) fn identities_csv(anchor_day: i64) -> Vec<u8> {
    let mut table = COLUMNS.to_owned();
    for person in &PEOPLE {
        row(&mut table, &person_fields(person));
    }
    for machine in MACHINES.iter().filter(|one| !one.undeclared) {
        row(&mut table, &machine_fields(machine, anchor_day));
    }
    table.into_bytes()
}

fn person_fields(person: &Person) -> [String; 16] {
    let alias = [
        ["email:", &person.email()].concat(),
        ["okta.id:", &person.okta_id()].concat(),
        ["entra.object_id:", &person.entra_id()].concat(),
    ];
    let github = ["github.login:", &person.github_login()].concat();
    let mut fields: [String; 16] = Default::default();
    fields[0] = alias.join(";");
    if person.writes_code() {
        fields[0] = [&fields[0], ";", &github].concat();
    }
    person.name.clone_into(&mut fields[1]);
    "human".clone_into(&mut fields[2]);
    fields[3] = email_or_nothing(person.manager);
    person.department.clone_into(&mut fields[5]);
    person.employment.clone_into(&mut fields[8]);
    fields[9] = email_or_nothing(person.manager);
    "false".clone_into(&mut fields[11]);
    fields
}

fn machine_fields(machine: &Machine, anchor_day: i64) -> [String; 16] {
    [
        machine.aliases().join(";"),
        machine.name.to_owned(),
        machine.kind.to_owned(),
        email_or_nothing(machine.owner),
        email_or_nothing(machine.backup_owner),
        machine.department.to_owned(),
        machine.environment.to_owned(),
        machine.purpose.to_owned(),
        String::new(),
        String::new(),
        machine.declared_tools.join(";"),
        machine.read_only.to_string(),
        machine.workload.to_owned(),
        days_ago(anchor_day, machine.workload_gone_days),
        days_ago(anchor_day, machine.orphaned_days),
        String::new(),
    ]
}

fn email_or_nothing(login: &str) -> String {
    if login.is_empty() {
        String::new()
    } else {
        [login, "@", DOMAIN].concat()
    }
}

/// 15:00 UTC `days` before the anchor (RFC 3339); empty for 0.
fn days_ago(anchor_day: i64, days: i64) -> String {
    if days == 0 {
        return String::new();
    }
    let midnight = Timestamp::from_micros((anchor_day - days) * Timestamp::DAY_US);
    midnight.plus_micros(15 * Timestamp::HOUR_US).to_string()
}

fn row(table: &mut String, fields: &[String; 16]) {
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            table.push(',');
        }
        if field.contains([',', '"', '\n']) {
            table.push('"');
            table.push_str(&field.replace('"', "\"\""));
            table.push('"');
        } else {
            table.push_str(field);
        }
    }
    table.push('\n');
}
