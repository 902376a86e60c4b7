//! Findings about link clicks.

use super::{Entry, FindingType, Severity, TelemetryKind};

const fn click(entry: Entry) -> FindingType {
    entry.of(TelemetryKind::Click)
}

pub(super) const TYPES: &[FindingType] = &[
    click(Entry {
        id: "credential_harvest",
        title: "Click followed by sign-in failures from elsewhere",
        severity: Severity::High,
        meaning: "Soon after a click, sign-ins for the same identity failed from a network it does not use: the password was probably typed into the linked page.",
        response: &[
            "Reset the password and revoke all sessions of the identity.",
            "Block the link's domain and pull the message from other mailboxes.",
            "Look for successful sign-ins, new factors, inbox rules and tokens after the click.",
        ],
        mapped_ref: &[
            "DE.AE-02",
            "DE.AE-03",
            "RS.AN-03",
            "RS.AN-07",
            "RS.MI-01",
            "T1566.002",
            "T1204.001",
        ],
    }),
    click(Entry {
        id: "risky_click",
        title: "Risky link opened",
        severity: Severity::Medium,
        meaning: "A protected link was opened although its verdict, its domain or the threat its message carried speaks against it.",
        response: &[
            "Read the verdict and the message's threat; ask the person what they saw.",
            "Block the domain if it is hostile, and pull the message from other mailboxes.",
            "Watch the identity's sign-ins, consents and tokens for the next hour.",
        ],
        mapped_ref: &["DE.AE-02", "DE.AE-03", "RS.AN-07", "PR.AT-01", "T1204.001"],
    }),
    click(Entry {
        id: "token_link_opened",
        title: "Link with a credential in it opened",
        severity: Severity::Low,
        meaning: "A link whose address carries a token, signature or code was opened and let through, to a place this identity never opened before: who holds the address holds the access.",
        response: &[
            "Find out which service issued the token, what it opens and how long it lives.",
            "Ask the sender for a link that asks for a sign-in.",
            "Watch for refusals and sign-ins from elsewhere in the next hour.",
        ],
        mapped_ref: &["DE.AE-02", "DE.AE-03", "PR.AA-01", "NHI2:2025", "T1550.001"],
    }),
    click(Entry {
        id: "token_link_use",
        title: "Link opened, then a sensitive target tried from elsewhere",
        severity: Severity::Medium,
        meaning: "After a click, worst on a link that carries a credential in its address, the same identity was refused at a sensitive target from a network it never used.",
        response: &[
            "Find out which service issued the token and what it opens.",
            "End the token, and ask the sender for a link that asks for a sign-in.",
            "Check what was read with it after the click.",
        ],
        mapped_ref: &["DE.AE-02", "DE.AE-03", "RS.AN-07", "NHI2:2025", "T1550.001"],
    }),
    click(Entry {
        id: "click_followed_by",
        title: "Click followed by access that stays",
        severity: Severity::High,
        meaning: "Soon after a click the same identity changed its mailbox, gave consent, made a credential, granted rights or signed in from a network it never used.",
        response: &[
            "Confirm the sequence with the person, by telephone.",
            "Contain: isolate the mailbox, revoke sessions and credentials made since the click.",
            "Hold the events as evidence and look back for others who opened the same link.",
        ],
        mapped_ref: &[
            "DE.AE-03",
            "RS.AN-03",
            "RS.AN-06",
            "RS.AN-07",
            "RS.MI-01",
            "T1204.001",
        ],
    }),
    click(Entry {
        id: "non_human_click",
        title: "Link opened by a non-human identity",
        severity: Severity::Medium,
        meaning: "A link meant for a person was opened by a service account, a runner or an agent: either a person uses that identity, or text steered the agent.",
        response: &[
            "Find the message or page that held the link and who could write into it.",
            "For an agent: read the session before and after the click for instructions from outside.",
            "For a service account: find the person behind it and give them an identity of their own.",
        ],
        mapped_ref: &["DE.AE-03", "DE.CM-03", "NHI10:2025", "ASI01", "AML.T0100"],
    }),
];
