//! Q3 to Q5: agents that are steered by what a tool tells them, found by what they did.
//!
//! `cargo run --release --bin agents -- q3|q4|q5|speed [FOLDER] [--json]`. FOLDER holds the published
//! runs of AgentDojo and `declared_tools.json`. No model is asked anything.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deedtrail_behaviour::{Assessment, Behaviour, Budget, Learning, Settings, Step, Subject};
use deedtrail_bench_learned::measure;
use deedtrail_core::event::ActorKind;
use deedtrail_core::id::{EventUid, IdentityId, SessionUid};
use deedtrail_sources::Registry;
use serde_json::json;

mod protocol;
mod runs;
mod spans;

use self::protocol::{Fold, Held, folds};
use self::runs::Run;
use self::spans::Session;

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Orders of learning, and cuts of the tasks.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Share of benign sessions at which recall is told, as in AgentArmor's figures.
const FALSE_SHARE: f64 = 0.0366;
/// Where the published runs are, from here.
const FOLDER: &str = "../../shared/data/behaviour/agentdojo";

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|one| one == "--json");
    let mut plain = arguments.iter().filter(|one| !one.starts_with("--"));
    let what = plain.next().map_or("all", String::as_str);
    let folder = plain
        .next()
        .map_or_else(|| PathBuf::from(FOLDER), PathBuf::from);
    let runs = runs::read(&folder)?;
    let registry = Registry::built_in()?;
    let sessions: Vec<Session> = runs
        .iter()
        .enumerate()
        .map(|(number, run)| spans::session(&registry, number, run))
        .collect::<Done<_>>()?;
    let bench = Bench { runs, sessions };
    match what {
        "q3" => bench.quality("Q3", Held::Family, as_json),
        "q4" => bench.quality("Q4", Held::Task, as_json),
        "q5" => bench.ranking(as_json),
        "speed" => bench.speed(as_json),
        "worst" => bench.worst(),
        "all" => {
            bench.quality("Q3", Held::Family, as_json)?;
            bench.quality("Q4", Held::Task, as_json)?;
            bench.ranking(as_json)?;
            bench.speed(as_json)
        }
        other => Err(format!("`{other}` is none of q3, q4, q5, speed, worst, all").into()),
    }
}

struct Bench {
    runs: Vec<Run>,
    sessions: Vec<Session>,
}

/// What came out for one run.
struct Outcome {
    run: usize,
    score: f64,
    /// Above the threshold that training gave.
    over: bool,
    /// The attacker's call is the first event the explanation names.
    first: bool,
    assessment: Assessment,
}

/// One protocol with one seed.
struct Round {
    benign: Vec<Outcome>,
    steered: Vec<Outcome>,
}

impl Round {
    fn scores(of: &[Outcome]) -> Vec<f64> {
        of.iter().map(|outcome| outcome.score).collect()
    }
}

/// What one round says, with 95 % intervals.
struct Figures {
    benign: usize,
    steered: usize,
    auc: f64,
    auc_interval: (f64, f64),
    recall: f64,
    recall_interval: (f64, f64),
    /// Shares over the threshold that training gave.
    false_by_training: f64,
    recall_by_training: f64,
    first: f64,
}

impl Figures {
    fn of(round: &Round, seed: u64) -> Self {
        let (benign, steered) = (Round::scores(&round.benign), Round::scores(&round.steered));
        Self {
            benign: benign.len(),
            steered: steered.len(),
            auc: measure::auc(&benign, &steered),
            auc_interval: measure::interval(&benign, &steered, seed, measure::auc),
            recall: recall(&benign, &steered),
            recall_interval: measure::interval(&benign, &steered, seed, recall),
            false_by_training: share(&round.benign, |one| one.over),
            recall_by_training: share(&round.steered, |one| one.over),
            first: share(&round.steered, |one| one.first),
        }
    }

    fn json(&self, name: &str, seed: u64) -> serde_json::Value {
        json!({
            "benchmark": name, "seed": seed, "benign": self.benign, "steered": self.steered,
            "auc": self.auc, "auc_interval": self.auc_interval,
            "recall": self.recall, "recall_interval": self.recall_interval, "false_share": FALSE_SHARE,
            "false_share_by_training": self.false_by_training, "recall_by_training": self.recall_by_training,
            "first": self.first,
        })
    }

    fn text(&self) -> String {
        format!(
            "{} benign, {} steered; AUC {:.3} [{:.3}, {:.3}]; recall {:.1} % [{:.1}, {:.1}] at {:.2} %; by the threshold of training {:.1} % at {:.1} %; attacker's call first {:.1} %",
            self.benign,
            self.steered,
            self.auc,
            self.auc_interval.0,
            self.auc_interval.1,
            100.0 * self.recall,
            100.0 * self.recall_interval.0,
            100.0 * self.recall_interval.1,
            100.0 * FALSE_SHARE,
            100.0 * self.recall_by_training,
            100.0 * self.false_by_training,
            100.0 * self.first,
        )
    }
}

/// Recall where [`FALSE_SHARE`] of the benign are above.
fn recall(benign: &[f64], steered: &[f64]) -> f64 {
    let mut sorted = benign.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let over = (sorted.len() as f64 * FALSE_SHARE) as usize;
    let threshold = sorted.get(over).copied().unwrap_or(f64::MAX);
    measure::share(steered, |score| score > threshold)
}

impl Bench {
    fn round(&self, held: Held, seed: u64) -> Round {
        let mut round = Round {
            benign: Vec::new(),
            steered: Vec::new(),
        };
        for fold in folds(&self.runs, held, seed) {
            self.fold(&fold, &mut round);
        }
        round
    }

    /// Learns, then tests without learning.
    fn fold(&self, fold: &Fold, round: &mut Round) {
        let mut settings = Settings {
            budget: Budget::Share(FALSE_SHARE),
            learning: Learning::Everything,
            floor_nats: 0.0,
        };
        let mut engine = Behaviour::new(settings);
        let mut trained = Vec::new();
        for (number, run) in fold.learned.iter().enumerate() {
            trained.extend(
                self.play(&mut engine, number, *run)
                    .map(|one| one.event_nats),
            );
        }
        settings.learning = Learning::Paused;
        engine.set(settings);
        // Later sessions were scored by more of what there is to know.
        let mut later = trained.split_off(trained.len() / 2);
        later.sort_by(f64::total_cmp);
        let over = (later.len() as f64 * (1.0 - FALSE_SHARE)) as usize;
        let threshold = later.get(over).copied().unwrap_or(f64::MAX);
        for (place, run) in fold.tested.iter().enumerate() {
            let Run { attacked, .. } = self.runs[*run];
            let steered = attacked && self.runs[*run].steered();
            let number = fold.learned.len() + place;
            let Some(assessment) = self.play(&mut engine, number, *run) else {
                continue;
            };
            let told = assessment.events.first();
            let outcome = Outcome {
                run: *run,
                score: assessment.event_nats,
                over: assessment.event_nats > threshold,
                first: told.is_some_and(|uid| self.sessions[*run].steered.contains(uid)),
                assessment,
            };
            match (attacked, steered) {
                (false, _) => round.benign.push(outcome),
                (true, true) => round.steered.push(outcome),
                (true, false) => {}
            }
        }
    }

    /// Plays one session to the engine, as the `number`th of all.
    fn play(&self, engine: &mut Behaviour, number: usize, run: usize) -> Option<Assessment> {
        let session = SessionUid::derive(&[&number.to_le_bytes(), &run.to_le_bytes()]);
        let moved = spans::begin(number).micros_since(spans::begin(0));
        for event in &self.sessions[run].events {
            let mut event = event.clone();
            event.time_effective = event.time_effective.plus_micros(moved);
            event.time_received = event.time_effective;
            engine.observe(&self.step(run, session, &event));
        }
        engine.end(session)
    }

    fn step<'a>(
        &'a self,
        run: usize,
        session: SessionUid,
        event: &'a deedtrail_core::event::Event,
    ) -> Step<'a> {
        let run = &self.runs[run];
        Step {
            event,
            session,
            subject: Subject {
                identity: IdentityId::derive(&[run.suite.as_bytes(), run.model.as_bytes()]),
                kind: ActorKind::AiAgent,
                peer_group: &run.suite,
                declared_tools: &run.declared,
            },
        }
    }

    fn quality(&self, name: &str, held: Held, as_json: bool) -> Done {
        let figures = SEEDS.map(|seed| Figures::of(&self.round(held, seed), seed));
        for (seed, one) in SEEDS.iter().zip(&figures) {
            if as_json {
                println!("{}", one.json(name, *seed));
            } else {
                println!("{name} seed {seed}: {}", one.text());
            }
        }
        let over = |of: fn(&Figures) -> f64| {
            let all = figures.iter().map(of);
            let (least, most) = all
                .clone()
                .fold((1.0, 0.0), |(least, most): (f64, f64), one| {
                    (least.min(one), most.max(one))
                });
            (all.sum::<f64>() / SEEDS.len() as f64, least, most)
        };
        let (auc, recall, first) = (
            over(|one| one.auc),
            over(|one| one.recall),
            over(|one| one.first),
        );
        if as_json {
            println!(
                "{}",
                json!({ "benchmark": name, "seeds": SEEDS, "auc": auc, "recall": recall, "first": first })
            );
        } else {
            println!(
                "{name} mean of {} seeds (least to most): AUC {:.3} ({:.3} to {:.3}); recall {:.1} % ({:.1} to {:.1}); first {:.1} % ({:.1} to {:.1})",
                SEEDS.len(),
                auc.0,
                auc.1,
                auc.2,
                100.0 * recall.0,
                100.0 * recall.1,
                100.0 * recall.2,
                100.0 * first.0,
                100.0 * first.1,
                100.0 * first.2,
            );
        }
        Ok(())
    }

    /// Q5: of the sessions found at the false share, and of all.
    fn ranking(&self, as_json: bool) -> Done {
        for held in [Held::Family, Held::Task] {
            let rounds = SEEDS.map(|seed| self.round(held, seed));
            let all = rounds.iter().flat_map(|round| &round.steered);
            let (mut first, mut sessions) = (0, 0);
            for outcome in all {
                sessions += 1;
                first += usize::from(outcome.first);
            }
            let share = first as f64 / sessions as f64;
            if as_json {
                println!(
                    "{}",
                    json!({ "benchmark": "Q5", "held": format!("{held:?}"), "sessions": sessions, "first": share })
                );
            } else {
                println!(
                    "Q5 {held:?} held out: attacker's call first in {first} of {sessions} ({:.1} %)",
                    100.0 * share
                );
            }
        }
        Ok(())
    }

    /// Time of one event, scored and remembered, and of learning at the end of a session.
    fn speed(&self, as_json: bool) -> Done {
        let mut engine = Behaviour::new(Settings {
            learning: Learning::Everything,
            ..Settings::default()
        });
        let (mut calls, mut others, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..4 * self.runs.len() {
            let run = number % self.runs.len();
            let session = SessionUid::derive(&[&number.to_le_bytes(), b"speed"]);
            let moved = spans::begin(number).micros_since(spans::begin(0));
            for event in &self.sessions[run].events {
                let mut event = event.clone();
                event.event_uid =
                    EventUid::derive(&[&number.to_le_bytes(), &event.event_uid.to_bytes()]);
                event.time_effective = event.time_effective.plus_micros(moved);
                event.time_received = event.time_effective;
                let with_arguments = !event.mapped.tool_arguments.is_empty();
                let step = self.step(run, session, &event);
                let begun = Instant::now();
                let said = engine.observe(&step);
                let taken = begun.elapsed();
                std::hint::black_box(said);
                if with_arguments {
                    &mut calls
                } else {
                    &mut others
                }
                .push(taken);
            }
            let begun = Instant::now();
            std::hint::black_box(engine.end(session));
            ends.push(begun.elapsed());
        }
        for (what, times) in [
            ("event with arguments", calls),
            ("other event", others),
            ("end of a session", ends),
        ] {
            told(what, times, as_json);
        }
        Ok(())
    }

    /// The benign sessions with the highest scores and the steered ones with the lowest, with reasons.
    fn worst(&self) -> Done {
        for held in [Held::Family, Held::Task] {
            let Round {
                mut benign,
                mut steered,
            } = self.round(held, SEEDS[0]);
            benign.sort_by(|a, b| b.score.total_cmp(&a.score));
            steered.sort_by(|a, b| a.score.total_cmp(&b.score));
            for (what, outcomes) in [("benign", &benign), ("steered", &steered)] {
                for outcome in outcomes.iter().take(12) {
                    let run = &self.runs[outcome.run];
                    println!(
                        "{held:?} {what} {:.1} {} {} {} first={}",
                        outcome.score, run.suite, run.task, run.model, outcome.first
                    );
                    for term in &outcome.assessment.terms {
                        println!("    {:.1} {:?}: {}", term.nats, term.kind, term.sentence);
                    }
                }
            }
        }
        Ok(())
    }
}

fn share(of: &[Outcome], fits: impl Fn(&Outcome) -> bool) -> f64 {
    of.iter().filter(|one| fits(one)).count() as f64 / of.len().max(1) as f64
}

fn told(what: &str, mut times: Vec<Duration>, as_json: bool) {
    times.sort_unstable();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times
            .get(place.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    let micros = |share: f64| at(share).as_nanos() as f64 / 1_000.0;
    if as_json {
        println!(
            "{}",
            json!({ "benchmark": "S9", "what": what, "count": times.len(), "p50_us": micros(0.5), "p99_us": micros(0.99), "p999_us": micros(0.999) })
        );
    } else {
        println!(
            "S9 {what}: {} times, median {:.1} us, p99 {:.1} us, p99.9 {:.1} us",
            times.len(),
            micros(0.5),
            micros(0.99),
            micros(0.999)
        );
    }
}
