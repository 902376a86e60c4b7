//! AWS `CloudTrail` records.

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{AWS_PRODUCTION, AWS_REGION, Machine, Person, stable_hex};

/// Who signs the call.
#[derive(Clone, Debug)]
pub(crate) enum Caller<'a> {
    /// An assumed role, with its session name.
    Role(&'a Machine, &'a str),
    /// An IAM user with a long-lived access key.
    User(&'a Machine),
    /// A person who came in by single sign-on; the role's name.
    SignedOn(&'a Person, &'static str),
}

/// One API call.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    /// `s3`, `iam` …: the service's host is `<service>.amazonaws.com`.
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    pub(crate) parameters: Value,
    /// `AccessDenied` and the like.
    pub(crate) error: Option<&'static str>,
    /// (`CloudFormation` type, ARN) of what is acted on.
    pub(crate) resource: Option<(&'static str, String)>,
    pub(crate) ip: &'a str,
    pub(crate) user_agent: &'a str,
}

const DATA_SERVICES: [&str; 4] = ["s3", "dynamodb", "sqs", "sns"];

pub(crate) fn record(at: i64, caller: &Caller<'_>, call: &Call<'_>, chance: &mut Chance) -> Value {
    let source = joined(&[call.service, ".amazonaws.com"]);
    let data_call = DATA_SERVICES.contains(&call.service);
    let mut record = json!({
        "eventVersion": "1.10",
        "userIdentity": identity(at, caller),
        "eventTime": utc_text(at, 0),
        "eventSource": source,
        "eventName": call.name,
        "awsRegion": AWS_REGION,
        "sourceIPAddress": call.ip,
        "userAgent": call.user_agent,
        "requestParameters": call.parameters,
        "responseElements": null,
        "requestID": chance.uuid(),
        "eventID": chance.uuid(),
        "readOnly": call.read_only,
        "eventType": "AwsApiCall",
        "managementEvent": !data_call,
        "recipientAccountId": AWS_PRODUCTION,
        "eventCategory": if data_call { "Data" } else { "Management" },
        "tlsDetails": {
            "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": source
        }
    });
    if let Some(error) = call.error {
        record["errorCode"] = Value::from(error);
        record["errorMessage"] = Value::from(error_text(error, call));
    }
    if let Some((kind, arn)) = &call.resource {
        record["resources"] = json!([{ "accountId": AWS_PRODUCTION, "type": kind, "ARN": arn }]);
    }
    record
}

fn error_text(error: &str, call: &Call<'_>) -> String {
    match error {
        "AccessDenied" | "AccessDeniedException" => joined(&[
            "User is not authorized to perform: ",
            call.service,
            ":",
            call.name,
            " because no identity-based policy allows the action",
        ]),
        "ThrottlingException" => "Rate exceeded".to_owned(),
        _ => "The specified resource does not exist".to_owned(),
    }
}

fn identity(at: i64, caller: &Caller<'_>) -> Value {
    match caller {
        Caller::Role(machine, session) => role(at, machine, session),
        Caller::User(machine) => json!({
            "type": "IAMUser",
            "principalId": machine.unique_id(),
            "arn": machine.user_arn(),
            "accountId": AWS_PRODUCTION,
            "accessKeyId": machine.access_key_id(),
            "userName": machine.name
        }),
        Caller::SignedOn(person, role) => signed_on(at, person, role),
    }
}

fn role(at: i64, machine: &Machine, session: &str) -> Value {
    let unique_id = machine.unique_id();
    json!({
        "type": "AssumedRole",
        "principalId": joined(&[&unique_id, ":", session]),
        "arn": joined(&["arn:aws:sts::", AWS_PRODUCTION, ":assumed-role/", machine.name, "/", session]),
        "accountId": AWS_PRODUCTION,
        "accessKeyId": session_key(at, session),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": unique_id, "arn": machine.role_arn(),
                "accountId": AWS_PRODUCTION, "userName": machine.name
            },
            "attributes": {
                "creationDate": utc_text(hour_before(at), 0), "mfaAuthenticated": "false"
            }
        }
    })
}

fn signed_on(at: i64, person: &Person, role: &str) -> Value {
    let role_name = joined(&["AWSReservedSSO_", role, "_1f2e3d4c5b6a7988"]);
    let unique_id = joined(&["AROA", &stable_hex(role, 17).to_uppercase()]);
    let email = person.email();
    json!({
        "type": "AssumedRole",
        "principalId": joined(&[&unique_id, ":", &email]),
        "arn": joined(&["arn:aws:sts::", AWS_PRODUCTION, ":assumed-role/", &role_name, "/", &email]),
        "accountId": AWS_PRODUCTION,
        "accessKeyId": session_key(at, &email),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": unique_id,
                "arn": joined(&["arn:aws:iam::", AWS_PRODUCTION,
                    ":role/aws-reserved/sso.amazonaws.com/eu-central-1/", &role_name]),
                "accountId": AWS_PRODUCTION, "userName": role_name
            },
            "attributes": {
                "creationDate": utc_text(hour_before(at), 0), "mfaAuthenticated": "true"
            }
        }
    })
}

/// The full hour before `at`, when the session's credentials were issued.
fn hour_before(at: i64) -> i64 {
    at - at.rem_euclid(crate::rhythm::HOUR)
}

/// Public id of a session's temporary key: another one each day.
fn session_key(at: i64, session: &str) -> String {
    let day = at.div_euclid(crate::rhythm::DAY).to_string();
    let digits = stable_hex(&joined(&[session, &day]), 16);
    joined(&["ASIA", &digits.to_uppercase()])
}
