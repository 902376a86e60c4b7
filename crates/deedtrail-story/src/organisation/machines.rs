//! The forty non-human identities of the story.

use super::machine::{
    Account::{Agent, AwsRole, AwsUser, EntraApp, GitHubLogin, Kubernetes, OktaUser, VaultEntity},
    Machine,
};

/// What most machines have in common; each entry below says what differs.
const COMMON: Machine = Machine {
    name: "",
    kind: "service_account",
    accounts: &[AwsRole],
    undeclared: false,
    owner: "mara.lind",
    backup_owner: "jonas.weil",
    department: "Platform",
    environment: "production",
    purpose: "",
    declared_tools: &[],
    read_only: false,
    workload: "",
    workload_gone_days: 0,
    orphaned_days: 0,
};

const RUNNER: Machine = Machine {
    kind: "automation_runner",
    ..COMMON
};
const WORKLOAD: Machine = Machine {
    kind: "workload",
    owner: "edda.voss",
    backup_owner: "oskar.brandt",
    department: "Engineering",
    ..COMMON
};
const APP: Machine = Machine {
    kind: "oauth_app",
    accounts: &[EntraApp],
    owner: "bea.lorenz",
    backup_owner: "",
    department: "Support",
    ..COMMON
};
const AGENT: Machine = Machine {
    kind: "ai_agent",
    accounts: &[Agent],
    owner: "edda.voss",
    backup_owner: "lena.hoff",
    department: "Engineering",
    environment: "development",
    ..COMMON
};

pub(crate) static MACHINES: [Machine; 40] = [
    // Automation runners.
    Machine {
        name: "ci-deployer",
        purpose: "Deploys the shop from main to production.",
        workload: "github-actions",
        ..RUNNER
    },
    Machine {
        name: "ci-payments",
        purpose: "Builds and tests the payments service.",
        environment: "staging",
        owner: "oskar.brandt",
        backup_owner: "",
        workload: "github-actions",
        ..RUNNER
    },
    Machine {
        name: "ci-web",
        purpose: "Builds and tests the web front end.",
        environment: "staging",
        owner: "lena.hoff",
        workload: "github-actions",
        ..RUNNER
    },
    Machine {
        name: "ci-terraform",
        purpose: "Plans and applies infrastructure changes, reads IAM while planning.",
        workload: "github-actions",
        ..RUNNER
    },
    Machine {
        name: "release-bot",
        accounts: &[GitHubLogin],
        purpose: "Writes the released version into the deployment manifests.",
        ..RUNNER
    },
    Machine {
        name: "build-runner",
        accounts: &[Kubernetes("ci"), VaultEntity],
        purpose: "Runs build jobs inside the cluster.",
        workload: "build-runner",
        ..RUNNER
    },
    // Service accounts.
    Machine {
        name: "svc-docs-sync",
        accounts: &[GitHubLogin],
        owner: "ana.sorel",
        backup_owner: "",
        department: "Engineering",
        environment: "development",
        purpose: "Copies the handbook into the documentation repository every night.",
        ..COMMON
    },
    Machine {
        name: "svc-billing-export",
        accounts: &[AwsUser],
        owner: "paul.wexley",
        backup_owner: "greta.mohn",
        department: "Finance",
        purpose: "Writes the nightly billing export.",
        workload: "billing-export",
        ..COMMON
    },
    Machine {
        name: "svc-backup",
        purpose: "Takes the nightly database snapshots.",
        ..COMMON
    },
    Machine {
        name: "svc-quarterly-report",
        owner: "paul.wexley",
        backup_owner: "",
        department: "Finance",
        purpose: "Builds the quarterly figures.",
        ..COMMON
    },
    Machine {
        name: "svc-rotator",
        accounts: &[VaultEntity, GitHubLogin],
        purpose: "Rotates database and build credentials under a change ticket.",
        ..COMMON
    },
    Machine {
        name: "svc-ci-secrets",
        accounts: &[VaultEntity, GitHubLogin],
        owner: "jonas.weil",
        backup_owner: "priya.nand",
        purpose: "Refreshes the deploy token of the build pipelines under a change ticket.",
        ..COMMON
    },
    Machine {
        name: "svc-ledger-sync",
        accounts: &[VaultEntity],
        owner: "greta.mohn",
        backup_owner: "",
        department: "Finance",
        purpose: "Copied ledger entries to the old finance system.",
        workload: "finance/ledger-sync",
        workload_gone_days: 60,
        ..COMMON
    },
    Machine {
        name: "svc-order-worker",
        department: "Engineering",
        owner: "sam.okoye",
        purpose: "Takes orders from the queue and books them.",
        ..COMMON
    },
    Machine {
        name: "svc-invoice-worker",
        department: "Engineering",
        owner: "sam.okoye",
        purpose: "Writes invoices for booked orders.",
        ..COMMON
    },
    Machine {
        name: "svc-notify-worker",
        department: "Engineering",
        owner: "dana.ferris",
        purpose: "Tells customers about their deliveries.",
        ..COMMON
    },
    Machine {
        name: "svc-image-worker",
        department: "Engineering",
        owner: "",
        backup_owner: "",
        purpose: "Scales product pictures.",
        orphaned_days: 45,
        ..COMMON
    },
    Machine {
        name: "prometheus",
        accounts: &[Kubernetes("monitoring")],
        purpose: "Collects metrics from the cluster.",
        read_only: true,
        workload: "prometheus",
        ..COMMON
    },
    Machine {
        name: "svc-profile-sync",
        accounts: &[OktaUser],
        owner: "",
        backup_owner: "",
        department: "Human Resources",
        purpose: "Copied job titles from the old personnel system.",
        ..COMMON
    },
    Machine {
        name: "svc-status-page",
        accounts: &[GitHubLogin],
        undeclared: true,
        ..COMMON
    },
    // Workloads.
    Machine {
        name: "payments-api",
        accounts: &[AwsRole, Kubernetes("shop"), VaultEntity],
        purpose: "Takes payments.",
        workload: "payments-api",
        ..WORKLOAD
    },
    Machine {
        name: "web-frontend",
        accounts: &[AwsRole, Kubernetes("shop")],
        owner: "lena.hoff",
        purpose: "Serves the shop's pages.",
        workload: "web-frontend",
        ..WORKLOAD
    },
    Machine {
        name: "cart",
        accounts: &[AwsRole, Kubernetes("shop")],
        purpose: "Keeps shopping baskets.",
        workload: "cart",
        ..WORKLOAD
    },
    Machine {
        name: "search-indexer",
        accounts: &[AwsRole, Kubernetes("shop")],
        owner: "kai.morrow",
        purpose: "Builds the product search index from the catalogue.",
        workload: "search-indexer",
        ..WORKLOAD
    },
    Machine {
        name: "recommendation",
        accounts: &[Kubernetes("shop")],
        undeclared: true,
        workload: "recommendation",
        ..WORKLOAD
    },
    Machine {
        name: "fraud-scorer",
        accounts: &[AwsRole, Kubernetes("shop"), VaultEntity],
        owner: "dana.ferris",
        purpose: "Scores orders for fraud.",
        workload: "fraud-scorer",
        ..WORKLOAD
    },
    Machine {
        name: "inventory-reader",
        accounts: &[AwsRole],
        owner: "kai.morrow",
        backup_owner: "",
        purpose: "Reads stock levels for the partner portal; changes nothing.",
        read_only: true,
        workload: "inventory-reader",
        ..WORKLOAD
    },
    Machine {
        name: "cert-manager",
        accounts: &[Kubernetes("cert-manager")],
        owner: "mara.lind",
        department: "Platform",
        purpose: "Renews certificates inside the cluster.",
        workload: "cert-manager",
        ..WORKLOAD
    },
    Machine {
        name: "deploy-controller",
        accounts: &[Kubernetes("deploy")],
        owner: "mara.lind",
        department: "Platform",
        purpose: "Applies the deployment manifests to the cluster.",
        workload: "deploy-controller",
        ..WORKLOAD
    },
    // OAuth applications.
    Machine {
        name: "calendar-sync",
        purpose: "Keeps room calendars in step.",
        ..APP
    },
    Machine {
        name: "crm-connector",
        owner: "noel.varga",
        department: "Sales",
        purpose: "Reads contacts for the sales system.",
        read_only: true,
        ..APP
    },
    Machine {
        name: "survey-tool",
        undeclared: true,
        ..APP
    },
    Machine {
        name: "expense-app",
        owner: "greta.mohn",
        department: "Finance",
        purpose: "Books travel expenses.",
        ..APP
    },
    Machine {
        name: "slide-maker",
        owner: "iris.talbot",
        department: "Sales",
        purpose: "Turns notes into slides.",
        ..APP
    },
    // AI agents.
    Machine {
        name: "agent-code",
        accounts: &[Agent, VaultEntity],
        purpose: "Opens tickets and pull requests for small repairs.",
        declared_tools: &[
            "create_ticket",
            "update_ticket",
            "search_code",
            "create_pull_request",
        ],
        ..AGENT
    },
    Machine {
        name: "agent-support",
        owner: "bea.lorenz",
        backup_owner: "cole.danvers",
        department: "Support",
        environment: "production",
        purpose: "Answers customers' questions about orders.",
        declared_tools: &["search_orders", "get_order", "draft_reply", "send_reply"],
        ..AGENT
    },
    Machine {
        name: "agent-ops",
        owner: "priya.nand",
        department: "Platform",
        environment: "production",
        purpose: "Looks at alerts and proposes what to do.",
        declared_tools: &["query_metrics", "read_logs", "create_ticket"],
        ..AGENT
    },
    Machine {
        name: "agent-research",
        owner: "iris.talbot",
        backup_owner: "",
        department: "Sales",
        purpose: "Gathers public facts about suppliers.",
        declared_tools: &["web_search", "fetch_page", "write_note"],
        ..AGENT
    },
    Machine {
        name: "agent-data",
        owner: "greta.mohn",
        department: "Finance",
        purpose: "Answers questions about sales figures.",
        declared_tools: &["list_tables", "run_query", "plot_chart"],
        ..AGENT
    },
    Machine {
        name: "agent-triage",
        undeclared: true,
        ..AGENT
    },
];

/// The machine of that name; the first of the list when there is none.
pub(crate) fn machine(name: &str) -> &'static Machine {
    MACHINES
        .iter()
        .find(|one| one.name == name)
        .unwrap_or(&MACHINES[0])
}
