//! Microsoft 365 unified audit records (Office 365 Management Activity API).

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{DOMAIN, ENTRA_TENANT, Origin, Person, stable_hex, stable_uuid};

const SITE: &str = "https://larkfield.sharepoint.example/sites/";

/// `FileAccessed`, `FileModified`, `FileDownloaded` … on a `SharePoint` file.
pub(crate) fn file(
    at: i64,
    person: &Person,
    origin: &Origin,
    operation: &'static str,
    file: (&str, &str),
    chance: &mut Chance,
) -> Value {
    let (site, name) = file;
    let site_url = joined(&[SITE, site, "/"]);
    let object = joined(&[&site_url, "Shared Documents/", name]);
    let extension = name.rsplit('.').next().unwrap_or_default();
    merge(
        common(at, person, origin, (operation, "SharePoint", 6), chance),
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
        }),
    )
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

fn common(
    at: i64,
    person: &Person,
    origin: &Origin,
    what: (&str, &str, i64),
    chance: &mut Chance,
) -> Value {
    let (operation, workload, record_type) = what;
    let time = utc_text(at, 0);
    json!({
        "CreationTime": time.trim_end_matches('Z'),
        "Id": chance.uuid(),
        "Operation": operation,
        "OrganizationId": ENTRA_TENANT,
        "RecordType": record_type,
        "ResultStatus": "Succeeded",
        "UserKey": joined(&["i:0h.f|membership|", &stable_hex(person.login, 16), "@live.com"]),
        "UserType": 0,
        "Version": 1,
        "Workload": workload,
        "ClientIP": origin.ip,
        "UserId": person.email()
    })
}

fn merge(mut record: Value, more: Value) -> Value {
    if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
        record.extend(more);
    }
    record
}
