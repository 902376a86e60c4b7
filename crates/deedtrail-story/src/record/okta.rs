//! Okta System Log events (`/api/v1/logs`).

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{Machine, Origin, Person, stable_hex};

/// An application behind Okta: (instance id seed, label).
pub(crate) type App = (&'static str, &'static str);

/// Event type and display message.
pub(crate) type Verb = (&'static str, &'static str);

/// What happened, beside who and when.
#[derive(Clone, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) event_type: &'static str,
    pub(crate) message: &'static str,
    pub(crate) result: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) app: Option<App>,
    /// Okta's `externalSessionId`.
    pub(crate) session: &'a str,
}

pub(crate) fn sign_in(session: &str) -> Act<'_> {
    Act {
        event_type: "user.session.start",
        message: "User login to Okta",
        result: "SUCCESS",
        reason: None,
        app: None,
        session,
    }
}

pub(crate) fn sign_in_failed() -> Act<'static> {
    Act {
        result: "FAILURE",
        reason: Some("INVALID_CREDENTIALS"),
        ..sign_in("unknown")
    }
}

pub(crate) fn open_app(app: App, session: &str) -> Act<'_> {
    Act {
        event_type: "user.authentication.sso",
        message: "User single sign on to app",
        app: Some(app),
        ..sign_in(session)
    }
}

/// The sign-on policy of an application refuses access (the browser shows 403).
pub(crate) fn app_refused(app: App, session: &str) -> Act<'_> {
    Act {
        event_type: "application.policy.sign_on.deny_access",
        message: "Deny user access due to app sign on policy",
        result: "DENY",
        reason: Some("403 Forbidden: network zone not permitted"),
        app: Some(app),
        session,
    }
}

pub(crate) fn event(
    at: i64,
    person: &Person,
    origin: &Origin,
    act: &Act<'_>,
    chance: &mut Chance,
) -> Value {
    let transaction = chance.hex(27);
    let severity = if act.result == "SUCCESS" {
        "INFO"
    } else {
        "WARN"
    };
    json!({
        "actor": {
            "id": person.okta_id(), "type": "User", "alternateId": person.email(),
            "displayName": person.name, "detailEntry": null
        },
        "client": client(origin),
        "device": null,
        "authenticationContext": {
            "authenticationProvider": null, "credentialProvider": null, "credentialType": null,
            "issuer": null, "interface": null, "authenticationStep": 0,
            "externalSessionId": act.session, "rootSessionId": act.session
        },
        "displayMessage": act.message,
        "eventType": act.event_type,
        "outcome": { "result": act.result, "reason": act.reason },
        "published": utc_text(at, 3),
        "securityContext": {
            "asNumber": origin.asn, "asOrg": origin.as_org, "isp": origin.as_org,
            "domain": null, "isProxy": false
        },
        "severity": severity,
        "debugContext": { "debugData": {
            "requestId": transaction, "requestUri": request_uri(act), "url": request_uri(act),
            "threatSuspected": "false", "deviceFingerprint": stable_hex(origin.user_agent, 32)
        } },
        "legacyEventType": null,
        "transaction": { "type": "WEB", "id": transaction, "detail": {} },
        "uuid": chance.uuid(),
        "version": "0",
        "request": { "ipChain": [
            { "ip": origin.ip, "version": "V4", "source": null, "geographicalContext": place(origin) }
        ] },
        "target": target(act.app)
    })
}

/// A management call with an API token: done by the token's user, named in the transaction.
pub(crate) fn token_event(
    at: i64,
    machine: &Machine,
    origin: &Origin,
    (event_type, message): Verb,
    target: &Person,
    chance: &mut Chance,
) -> Value {
    let request = chance.hex(27);
    json!({
        "actor": {
            "id": machine.okta_id(), "type": "User", "alternateId": machine.email(),
            "displayName": machine.name, "detailEntry": null
        },
        "client": client(origin),
        "device": null,
        "authenticationContext": {
            "authenticationProvider": null, "credentialProvider": null, "credentialType": null,
            "issuer": null, "interface": null, "authenticationStep": 0,
            "externalSessionId": joined(&["trs", &request]), "rootSessionId": null
        },
        "displayMessage": message,
        "eventType": event_type,
        "outcome": { "result": "SUCCESS", "reason": null },
        "published": utc_text(at, 3),
        "securityContext": {
            "asNumber": origin.asn, "asOrg": origin.as_org, "isp": origin.as_org,
            "domain": null, "isProxy": false
        },
        "severity": "INFO",
        "debugContext": { "debugData": {
            "requestId": request, "requestUri": "/api/v1/users", "url": "/api/v1/users?"
        } },
        "legacyEventType": null,
        "transaction": {
            "type": "WEB", "id": request,
            "detail": { "requestApiTokenId": machine.okta_token_id() }
        },
        "uuid": chance.uuid(),
        "version": "0",
        "request": { "ipChain": [
            { "ip": origin.ip, "version": "V6", "source": null, "geographicalContext": place(origin) }
        ] },
        "target": [{
            "id": target.okta_id(), "type": "User", "alternateId": target.email(),
            "displayName": target.name, "detailEntry": null
        }]
    })
}

fn request_uri(act: &Act<'_>) -> &'static str {
    if act.app.is_some() {
        "/app/sso/saml"
    } else {
        "/api/v1/authn"
    }
}

fn client(origin: &Origin) -> Value {
    json!({
        "userAgent": {
            "rawUserAgent": origin.user_agent, "os": os(origin.user_agent), "browser": "CHROME"
        },
        "zone": "null", "device": "Computer", "id": null, "ipAddress": origin.ip,
        "geographicalContext": place(origin)
    })
}

fn os(user_agent: &str) -> &'static str {
    if user_agent.contains("Macintosh") {
        "Mac OS X"
    } else if user_agent.contains("Windows") {
        "Windows 10"
    } else {
        "Linux"
    }
}

fn place(origin: &Origin) -> Value {
    json!({
        "city": origin.city, "state": null, "country": origin.country, "postalCode": null,
        "geolocation": null
    })
}

fn target(app: Option<App>) -> Value {
    app.map_or(Value::Null, |(id, label)| {
        let instance = joined(&["0oa", &stable_hex(id, 17)]);
        json!([{
            "id": instance, "type": "AppInstance", "alternateId": label, "displayName": label,
            "detailEntry": { "signOnModeType": "SAML_2_0" }
        }])
    })
}
