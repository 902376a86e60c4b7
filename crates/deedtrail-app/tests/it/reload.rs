//! Rules that are read again while a server runs are entries of the log: a restart and a rebuild go
//! by those that were in force when a record came.

use std::sync::{Arc, Mutex};

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::pipeline::{Detection, Pipeline};
use deedtrail_app::rule_set::{
    FileText, FoldersRead, OwnRules, ReloadError, Reloaded, RuleFolders,
};
use deedtrail_core::finding::Finding;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::{FindingFilter, Scope, Store as _};
use deedtrail_detect::Settings;
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, ports};

/// A single rule, and a correlation over the same.
fn single(title: &str) -> String {
    format!(
        "title: Deleted
logsource:
  product: deedtrail
detection:
  selection:
    action: delete
  condition: selection
level: high
deedtrail:
  finding: guardrail_removed
  title: '{title} by {{actor_name}}'
  pattern: [target_name]
  reasons: ['{{operation}}']
"
    )
}

fn thrice(count: u32) -> String {
    format!(
        "title: Any deletion
name: any_deletion
logsource:
  product: deedtrail
detection:
  selection:
    action: delete
  condition: selection
---
title: Many deletions
correlation:
  type: event_count
  rules: [any_deletion]
  group-by: [actor_name]
  timespan: 1h
  condition:
    gte: {count}
level: high
deedtrail:
  finding: guardrail_removed
  title: 'many deletions by {{actor_name}}'
  reasons: ['{{operation}}']
"
    )
}

/// Folders whose content the test writes.
#[derive(Debug, Default)]
struct Folders(Mutex<Vec<FileText>>);

impl RuleFolders for Folders {
    fn read(&self) -> Result<FoldersRead, String> {
        let rules = self.0.lock().unwrap().clone();
        if rules.iter().any(|file| file.path == "gone") {
            return Err("cannot read /rules".to_owned());
        }
        Ok(FoldersRead {
            own: OwnRules {
                rules,
                sequences: Vec::new(),
            },
            rules_at: "/rules".to_owned(),
            ..FoldersRead::default()
        })
    }
}

struct Server {
    sample: Sample,
    folders: Arc<Folders>,
    app: App,
    pipeline: Pipeline,
}

impl Server {
    fn new(rules: &[(&str, String)]) -> Self {
        let sample = Sample::empty();
        let folders = Arc::new(Folders::default());
        write(&folders, rules);
        let (app, pipeline) = start(&sample, &folders);
        let mut server = Self {
            sample,
            folders,
            app,
            pipeline,
        };
        server.go_on();
        server
    }

    fn go_on(&mut self) {
        while self.pipeline.step().unwrap() {}
    }

    /// As after `kill -9`: nothing is closed, the newest snapshot is older than what was processed.
    fn restart(&mut self) {
        (self.app, self.pipeline) = start(&self.sample, &self.folders);
        self.go_on();
    }

    fn reload(&mut self, rules: &[(&str, String)]) -> Reloaded {
        write(&self.folders, rules);
        let reloaded = self.app.reload_rules(&Principal::local()).unwrap();
        self.go_on();
        reloaded
    }

    fn delete(&mut self, minute: u32) {
        delete_object(&self.app, "ana", &format!("b{minute}"), minute);
        self.go_on();
    }

    fn findings(&self) -> Vec<Finding> {
        let filter = FindingFilter {
            tenant: TenantId::default(),
            ..FindingFilter::default()
        };
        let mut all = self.sample.store.findings(&filter, 1_000).unwrap();
        all.retain(|finding| finding.draft.rule.starts_with("own/"));
        all.sort_by_key(|finding| finding.id);
        all
    }

    fn titles(&self) -> Vec<String> {
        let mut titles: Vec<String> = self
            .findings()
            .into_iter()
            .map(|finding| finding.draft.title)
            .collect();
        titles.sort();
        titles
    }
}

fn write(folders: &Folders, rules: &[(&str, String)]) {
    let files = rules.iter().map(|(name, text)| FileText {
        path: format!("own/{name}.yml"),
        text: text.clone(),
    });
    *folders.0.lock().unwrap() = files.collect();
}

fn start(sample: &Sample, folders: &Arc<Folders>) -> (App, Pipeline) {
    let app = App {
        own_rules: Some(Arc::clone(folders) as _),
        ..App::new(ports(sample))
    };
    let read = folders.read().unwrap();
    let taken = app.take_up_rules(&Principal::local(), &read).unwrap();
    let detection = Detection {
        rules: Arc::clone(&taken.in_force.rules),
        settings: Settings::default(),
        targets: Arc::default(),
        sequences: Arc::clone(&taken.in_force.sequences),
        book: Arc::clone(&app.book),
    };
    let pipeline = Pipeline::open(ports(sample), detection, [7; 32]).unwrap();
    (app, pipeline)
}

#[test]
fn what_comes_after_a_reload_is_judged_by_the_new_rules_also_when_it_is_read_again() {
    let mut server = Server::new(&[("deleted", single("old"))]);
    server.delete(1);
    assert_eq!(server.titles(), ["old by ana"]);
    let reloaded = server.reload(&[("deleted", single("new"))]);
    assert!(reloaded.changed);
    server.delete(2);
    assert_eq!(server.titles(), ["new by ana", "old by ana"]);
    let known = server.findings();
    server.restart();
    assert_eq!(server.findings(), known, "a restart");
    server.delete(3);
    assert_eq!(server.titles().len(), 3);
    let known = server.findings();
    assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(server.findings(), known, "a rebuild");
    // The state was kept with the new rules in force: a restart from there knows which they are.
    server.pipeline.close().unwrap();
    server.restart();
    server.delete(4);
    let new = server
        .titles()
        .iter()
        .filter(|it| it.starts_with("new"))
        .count();
    assert_eq!(new, 3);
}

#[test]
fn a_rule_that_changed_while_nobody_served_holds_from_the_start_on() {
    let mut server = Server::new(&[("deleted", single("old"))]);
    server.delete(1);
    write(&server.folders, &[("deleted", single("new"))]);
    server.restart();
    server.delete(2);
    let known = server.findings();
    assert_eq!(server.titles(), ["new by ana", "old by ana"]);
    assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(server.findings(), known);
}

#[test]
fn correlations_that_stay_go_on_counting_and_those_that_change_begin_anew() {
    let mut server = Server::new(&[("many", thrice(3)), ("deleted", single("old"))]);
    server.delete(1);
    server.delete(2);
    server.reload(&[("many", thrice(3)), ("deleted", single("new"))]);
    server.delete(3);
    let many = |server: &Server| {
        let titles = server.titles();
        titles.iter().filter(|it| it.starts_with("many")).count()
    };
    assert_eq!(many(&server), 1, "the third, counted over the reload");
    let mut server = Server::new(&[("many", thrice(3)), ("deleted", single("old"))]);
    server.delete(1);
    server.delete(2);
    server.reload(&[
        ("many", format!("{}# said anew\n", thrice(3))),
        ("deleted", single("old")),
    ]);
    server.delete(3);
    assert_eq!(many(&server), 0, "the first of the changed rule");
    server.delete(4);
    server.delete(5);
    assert_eq!(many(&server), 1);
    let known = server.findings();
    server.restart();
    assert_eq!(server.findings(), known);
    assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(server.findings(), known);
}

#[test]
fn a_reload_tells_what_is_left_out_and_changes_nothing_when_nothing_changed() {
    let mut server = Server::new(&[("deleted", single("old"))]);
    let end = server.sample.log.end();
    let again = server.reload(&[("deleted", single("old"))]);
    assert!(!again.changed);
    assert_eq!(again.in_force.since.as_ref().unwrap().by, "local");
    assert_eq!(server.sample.log.end(), end + 1, "only that somebody asked");
    let bad = server.reload(&[("deleted", single("old")), ("bad", "title: [".to_owned())]);
    assert!(bad.changed);
    assert_ne!(bad.in_force.digest, again.in_force.digest);
    let told = &bad.in_force.rules_left_out;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("/rules/own/bad.yml:"), "{told:?}");
    server.delete(1);
    assert_eq!(server.titles(), ["old by ana"], "the others are in force");
    let end = server.sample.log.end();
    *server.folders.0.lock().unwrap() = vec![FileText {
        path: "gone".to_owned(),
        text: String::new(),
    }];
    let error = server.app.reload_rules(&Principal::local()).unwrap_err();
    assert!(error.to_string().contains("the rules of before stay"));
    let reader = Principal {
        scopes: vec![Scope::Write],
        ..Principal::local()
    };
    let error = server.app.reload_rules(&reader).unwrap_err();
    assert!(matches!(error, ReloadError::Denied(_)));
    assert_eq!(server.sample.log.end(), end);
}
