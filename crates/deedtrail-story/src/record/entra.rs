//! Entra ID sign-in records as Azure Monitor exports them.

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{ENTRA_TENANT, Machine, Origin, Person, stable_uuid};

/// How a sign-in ended: error code and text of the Microsoft identity platform.
pub(crate) type Status = (i64, &'static str);

pub(crate) const SUCCESS: Status = (0, "Other.");
pub(crate) const WRONG_PASSWORD: Status = (
    50126,
    "Error validating credentials due to invalid username or password.",
);

/// A person's sign-in to `app`.
pub(crate) fn person_sign_in(
    at: i64,
    person: &Person,
    origin: &Origin,
    app: &'static str,
    status: Status,
    chance: &mut Chance,
) -> Value {
    let (id, correlation) = (chance.uuid(), chance.uuid());
    let properties = json!({
        "id": id,
        "createdDateTime": utc_text(at, 7),
        "userDisplayName": person.name,
        "userPrincipalName": person.email(),
        "userId": person.entra_id(),
        "appId": stable_uuid(app),
        "appDisplayName": app,
        "resourceDisplayName": app,
        "resourceId": stable_uuid(app),
        "ipAddress": origin.ip,
        "autonomousSystemNumber": origin.asn,
        "userAgent": origin.user_agent,
        "clientAppUsed": "Browser",
        "status": { "errorCode": status.0, "failureReason": status.1, "additionalDetails": null },
        "deviceDetail": device(person, origin),
        "location": place(origin),
        "correlationId": correlation,
        "conditionalAccessStatus": if status.0 == 0 { "success" } else { "notApplied" },
        "isInteractive": true,
        "authenticationRequirement": "multiFactorAuthentication",
        "tokenIssuerType": "AzureAD",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "userType": "Member",
        "sessionId": stable_uuid(&joined(&[person.login, origin.as_org])),
        "uniqueTokenIdentifier": chance.hex(22)
    });
    envelope(at, "SignInLogs", origin, status, &correlation, properties)
}

/// A service principal's sign-in to `resource`.
pub(crate) fn app_sign_in(
    at: i64,
    app: &Machine,
    origin: &Origin,
    resource: &'static str,
    chance: &mut Chance,
) -> Value {
    let (id, correlation) = (chance.uuid(), chance.uuid());
    let properties = json!({
        "id": id,
        "createdDateTime": utc_text(at, 7),
        "servicePrincipalName": app.name,
        "servicePrincipalId": app.entra_object_id(),
        "servicePrincipalCredentialKeyId": stable_uuid(&joined(&[app.name, " secret"])),
        "servicePrincipalCredentialThumbprint": "",
        "appId": app.app_id(),
        "appDisplayName": app.name,
        "resourceDisplayName": resource,
        "resourceId": stable_uuid(resource),
        "ipAddress": origin.ip,
        "autonomousSystemNumber": origin.asn,
        "userAgent": origin.user_agent,
        "status": { "errorCode": 0, "failureReason": null },
        "location": place(origin),
        "correlationId": correlation,
        "conditionalAccessStatus": "notApplied",
        "isInteractive": false,
        "tokenIssuerType": "AzureAD",
        "uniqueTokenIdentifier": chance.hex(22)
    });
    envelope(
        at,
        "ServicePrincipalSignInLogs",
        origin,
        (0, ""),
        &correlation,
        properties,
    )
}

fn envelope(
    at: i64,
    category: &str,
    origin: &Origin,
    status: Status,
    correlation: &str,
    properties: Value,
) -> Value {
    let mut record = json!({
        "time": utc_text(at, 7),
        "resourceId": joined(&["/tenants/", ENTRA_TENANT, "/providers/Microsoft.aadiam"]),
        "operationName": "Sign-in activity",
        "operationVersion": "1.0",
        "category": category,
        "tenantId": ENTRA_TENANT,
        "resultType": status.0.to_string(),
        "resultSignature": "None",
        "resultDescription": status.1,
        "durationMs": 0,
        "callerIpAddress": origin.ip,
        "correlationId": correlation,
        "Level": 4,
        "location": origin.country
    });
    record["properties"] = properties;
    record
}

fn device(person: &Person, origin: &Origin) -> Value {
    let id = if origin.managed {
        stable_uuid(&joined(&[person.login, " laptop"]))
    } else {
        String::new()
    };
    json!({
        "deviceId": id,
        "displayName": if origin.managed { joined(&["LF-", person.login]) } else { String::new() },
        "operatingSystem": "Windows10",
        "browser": "Edge 140.0",
        "isCompliant": origin.managed,
        "isManaged": origin.managed,
        "trustType": if origin.managed { "Azure AD joined" } else { "" }
    })
}

fn place(origin: &Origin) -> Value {
    json!({ "city": origin.city, "state": "", "countryOrRegion": origin.country })
}
