//! Findings about what happens after a successful sign-in: first those about the access itself, its
//! sessions, rights and credentials.

pub(super) mod deed;

use super::{Entry, FindingType, Severity, TelemetryKind};

const fn after_login(entry: Entry) -> FindingType {
    entry.of(TelemetryKind::PostAuthentication)
}

pub(super) const TYPES: &[FindingType] = &[
    after_login(Entry {
        id: "session_change",
        title: "Session moved to another network and client",
        severity: Severity::High,
        meaning: "One session changed both its network and its client within an hour: its cookie or token was probably copied.",
        response: &[
            "Revoke the session and every token issued from it.",
            "Ask the person whether they changed device and network just then.",
            "Read what the session did after the change.",
        ],
        mapped_ref: &[
            "PR.AA-04",
            "DE.CM-03",
            "RS.MI-01",
            "SP 800-207 5.3",
            "T1539",
            "T1550.001",
            "SP 800-207 tenet 4",
            "SP 800-207 tenet 6",
        ],
    }),
    after_login(Entry {
        id: "blind_session",
        title: "Signed in where nothing is seen",
        severity: Severity::Medium,
        meaning: "A sign-in succeeded into a system whose log of what is done there does not reach us: whatever the identity does next leaves no evidence.",
        response: &[
            "Connect the system's audit log, or send it again if it fell silent; the page of blind sessions lists who else goes there.",
            "Until then ask the system's administrators what the session did, and keep their answer with the finding.",
            "Where no log can be had: take the privilege of the identity there away, or shorten its sessions.",
        ],
        mapped_ref: &[
            "DE.CM-03",
            "DE.CM-09",
            "PR.PS-04",
            "SP 800-207 5.3",
            "SP 800-207 tenet 7",
        ],
    }),
    after_login(Entry {
        id: "source_silent",
        title: "Source has stopped delivering",
        severity: Severity::Medium,
        meaning: "A log that usually delivers says nothing: what its identities do is not seen until it comes back.",
        response: &[
            "Look at the shipper: is it running, is its token refused (401), does it reach the server?",
            "Look at the vendor: was the log switched off, and by whom? The newest events of the source and of its administrators tell.",
            "After it is back: fetch the missing time again; what is known already is not stored twice.",
        ],
        mapped_ref: &[
            "PR.PS-04",
            "DE.CM-09",
            "DE.AE-02",
            "T1562.008",
            "SP 800-207 tenet 7",
        ],
    }),
    after_login(Entry {
        id: "evidence_degraded",
        title: "Source says less than it did",
        severity: Severity::Medium,
        meaning: "Events of a source lack a fact that they used to have, its records are no longer understood, or numbers of its records were skipped: findings that rest on them stay away.",
        response: &[
            "Compare a new record with an older one of the same operation: did the vendor change its format, or a shipper leave fields out?",
            "Adapt the mapping, then replay what is in quarantine; `deedtrail source test` shows what is read.",
            "Where numbers were skipped: look for losses at the shipper at that time, and fetch it again from the vendor.",
            "Ask who changed the log's settings, if the vendor's format is the same.",
        ],
        mapped_ref: &[
            "PR.PS-04",
            "DE.CM-09",
            "DE.AE-03",
            "T1562.008",
            "SP 800-207 tenet 7",
        ],
    }),
    after_login(Entry {
        id: "escalation_after_login",
        title: "More rights soon after sign-in",
        severity: Severity::High,
        meaning: "A session gained rights, roles or tokens that its sign-in did not carry.",
        response: &[
            "Look for the ticket or approver; ask the person who granted it.",
            "Without one: take the right back and revoke the session.",
            "List what was reached with the new right.",
        ],
        mapped_ref: &[
            "PR.AA-05",
            "DE.CM-03",
            "RS.AN-08",
            "NHI5:2025",
            "T1098.003",
            "SP 800-207 tenet 4",
            "SP 800-207 tenet 6",
        ],
    }),
    after_login(Entry {
        id: "privilege_escalation",
        title: "Administrative rights granted",
        severity: Severity::High,
        meaning: "An identity received rights that let it change everything, without a change ticket on the record.",
        response: &[
            "Ask who approved it; take the right back if nobody did.",
            "Read what the grantee did since, and what the granter did before.",
            "Grant the narrow right that the work needs instead.",
        ],
        mapped_ref: &["PR.AA-05", "DE.CM-03", "NHI5:2025", "T1098.003"],
    }),
    after_login(Entry {
        id: "credential_planted",
        title: "Credential made for another identity",
        severity: Severity::High,
        meaning: "An identity made a key, password or token that belongs to another identity: a usual way to stay after the first access is closed.",
        response: &[
            "Disable the new credential and keep its id.",
            "Ask the identity's owner whether they asked for it.",
            "Search for uses of the new credential and for others made in the same session.",
        ],
        mapped_ref: &["PR.AA-01", "DE.CM-03", "RS.MI-01", "NHI7:2025", "T1098.001"],
    }),
    after_login(Entry {
        id: "identity_planted",
        title: "Identity made by an unusual maker",
        severity: Severity::Medium,
        meaning: "A new identity was made by somebody who does not usually make identities.",
        response: &[
            "Ask the maker for the request behind it.",
            "Disable the identity until it has an owner; read what it did.",
        ],
        mapped_ref: &["PR.AA-01", "DE.CM-03", "NHI1:2025", "T1136.003"],
    }),
    after_login(Entry {
        id: "session_minted",
        title: "Long-lived key turned into a new session",
        severity: Severity::Medium,
        meaning: "A long-lived key issued itself a session of another name, which outlives the key's revocation.",
        response: &[
            "Check whether the workload is known to do this; most are not.",
            "Deny the identity everything until the session's expiry, then remove the key.",
        ],
        mapped_ref: &[
            "PR.AA-01",
            "PR.AA-04",
            "NHI7:2025",
            "T1550.001",
            "T1078.004",
        ],
    }),
    after_login(Entry {
        id: "trust_backdoor",
        title: "Trust opened to an outside party",
        severity: Severity::High,
        meaning: "A role, function, organisation or sign-in method now trusts somebody it did not trust before: they can come in without any account here.",
        response: &[
            "Read the new trust: who may come in, under which condition.",
            "Put the previous trust back and end sessions that used the new one.",
            "Find the identity that made the change and what else it changed.",
        ],
        mapped_ref: &["PR.AA-05", "PR.AA-04", "NHI6:2025", "T1199", "T1484.002"],
    }),
    after_login(Entry {
        id: "authentication_weakened",
        title: "Sign-in protection weakened",
        severity: Severity::High,
        meaning: "A second factor was removed or reset, or a rule that demands it was switched off.",
        response: &[
            "Confirm with the account's owner by a second channel.",
            "Put the factor or policy back, and end sessions opened since.",
            "Read the sign-ins and actions after the change.",
        ],
        mapped_ref: &[
            "PR.AA-03",
            "PR.AA-01",
            "NHI4:2025",
            "T1556.006",
            "SP 800-207 5.1",
        ],
    }),
    after_login(Entry {
        id: "password_guessed",
        title: "Many sign-in failures, then a success",
        severity: Severity::High,
        meaning: "Sign-ins failed repeatedly and one then succeeded: a password was guessed, or a factor was approved out of tiredness.",
        response: &[
            "Ask the person whether the last sign-in was theirs; end the session if not.",
            "Reset the password and require a factor that cannot be approved by mistake.",
            "Look for the same source network at other accounts.",
        ],
        mapped_ref: &["PR.AA-03", "DE.CM-03", "DE.AE-03", "T1110", "T1621"],
    }),
];
