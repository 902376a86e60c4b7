//! Findings about what an identity does against what it is for.

use super::{Entry, FindingType, Severity, TelemetryKind};

const fn behavioural(entry: Entry) -> FindingType {
    entry.of(TelemetryKind::Behavioural)
}

pub(super) const TYPES: &[FindingType] = &[
    behavioural(Entry {
        id: "scope_departure",
        title: "Action outside the declared scope",
        severity: Severity::High,
        meaning: "An identity or agent did something its declaration does not allow: a tool, action, target, time or network outside it.",
        response: &[
            "Send the owner the action and the declaration; ask whether the job changed.",
            "If it did not: pause the identity and read its session from the first departure on.",
            "If it did: change the declaration, so that the next departure is news again.",
        ],
        mapped_ref: &[
            "PR.AA-05",
            "DE.CM-03",
            "DE.CM-09",
            "NHI5:2025",
            "ASI02",
            "ASI03",
            "SP 800-207 tenet 4",
            "AML.T0053",
        ],
    }),
    behavioural(Entry {
        id: "sequence_departure",
        title: "Steps out of the declared order",
        severity: Severity::Medium,
        meaning: "An identity took a step of its charter's sequence too early, something in between, or did not end with the step it must end with.",
        response: &[
            "Send the owner the steps as taken and as declared; ask what the missing one would have caught.",
            "Check what the run brought into service, and take it back if a check was left out.",
            "If the workflow changed: change the charter, so that the next departure is news again.",
        ],
        mapped_ref: &[
            "DE.CM-09",
            "DE.AE-02",
            "NHI5:2025",
            "ASI02",
            "ASI10",
            "SP 800-207 tenet 6",
        ],
    }),
    behavioural(Entry {
        id: "allowed_but_unsafe",
        title: "Allowed steps that are unsafe together",
        severity: Severity::High,
        meaning: "Every single step was permitted; together they read something secret and send it away, or hide what was done.",
        response: &[
            "Stop the session and keep its events as evidence.",
            "Find what was read and where it went; rotate the secrets concerned.",
            "Split the rights, so that one identity cannot do both steps.",
        ],
        mapped_ref: &[
            "DE.AE-02",
            "DE.AE-03",
            "DE.CM-09",
            "ASI02",
            "ASI10",
            "SP 800-207 tenet 6",
            "AML.T0086",
        ],
    }),
    behavioural(Entry {
        id: "enumeration",
        title: "Repeated listing of rights or resources",
        severity: Severity::Medium,
        meaning: "An identity lists roles, users or resources again and again, which its work does not need: misuse, or drift of an automation.",
        response: &[
            "Look for the first listing and what was deployed or changed just before.",
            "Check what followed: a role assumed or a secret read makes it an intrusion.",
            "Take the listing rights away if the workflow works without them.",
        ],
        mapped_ref: &[
            "DE.CM-03",
            "DE.AE-02",
            "NHI5:2025",
            "T1580",
            "T1069.003",
            "T1087.004",
        ],
    }),
    behavioural(Entry {
        id: "control_gap",
        title: "Write attempts by a read-only identity",
        severity: Severity::High,
        meaning: "A read-only integration tried to write after a failed configuration change: the control meant to stop it is missing or being probed.",
        response: &[
            "Check whether any of the attempts succeeded and undo what it changed.",
            "Reduce the identity's rights to reading where the system enforces it.",
            "Find who or what triggered the failed configuration change.",
        ],
        mapped_ref: &[
            "PR.AA-05",
            "DE.CM-09",
            "NHI5:2025",
            "SP 800-207 5.1",
            "SP 800-207 tenet 6",
        ],
    }),
    behavioural(Entry {
        id: "burst",
        title: "Many resources in seconds",
        severity: Severity::High,
        meaning: "One credential touched far more distinct resources in a short time than it ever does.",
        response: &[
            "Suspend the credential while you look: at this speed minutes matter.",
            "List what was touched, and what was read or changed among it.",
            "Set a limit in the identity's charter that fits its work.",
        ],
        mapped_ref: &["DE.CM-03", "DE.AE-04", "RS.MI-01", "ASI02", "T1619"],
    }),
    behavioural(Entry {
        id: "exfiltration",
        title: "Unusual amount of data sent out",
        severity: Severity::High,
        meaning: "An identity sent out or exported far more than its usual amount, or to a place it never sends to.",
        response: &[
            "Stop the transfer and suspend the credential.",
            "Find which data it was, whose it is, and who has to be told.",
        ],
        mapped_ref: &["DE.CM-01", "DE.CM-09", "DE.AE-04", "T1567", "T1537"],
    }),
    behavioural(Entry {
        id: "behaviour_departure",
        title: "Unlike everything it does",
        severity: Severity::Medium,
        meaning: "A session departs from what was learned of the identity and its peers, further than the alerts per day that were chosen let pass.",
        response: &[
            "Read the reasons in order: the first weighs most.",
            "Look at the session from its beginning, and at what it led to.",
            "Conclude: benign or drift makes it usual, misuse keeps it from becoming usual.",
        ],
        mapped_ref: &[
            "DE.CM-03",
            "DE.CM-09",
            "DE.AE-02",
            "NHI5:2025",
            "SP 800-207 5.1",
        ],
    }),
    behavioural(Entry {
        id: "behaviour_drift",
        title: "Work changes week by week",
        severity: Severity::Low,
        meaning: "What an identity does moves away from what it used to do, more than chance explains, and further each week.",
        response: &[
            "Ask the owner whether the identity got another task.",
            "If so: approve the new behaviour and write it into the charter. If not: reduce its rights.",
        ],
        mapped_ref: &["DE.CM-03", "DE.AE-02", "PR.AA-05", "NHI5:2025"],
    }),
    behavioural(Entry {
        id: "group_change",
        title: "A whole group began something new",
        severity: Severity::Low,
        meaning: "More than a fifth of a group of peers began the same new thing on one day: a deployment, or a common cause.",
        response: &[
            "Look for the deployment or the change that explains it.",
            "Without one: look at what reached all of them that day.",
        ],
        mapped_ref: &["DE.CM-09", "DE.AE-02", "ID.AM-08"],
    }),
    behavioural(Entry {
        id: "off_hours",
        title: "Active at an unusual hour",
        severity: Severity::Low,
        meaning: "An identity acted at an hour of the week at which it has no history.",
        response: &[
            "Check for a change window or an on-call rota that explains it.",
            "Compare network and client with its usual ones; both new makes it urgent.",
        ],
        mapped_ref: &["DE.CM-03", "DE.AE-02", "T1078"],
    }),
    behavioural(Entry {
        id: "new_resource_class",
        title: "First access to a kind of resource",
        severity: Severity::Medium,
        meaning: "An identity touched a kind of resource it never touched before: routine work that changed, or lateral movement.",
        response: &[
            "Look for a deployment or a ticket that explains it.",
            "Without one: follow the session on, and reduce the rights that made it possible.",
        ],
        mapped_ref: &["DE.CM-03", "DE.AE-02", "NHI5:2025", "NHI9:2025"],
    }),
    behavioural(Entry {
        id: "agent_resource_use",
        title: "Agent runs away",
        severity: Severity::Medium,
        meaning: "An agent repeats tool calls far beyond what a task needs: a loop, or somebody else's work.",
        response: &[
            "Stop the session; check what the calls cost and what they changed.",
            "Set a limit on calls per task in the agent's charter.",
        ],
        mapped_ref: &["DE.CM-09", "ASI02", "AI RMF MEASURE 2.4", "AML.T0034.002"],
    }),
];
