//! Microsoft 365 unified audit records (Office 365 Management Activity API).

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{DOMAIN, ENTRA_TENANT, Machine, Origin, Person, stable_hex, stable_uuid};

const SITE: &str = "https://larkfield.sharepoint.example/sites/";

/// `FileAccessed`, `FileModified`, `FileDownloaded` … by a person on a `SharePoint` file.
pub(crate) fn file(
    at: i64,
    person: &Person,
    origin: &Origin,
    operation: &'static str,
    file: (&str, &str),
    chance: &mut Chance,
) -> Value {
    let common = common(at, person, origin, (operation, "SharePoint", 6), chance);
    merge(common, file_fields(file, origin, chance))
}

/// The same by an application on its own behalf.
pub(crate) fn app_file(
    at: i64,
    app: &Machine,
    origin: &Origin,
    operation: &'static str,
    file: (&str, &str),
    chance: &mut Chance,
) -> Value {
    let principal = joined(&["ServicePrincipal_", &app.entra_object_id()]);
    let what = (operation, "SharePoint", 6);
    let common = common_of(at, (&principal, &principal, 5), &origin.ip, what, chance);
    let record = merge(common, file_fields(file, origin, chance));
    let by = json!({ "ApplicationId": app.app_id(), "ApplicationDisplayName": app.name });
    merge(record, by)
}

fn file_fields((site, name): (&str, &str), origin: &Origin, chance: &mut Chance) -> Value {
    let site_url = joined(&[SITE, site, "/"]);
    let object = joined(&[&site_url, "Shared Documents/", name]);
    let extension = name.rsplit('.').next().unwrap_or_default();
    json!({
        "ObjectId": object,
        "EventSource": "SharePoint",
        "ItemType": "File",
        "SiteUrl": site_url,
        "Site": stable_uuid(site),
        "ListItemUniqueId": stable_uuid(&object),
        "SourceFileName": name,
        "SourceFileExtension": extension,
        "SourceRelativeUrl": "Shared Documents",
        "UserAgent": origin.user_agent,
        "CorrelationId": chance.uuid()
    })
}

/// `MailItemsAccessed` or `Send` in the person's own mailbox.
pub(crate) fn mailbox(
    at: i64,
    person: &Person,
    origin: &Origin,
    operation: &'static str,
    chance: &mut Chance,
) -> Value {
    let (kind, item) = if operation == "Send" {
        (2, chance.hex(12))
    } else {
        (50, String::new())
    };
    merge(
        common(at, person, origin, (operation, "Exchange", kind), chance),
        json!({
            "ClientIPAddress": origin.ip,
            "ClientInfoString": joined(&["Client=OWA;", origin.user_agent]),
            "MailboxOwnerUPN": person.email(),
            "MailboxGuid": stable_uuid(&joined(&[person.login, " mailbox"])),
            "LogonType": 0,
            "InternalLogonType": 0,
            "OrganizationName": DOMAIN,
            "SessionId": stable_uuid(&joined(&[person.login, origin.as_org])),
            "Item": { "Id": item, "Subject": "Weekly figures", "ParentFolder": { "Path": "\\Sent Items" } }
        }),
    )
}

/// `UserLoggedIn` to an application.
pub(crate) fn logged_in(at: i64, person: &Person, origin: &Origin, chance: &mut Chance) -> Value {
    merge(
        common(
            at,
            person,
            origin,
            ("UserLoggedIn", "AzureActiveDirectory", 15),
            chance,
        ),
        json!({
            "ActorIpAddress": origin.ip,
            "ActorContextId": ENTRA_TENANT,
            "Actor": [
                { "ID": person.entra_id(), "Type": 0 }, { "ID": person.email(), "Type": 5 }
            ],
            "ApplicationId": stable_uuid("Office 365"),
            "ObjectId": stable_uuid("Office 365 SharePoint Online"),
            "Target": [{ "ID": stable_uuid("Office 365 SharePoint Online"), "Type": 0 }],
            "ExtendedProperties": [
                { "Name": "ResultStatusDetail", "Value": "Success" },
                { "Name": "UserAgent", "Value": origin.user_agent },
                { "Name": "RequestType", "Value": "OAuth2:Authorize" }
            ],
            "ErrorNumber": "0"
        }),
    )
}

/// Fields of every record, by a person.
fn common(
    at: i64,
    person: &Person,
    origin: &Origin,
    what: (&str, &str, i64),
    chance: &mut Chance,
) -> Value {
    let key = joined(&[
        "i:0h.f|membership|",
        &stable_hex(person.login, 16),
        "@live.com",
    ]);
    common_of(at, (&person.email(), &key, 0), &origin.ip, what, chance)
}

/// Fields of every record: user id, key and type; operation, workload and record type.
fn common_of(
    at: i64,
    (user, key, user_type): (&str, &str, i64),
    ip: &str,
    (operation, workload, record_type): (&str, &str, i64),
    chance: &mut Chance,
) -> Value {
    let time = utc_text(at, 0);
    json!({
        "CreationTime": time.trim_end_matches('Z'),
        "Id": chance.uuid(),
        "Operation": operation,
        "OrganizationId": ENTRA_TENANT,
        "RecordType": record_type,
        "ResultStatus": "Succeeded",
        "UserKey": key,
        "UserType": user_type,
        "Version": 1,
        "Workload": workload,
        "ClientIP": ip,
        "UserId": user
    })
}

fn merge(mut record: Value, more: Value) -> Value {
    if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
        record.extend(more);
    }
    record
}
