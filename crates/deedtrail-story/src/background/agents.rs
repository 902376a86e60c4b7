//! AI agents: bursts of calls when somebody asks.

use serde_json::{Value, json};

use crate::background::batch::vault_act;
use crate::day::Day;
use crate::organisation::machine;
use crate::record::Source;
use crate::record::genai::Run;
use crate::rhythm::{HOUR, SECOND};

/// What one tool call looks like: tool, its MCP server (empty: built in).
pub(crate) type Tool = (&'static str, &'static str);

struct Habit {
    agent: &'static str,
    /// Runs on a workday.
    runs: i64,
    weekend: bool,
    /// Mail names of the people it works for; empty when customers or alerts start it.
    askers: &'static [&'static str],
    /// The usual sequences.
    jobs: &'static [&'static [Tool]],
}

const HABITS: [Habit; 6] = [
    Habit {
        agent: "agent-code",
        runs: 4,
        weekend: false,
        askers: &["oskar.brandt", "lena.hoff", "sam.okoye", "kai.morrow"],
        jobs: &[
            &[
                ("search_code", ""),
                ("create_ticket", "tickets.larkfield.example"),
                ("create_pull_request", "github.larkfield.example"),
            ],
            &[
                ("search_code", ""),
                ("search_code", ""),
                ("create_pull_request", "github.larkfield.example"),
                ("update_ticket", "tickets.larkfield.example"),
            ],
            &[
                ("search_code", ""),
                ("update_ticket", "tickets.larkfield.example"),
            ],
        ],
    },
    Habit {
        agent: "agent-support",
        runs: 5,
        weekend: true,
        askers: &[],
        jobs: &[
            &[
                ("search_orders", ""),
                ("get_order", ""),
                ("draft_reply", ""),
                ("send_reply", ""),
            ],
            &[("get_order", ""), ("draft_reply", ""), ("send_reply", "")],
        ],
    },
    Habit {
        agent: "agent-ops",
        runs: 3,
        weekend: true,
        askers: &[],
        jobs: &[
            &[
                ("query_metrics", "metrics.larkfield.example"),
                ("read_logs", "logs.larkfield.example"),
                ("create_ticket", "tickets.larkfield.example"),
            ],
            &[
                ("query_metrics", "metrics.larkfield.example"),
                ("query_metrics", "metrics.larkfield.example"),
            ],
        ],
    },
    Habit {
        agent: "agent-research",
        runs: 3,
        weekend: false,
        askers: &["iris.talbot", "noel.varga"],
        jobs: &[&[
            ("web_search", ""),
            ("fetch_page", ""),
            ("fetch_page", ""),
            ("write_note", ""),
        ]],
    },
    Habit {
        agent: "agent-data",
        runs: 4,
        weekend: false,
        askers: &["greta.mohn", "paul.wexley"],
        jobs: &[
            &[
                ("list_tables", "warehouse.larkfield.example"),
                ("run_query", "warehouse.larkfield.example"),
                ("plot_chart", ""),
            ],
            &[
                ("run_query", "warehouse.larkfield.example"),
                ("plot_chart", ""),
            ],
        ],
    },
    Habit {
        agent: "agent-triage",
        runs: 3,
        weekend: false,
        askers: &["bea.lorenz"],
        jobs: &[&[
            ("list_tickets", "tickets.larkfield.example"),
            ("label_ticket", "tickets.larkfield.example"),
        ]],
    },
];

pub(super) fn tell(day: &mut Day) {
    for habit in &HABITS {
        let runs = match (day.is_workday(), habit.weekend) {
            (true, _) => habit.runs + day.chance.between(-1, 2),
            (false, true) => habit.runs / 3,
            (false, false) => 0,
        };
        for _ in 0..runs {
            let start = 8 * HOUR + day.chance.between(0, 10 * HOUR);
            let job = *day.chance.pick_skewed(habit.jobs);
            let asker = if habit.askers.is_empty() {
                ""
            } else {
                day.chance.pick(habit.askers)
            };
            run(day, (habit.agent, asker), job, start);
        }
    }
}

/// One run: think, call, think, call …
pub(crate) fn run(day: &mut Day, (agent, asker): (&str, &str), job: &[Tool], start: i64) {
    let run = Run::new(machine(agent), asker, &mut day.chance);
    // The coding agent fetches its own development token first: that is its to read.
    if agent == "agent-code" {
        let secret = ("read", "kv", "secret/data/dev/agent-code/github");
        vault_act(day, agent, secret, None, start - 2 * SECOND);
    }
    let mut of_day = start + SECOND / 5;
    for tool in job {
        of_day = step(day, &run, *tool, of_day);
    }
    day.put(Source::GenAi, start, |at, _| {
        run.invoke(at, at + of_day - start)
    });
}

fn step(day: &mut Day, run: &Run<'_>, (tool, server): Tool, of_day: i64) -> i64 {
    let thinking = SECOND + day.chance.between(0, 5 * SECOND);
    day.put(Source::GenAi, of_day, |at, chance| {
        run.chat(at, at + thinking, chance)
    });
    let call = of_day + thinking + SECOND / 10;
    let working = day.chance.between(SECOND / 5, 2 * SECOND);
    let error = day.chance.in_thousand(12).then_some("timeout");
    let arguments = arguments(day, tool);
    day.put(Source::GenAi, call, |at, chance| {
        run.tool(
            (at, at + working),
            (tool, &arguments),
            server,
            error,
            chance,
        )
    });
    call + working + SECOND / 10
}

fn arguments(day: &mut Day, tool: &str) -> Value {
    let number = day.chance.between(1000, 9999);
    match tool {
        "search_code" => json!({ "query": "delivery date", "repository": "larkfield/shop" }),
        "create_ticket" | "update_ticket" | "label_ticket" => {
            json!({ "project": "SHOP", "number": number, "title": "Delivery date is empty" })
        }
        "create_pull_request" => json!({ "repository": "larkfield/shop", "branch": "fix-date" }),
        "get_order" | "search_orders" => json!({ "order": number }),
        "draft_reply" | "send_reply" => json!({ "conversation": number }),
        "run_query" => json!({ "sql": "select region, sum(total) from sales group by region" }),
        "fetch_page" => json!({ "url": "https://suppliers.example/list" }),
        _ => json!({ "limit": 20 }),
    }
}
