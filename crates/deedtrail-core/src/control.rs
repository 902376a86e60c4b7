//! Control references: the one table of ids that findings point to, and the crosswalk from the
//! references as first printed to the ones checked against the publications.

use crate::finding::TelemetryKind;

/// A publication with controls, risks or techniques.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    NistCsf,
    NistZeroTrust,
    NistAiRmf,
    OwaspNhi,
    OwaspAgentic,
    MitreAttack,
    MitreAtlas,
}

impl Framework {
    pub const ALL: [Self; 7] = [
        Self::NistCsf,
        Self::NistZeroTrust,
        Self::NistAiRmf,
        Self::OwaspNhi,
        Self::OwaspAgentic,
        Self::MitreAttack,
        Self::MitreAtlas,
    ];

    /// Name and edition as cited.
    pub const fn title(self) -> &'static str {
        match self {
            Self::NistCsf => "NIST Cybersecurity Framework 2.0 (CSWP 29, 2024)",
            Self::NistZeroTrust => "NIST SP 800-207 Zero Trust Architecture (2020)",
            Self::NistAiRmf => "NIST AI Risk Management Framework 1.0 (AI 100-1, 2023)",
            Self::OwaspNhi => "OWASP Non-Human Identities Top 10 (2025)",
            Self::OwaspAgentic => "OWASP Top 10 for Agentic Applications (2026)",
            Self::MitreAttack => "MITRE ATT&CK Enterprise v18",
            Self::MitreAtlas => "MITRE ATLAS v5.6.1",
        }
    }

    /// Edition, as shown beside an id.
    pub const fn version(self) -> &'static str {
        match self {
            Self::NistCsf => "2.0",
            Self::NistZeroTrust => "2020",
            Self::NistAiRmf => "1.0",
            Self::OwaspNhi => "2025",
            Self::OwaspAgentic => "2026",
            Self::MitreAttack => "18",
            Self::MitreAtlas => "5.6.1",
        }
    }
}

/// One control, risk or technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// As the publication writes it, e.g. `DE.AE-03`, `NHI2:2025`, `T1098.001`.
    pub id: &'static str,
    pub framework: Framework,
    pub title: &'static str,
}

const fn control(framework: Framework, id: &'static str, title: &'static str) -> Control {
    Control {
        id,
        framework,
        title,
    }
}

const fn csf(id: &'static str, title: &'static str) -> Control {
    control(Framework::NistCsf, id, title)
}

const fn zero_trust(id: &'static str, title: &'static str) -> Control {
    control(Framework::NistZeroTrust, id, title)
}

const fn ai_rmf(id: &'static str, title: &'static str) -> Control {
    control(Framework::NistAiRmf, id, title)
}

const fn nhi(id: &'static str, title: &'static str) -> Control {
    control(Framework::OwaspNhi, id, title)
}

const fn agentic(id: &'static str, title: &'static str) -> Control {
    control(Framework::OwaspAgentic, id, title)
}

const fn attack(id: &'static str, title: &'static str) -> Control {
    control(Framework::MitreAttack, id, title)
}

const fn atlas(id: &'static str, title: &'static str) -> Control {
    control(Framework::MitreAtlas, id, title)
}

/// Every reference in use, grouped by framework.
pub const CONTROLS: &[Control] = &[
    csf(
        "ID.AM-02",
        "Inventories of software, services, and systems are maintained",
    ),
    csf(
        "ID.AM-03",
        "Representations of network communication and data flows are maintained",
    ),
    csf(
        "ID.AM-08",
        "Assets are managed throughout their life cycles",
    ),
    csf(
        "PR.AA-01",
        "Identities and credentials for authorized users, services, and hardware are managed",
    ),
    csf(
        "PR.AA-03",
        "Users, services, and hardware are authenticated",
    ),
    csf(
        "PR.AA-04",
        "Identity assertions are protected, conveyed, and verified",
    ),
    csf(
        "PR.AA-05",
        "Access permissions, entitlements, and authorizations are defined, managed, enforced, and reviewed",
    ),
    csf(
        "PR.AT-01",
        "Personnel are provided with awareness and training",
    ),
    csf(
        "PR.PS-04",
        "Log records are generated and made available for continuous monitoring",
    ),
    csf(
        "DE.CM-01",
        "Networks and network services are monitored to find potentially adverse events",
    ),
    csf(
        "DE.CM-03",
        "Personnel activity and technology usage are monitored to find potentially adverse events",
    ),
    csf(
        "DE.CM-06",
        "External service provider activities and services are monitored to find potentially adverse events",
    ),
    csf(
        "DE.CM-09",
        "Computing hardware and software, runtime environments, and their data are monitored",
    ),
    csf(
        "DE.AE-02",
        "Potentially adverse events are analyzed to better understand associated activities",
    ),
    csf(
        "DE.AE-03",
        "Information is correlated from multiple sources",
    ),
    csf(
        "DE.AE-04",
        "The estimated impact and scope of adverse events are understood",
    ),
    csf("RS.MA-02", "Incident reports are triaged and validated"),
    csf(
        "RS.AN-03",
        "Analysis establishes what has taken place during an incident and its root cause",
    ),
    csf(
        "RS.AN-06",
        "Actions performed during an investigation are recorded; their integrity and provenance are preserved",
    ),
    csf(
        "RS.AN-07",
        "Incident data and metadata are collected; their integrity and provenance are preserved",
    ),
    csf(
        "RS.AN-08",
        "An incident's magnitude is estimated and validated",
    ),
    csf("RS.MI-01", "Incidents are contained"),
    zero_trust(
        "SP 800-207 tenet 4",
        "Access is determined by dynamic policy, including behavioural attributes",
    ),
    zero_trust(
        "SP 800-207 tenet 5",
        "The integrity and security posture of all assets is monitored and measured",
    ),
    zero_trust(
        "SP 800-207 tenet 6",
        "Authentication and authorization are dynamic and strictly enforced before access",
    ),
    zero_trust(
        "SP 800-207 tenet 7",
        "As much information as possible is collected and used to improve security posture",
    ),
    zero_trust(
        "SP 800-207 5.1",
        "Threat: subversion of the zero trust decision process",
    ),
    zero_trust(
        "SP 800-207 5.3",
        "Threat: stolen credentials and insider threat",
    ),
    ai_rmf("AI RMF GOVERN 1.6", "AI systems are inventoried"),
    ai_rmf(
        "AI RMF GOVERN 1.7",
        "AI systems are decommissioned and phased out safely",
    ),
    ai_rmf(
        "AI RMF MEASURE 2.4",
        "The functionality and behavior of the AI system are monitored when in production",
    ),
    ai_rmf(
        "AI RMF MANAGE 4.1",
        "Post-deployment AI system monitoring plans are implemented",
    ),
    nhi("NHI1:2025", "Improper Offboarding"),
    nhi("NHI2:2025", "Secret Leakage"),
    nhi("NHI3:2025", "Vulnerable Third-Party NHI"),
    nhi("NHI4:2025", "Insecure Authentication"),
    nhi("NHI5:2025", "Overprivileged NHI"),
    nhi("NHI6:2025", "Insecure Cloud Deployment Configurations"),
    nhi("NHI7:2025", "Long-Lived Secrets"),
    nhi("NHI8:2025", "Environment Isolation"),
    nhi("NHI9:2025", "NHI Reuse"),
    nhi("NHI10:2025", "Human Use of NHI"),
    agentic("ASI01", "Agent Goal Hijack"),
    agentic("ASI02", "Tool Misuse and Exploitation"),
    agentic("ASI03", "Identity and Privilege Abuse"),
    agentic("ASI10", "Rogue Agents"),
    attack("T1021.008", "Remote Services: Direct Cloud VM Connections"),
    attack("T1040", "Network Sniffing"),
    attack("T1046", "Network Service Discovery"),
    attack("T1053", "Scheduled Task/Job"),
    attack(
        "T1053.007",
        "Scheduled Task/Job: Container Orchestration Job",
    ),
    attack("T1059", "Command and Scripting Interpreter"),
    attack("T1069.003", "Permission Groups Discovery: Cloud Groups"),
    attack("T1078", "Valid Accounts"),
    attack("T1078.004", "Valid Accounts: Cloud Accounts"),
    attack("T1087.004", "Account Discovery: Cloud Account"),
    attack("T1098", "Account Manipulation"),
    attack(
        "T1098.001",
        "Account Manipulation: Additional Cloud Credentials",
    ),
    attack("T1098.003", "Account Manipulation: Additional Cloud Roles"),
    attack("T1098.004", "Account Manipulation: SSH Authorized Keys"),
    attack("T1110", "Brute Force"),
    attack("T1114.003", "Email Collection: Email Forwarding Rule"),
    attack("T1136.003", "Create Account: Cloud Account"),
    attack("T1195", "Supply Chain Compromise"),
    attack("T1199", "Trusted Relationship"),
    attack("T1204.001", "User Execution: Malicious Link"),
    attack(
        "T1213.003",
        "Data from Information Repositories: Code Repositories",
    ),
    attack(
        "T1484.002",
        "Domain or Tenant Policy Modification: Trust Modification",
    ),
    attack("T1485", "Data Destruction"),
    attack("T1486", "Data Encrypted for Impact"),
    attack("T1490", "Inhibit System Recovery"),
    attack("T1496", "Resource Hijacking"),
    attack("T1525", "Implant Internal Image"),
    attack("T1526", "Cloud Service Discovery"),
    attack("T1528", "Steal Application Access Token"),
    attack("T1530", "Data from Cloud Storage"),
    attack("T1537", "Transfer Data to Cloud Account"),
    attack("T1531", "Account Access Removal"),
    attack("T1539", "Steal Web Session Cookie"),
    attack(
        "T1550.001",
        "Use Alternate Authentication Material: Application Access Token",
    ),
    attack("T1552", "Unsecured Credentials"),
    attack(
        "T1552.005",
        "Unsecured Credentials: Cloud Instance Metadata API",
    ),
    attack("T1552.007", "Unsecured Credentials: Container API"),
    attack(
        "T1555.006",
        "Credentials from Password Stores: Cloud Secrets Management Stores",
    ),
    attack(
        "T1556.006",
        "Modify Authentication Process: Multi-Factor Authentication",
    ),
    attack("T1562", "Impair Defenses"),
    attack(
        "T1562.007",
        "Impair Defenses: Disable or Modify Cloud Firewall",
    ),
    attack("T1562.008", "Impair Defenses: Disable or Modify Cloud Logs"),
    attack("T1566.002", "Phishing: Spearphishing Link"),
    attack("T1567", "Exfiltration Over Web Service"),
    attack("T1578", "Modify Cloud Compute Infrastructure"),
    attack("T1580", "Cloud Infrastructure Discovery"),
    attack("T1606", "Forge Web Credentials"),
    attack("T1609", "Container Administration Command"),
    attack("T1610", "Deploy Container"),
    attack("T1611", "Escape to Host"),
    attack("T1619", "Cloud Storage Object Discovery"),
    attack("T1621", "Multi-Factor Authentication Request Generation"),
    attack("T1648", "Serverless Execution"),
    attack("T1651", "Cloud Administration Command"),
    atlas("AML.T0034.002", "Agentic Resource Consumption"),
    atlas("AML.T0053", "AI Agent Tool Invocation"),
    atlas("AML.T0086", "Exfiltration via AI Agent Tool Invocation"),
    atlas("AML.T0100", "AI Agent Clickbait"),
    atlas("AML.T0101", "Data Destruction via AI Agent Tool Invocation"),
];

/// The control of that id.
pub fn find(id: &str) -> Option<&'static Control> {
    CONTROLS.iter().find(|control| control.id == id)
}

/// How one reference as first printed is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crosswalk {
    pub telemetry: TelemetryKind,
    /// As first printed.
    pub seed_ref: &'static str,
    /// What it is checked to: ids of [`CONTROLS`].
    pub mapped_ref: &'static [&'static str],
    pub reason: &'static str,
}

/// From printed to checked references, one row per reference of each kind of telemetry.
pub const CROSSWALK: &[Crosswalk] = &[
    Crosswalk {
        telemetry: TelemetryKind::Click,
        seed_ref: "NIST CSF 2.0 DE.AE-1",
        mapped_ref: &["ID.AM-03", "DE.AE-02", "DE.AE-03"],
        reason: "DE.AE-1 is a CSF 1.1 id, withdrawn into ID.AM-03; anomaly detection with context is DE.AE-02 and DE.AE-03.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Click,
        seed_ref: "NIST CSF 2.0 RS.AN-1",
        mapped_ref: &["RS.MA-02", "RS.AN-03", "RS.AN-06", "RS.AN-07", "RS.AN-08"],
        reason: "RS.AN-1 is a CSF 1.1 id, withdrawn into RS.MA-02; analysing and scoping an incident is RS.AN-03, -06, -07 and -08.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Click,
        seed_ref: "OWASP NHI-09",
        mapped_ref: &["NHI9:2025", "NHI2:2025", "NHI10:2025"],
        reason: "None of the ten risks is event visibility: NHI9 only where reuse is found, else NHI2 (token in a link) or NHI10 (human use).",
    },
    Crosswalk {
        telemetry: TelemetryKind::PostAuthentication,
        seed_ref: "OWASP NHI-01",
        mapped_ref: &["NHI1:2025", "NHI5:2025", "NHI9:2025"],
        reason: "NHI1 is Improper Offboarding: only for credentials that were not retired; else NHI5 or NHI9 by finding.",
    },
    Crosswalk {
        telemetry: TelemetryKind::PostAuthentication,
        seed_ref: "NIST CSF 2.0 DE.CM",
        mapped_ref: &["DE.CM-01", "DE.CM-03", "DE.CM-06", "DE.CM-09"],
        reason: "The category is kept in CSF 2.0; its subcategories say what is monitored.",
    },
    Crosswalk {
        telemetry: TelemetryKind::PostAuthentication,
        seed_ref: "NIST SP 800-207 continuous monitoring principle",
        mapped_ref: &[
            "SP 800-207 tenet 4",
            "SP 800-207 tenet 6",
            "SP 800-207 tenet 7",
        ],
        reason: "The publication has no principle of that name; tenets 4, 6 and 7 of section 2.1 say it.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Behavioural,
        seed_ref: "OWASP NHI-06",
        mapped_ref: &["NHI6:2025", "NHI5:2025", "ASI02", "ASI03", "ASI10"],
        reason: "NHI6 is Insecure Cloud Deployment Configurations: only for pipeline trust; misuse and drift are NHI5, ASI02, ASI03 or ASI10 by finding.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Behavioural,
        seed_ref: "NIST CSF 2.0 DE.CM",
        mapped_ref: &["DE.CM-01", "DE.CM-03", "DE.CM-06", "DE.CM-09"],
        reason: "The category is kept in CSF 2.0; its subcategories say what is monitored.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Behavioural,
        seed_ref: "NIST SP 800-207 5.1",
        mapped_ref: &[
            "SP 800-207 tenet 4",
            "SP 800-207 tenet 6",
            "SP 800-207 tenet 7",
            "SP 800-207 5.1",
        ],
        reason: "5.1 is a threat section (subversion of the decision process): only for tampering with it; ongoing verification is tenets 4, 6 and 7.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Usage,
        seed_ref: "OWASP NHI-01",
        mapped_ref: &["NHI1:2025"],
        reason: "Improper Offboarding fits as printed.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Usage,
        seed_ref: "NIST CSF 2.0 PR.AC-1",
        mapped_ref: &["PR.AA-01", "PR.AA-05"],
        reason: "PR.AC-1 is a CSF 1.1 id, withdrawn into PR.AA-01 and PR.AA-05.",
    },
    Crosswalk {
        telemetry: TelemetryKind::Usage,
        seed_ref: "NIST AI RMF",
        mapped_ref: &[
            "AI RMF MEASURE 2.4",
            "AI RMF MANAGE 4.1",
            "AI RMF GOVERN 1.6",
            "AI RMF GOVERN 1.7",
        ],
        reason: "Printed without an id; these four are about use in production and the life cycle.",
    },
];

/// The references as first printed for a kind of telemetry, in order.
pub fn seed_refs(telemetry: TelemetryKind) -> impl Iterator<Item = &'static str> {
    CROSSWALK
        .iter()
        .filter(move |row| row.telemetry == telemetry)
        .map(|row| row.seed_ref)
}
