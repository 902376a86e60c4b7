//! Findings about whether access, licences and credentials are still used.

use super::{Entry, FindingType, Severity, TelemetryKind};

const fn usage(entry: Entry) -> FindingType {
    entry.of(TelemetryKind::Usage)
}

pub(super) const TYPES: &[FindingType] = &[
    usage(Entry {
        id: "dormant_reactivation",
        title: "Dormant identity or credential used again",
        severity: Severity::High,
        meaning: "Something that was quiet for months is used again: a compromise, an automation somebody restarted, or access nobody owns.",
        response: &[
            "Ask the owner whether they restarted it; if there is no owner, treat it as a compromise.",
            "Compare network, client and actions with the time before the gap.",
            "Rotate the credential, or disable the identity and watch who fails.",
        ],
        mapped_ref: &[
            "PR.AA-01",
            "PR.AA-05",
            "DE.CM-03",
            "NHI1:2025",
            "AI RMF MANAGE 4.1",
            "T1078",
        ],
    }),
    usage(Entry {
        id: "zombie_credential",
        title: "Credential authenticates without a workload",
        severity: Severity::Medium,
        meaning: "A credential still authenticates although the workload it served is gone.",
        response: &[
            "Find where it is used from: workload, network and user agent are on the timeline.",
            "Disable it and watch for callers that fail; delete it after the watch period.",
        ],
        mapped_ref: &["PR.AA-01", "ID.AM-08", "NHI1:2025", "AI RMF GOVERN 1.7"],
    }),
    usage(Entry {
        id: "login_only",
        title: "Signs in but does nothing",
        severity: Severity::Low,
        meaning: "An identity signs in regularly without any meaningful action: sign-ins alone are no proof of use.",
        response: &[
            "Ask the owner what the access is for.",
            "Take the licence or entitlement back if there is no answer within the review period.",
        ],
        mapped_ref: &["PR.AA-05", "ID.AM-08", "AI RMF MEASURE 2.4"],
    }),
    usage(Entry {
        id: "unentitled_use",
        title: "Used without entitlement",
        severity: Severity::Low,
        meaning: "An identity whose entitlements were imported did something that none of them covers, or that one denies: a right that came by a way the import does not show, or one that was given since.",
        response: &[
            "Import the entitlements anew: a right given since the last import ends the matter.",
            "If it stays: find where the right comes from, such as a policy of the resource, a group or a role taken on.",
            "Take the right back if the job does not need it, else record it where rights are granted.",
        ],
        mapped_ref: &["PR.AA-05", "DE.CM-03", "NHI5:2025", "T1078"],
    }),
    usage(Entry {
        id: "old_key_used",
        title: "Old or replaced credential used",
        severity: Severity::High,
        meaning: "A credential was used after it had been replaced or revoked, or has been in use for half a year without ever being rotated: a forgotten workload, or a copy in other hands.",
        response: &[
            "Compare the network and client of this use with the uses before the rotation.",
            "Revoke the old credential now; the new one is already in place.",
            "Find the workload that still carries it and give it the new one.",
        ],
        mapped_ref: &[
            "PR.AA-01",
            "DE.CM-03",
            "NHI7:2025",
            "SP 800-207 5.3",
            "T1078.004",
        ],
    }),
    usage(Entry {
        id: "orphaned_identity",
        title: "Active identity without an owner",
        severity: Severity::Medium,
        meaning: "An identity acts although nobody answers for it any more.",
        response: &[
            "Offer it to the backup owner, then to the team that made its last changes.",
            "If nobody takes it, reduce its rights and plan its retirement.",
        ],
        mapped_ref: &["PR.AA-01", "ID.AM-08", "NHI1:2025", "AI RMF GOVERN 1.6"],
    }),
    usage(Entry {
        id: "shadow_adoption",
        title: "Application outside the catalogue in use",
        severity: Severity::Medium,
        meaning: "An application that nobody has approved received access and is used.",
        response: &[
            "Find who granted it and which data it can read.",
            "Approve it with an owner, or revoke the grant and tell the users what to use instead.",
        ],
        mapped_ref: &["ID.AM-02", "PR.AA-05", "NHI3:2025", "AI RMF GOVERN 1.6"],
    }),
    usage(Entry {
        id: "break_glass_use",
        title: "Emergency account used",
        severity: Severity::High,
        meaning: "An account kept for emergencies was used: right only during a declared emergency.",
        response: &[
            "Ask the on-call lead for the incident it belongs to.",
            "Without one: end its sessions and change its credentials.",
            "After the emergency: rotate its credentials and review every action.",
        ],
        mapped_ref: &["PR.AA-01", "PR.AA-05", "DE.CM-03", "T1078"],
    }),
    usage(Entry {
        id: "retired_identity_use",
        title: "Disabled or deleted identity still acts",
        severity: Severity::High,
        meaning: "An identity that was off-boarded did something with success: a credential of it was missed.",
        response: &[
            "Revoke the credential that was used.",
            "List all other credentials and grants of the identity and end them.",
            "Add the system where it happened to the off-boarding.",
        ],
        mapped_ref: &["PR.AA-01", "ID.AM-08", "NHI1:2025", "T1078"],
    }),
    usage(Entry {
        id: "human_use_of_machine",
        title: "Person uses a machine's account",
        severity: Severity::Medium,
        meaning: "A service account, workload or runner was used the way a person works: what was done cannot be traced to anybody.",
        response: &[
            "Find the person by network and time, and ask.",
            "Give them an account of their own; change the machine's credential.",
        ],
        mapped_ref: &["PR.AA-01", "DE.CM-03", "NHI10:2025"],
    }),
];
