//! `config`: check, show, schema.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_detect::ProblemSeverity;
use deedtrail_sources::Registry;
use serde_json::json;

use super::Ended;
use crate::args::ConfigCommand;
use crate::config::Config;
use crate::output::{Console, causes, counted};
use crate::system::SystemClock;
use crate::tls::Certificate;
use crate::warning::warnings;
use crate::{
    listeners, pullers, rules, sequences, signals, targets, timestamps, webhooks, witnesses,
};

/// What is wrong: `file:line: what`.
type Mistake = (ProblemSeverity, String);

pub(super) fn run(
    command: &ConfigCommand,
    (file, data): (Option<&Path>, Option<&Path>),
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let load = || Config::load(file, data).context("configuration");
    match command {
        ConfigCommand::Schema => {
            console.lines(&serde_json::to_string_pretty(&Config::schema())?)?;
        }
        ConfigCommand::Show if console.json => console.object(&load()?)?,
        ConfigCommand::Show => console.lines(&toml::to_string(&load()?)?)?,
        ConfigCommand::Check => {
            let sound = || Config::load_sound(file, data).context("configuration");
            let file = Config::path(file, data);
            return check(&file, (&load(), sound), console);
        }
    }
    Ok(Ended::Done)
}

/// Reads the file and everything it names, as a start would, and reports every mistake.
fn check(
    file: &Path,
    (loaded, sound): (
        &anyhow::Result<Config>,
        impl Fn() -> anyhow::Result<Option<Config>>,
    ),
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let error = |text| (ProblemSeverity::Error, text);
    let mut mistakes: Vec<Mistake> = Config::mistakes(file).into_iter().map(error).collect();
    let placed = |(severity, text)| (severity, Config::placed(file, text));
    let named = |config: &Config| of_what_is_named(config).into_iter().map(placed);
    match loaded {
        Ok(config) => mistakes.extend(named(config)),
        Err(cause) if mistakes.is_empty() => mistakes.push(error(causes(cause))),
        // What is wrong in the file does not hide what else is.
        Err(_) => match sound() {
            Ok(Some(config)) => mistakes.extend(named(&config)),
            Ok(None) => {}
            Err(cause) => mistakes.push(error(causes(&cause))),
        },
    }
    mistakes.sort_by_key(|(severity, _)| *severity == ProblemSeverity::Warning);
    for (severity, text) in &mistakes {
        if console.json {
            console.object(&json!({ "id": text, "severity": severity }))?;
            continue;
        }
        // Parsers explain in several lines.
        let text = text.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let severity = match severity {
            ProblemSeverity::Error => "error",
            ProblemSeverity::Warning => "warning",
        };
        console.line(format_args!("{severity}: {text}"))?;
    }
    let errors = mistakes
        .iter()
        .filter(|(severity, _)| *severity == ProblemSeverity::Error);
    let errors = errors.count();
    if errors > 0 {
        console.say(format_args!(
            "{}; mend, then check again",
            counted(errors, "error")
        ))?;
        return Ok(Ended::Found);
    }
    if !console.json
        && let Ok(config) = loaded
    {
        console.line(format_args!("ok: data folder {}", config.data.display()))?;
    }
    Ok(Ended::Done)
}

/// Mistakes in the operator's sources, rules and sequences, and in how settings go together.
fn of_what_is_named(config: &Config) -> Vec<Mistake> {
    let error = |text| (ProblemSeverity::Error, text);
    let mut mistakes = Vec::new();
    mistakes.extend(
        warnings(config, SystemClock.now())
            .into_iter()
            .map(|warning| {
                let text = format!("`{}`: {}", warning.setting, warning.text);
                (ProblemSeverity::Warning, text)
            }),
    );
    let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if config.public_url.as_ref().is_some_and(|url| !web(url)) {
        let text = "`public_url` is no address; write https://HOST, as people type it";
        mistakes.push(error(text.to_owned()));
    }
    if let Some(Err(problem)) = config.tls.as_ref().map(Certificate::load) {
        mistakes.push(error(causes(&problem)));
    }
    if let Err(problem) = targets::load(config) {
        mistakes.extend(causes(&problem).lines().map(str::to_owned).map(error));
    }
    let loaded = match &config.sources {
        Some(folder) => Registry::load_sound(folder),
        None => Registry::built_in().map(|registry| (registry, Vec::new())),
    };
    // What names a source can be judged only once it is known which there are.
    let sources = match loaded {
        Ok((registry, problems)) => {
            mistakes.extend(problems.iter().map(|problem| error(problem.to_string())));
            Some(registry.sources())
        }
        Err(problem) => {
            mistakes.push(error(format!("`sources`: {problem}")));
            None
        }
    };
    if let Some(sources) = &sources {
        let names: Vec<SourceName> = sources.iter().map(|one| one.name.clone()).collect();
        mistakes.extend(webhooks::mistakes(config, &names).into_iter().map(error));
        mistakes.extend(listeners::mistakes(config, &names).into_iter().map(error));
        mistakes.extend(pullers::mistakes(config, &names).into_iter().map(error));
    }
    mistakes.extend(signals::mistakes(config).into_iter().map(error));
    mistakes.extend(witnesses::mistakes(config).into_iter().map(error));
    mistakes.extend(timestamps::mistakes(config).into_iter().map(error));
    match config.sequences.as_deref().map(sequences::mistakes) {
        None => {}
        Some(Ok(found)) => mistakes.extend(found.into_iter().map(error)),
        Some(Err(problem)) => mistakes.push(error(causes(&problem))),
    }
    match rules::load(config.rules.as_deref()) {
        Ok(loaded) => {
            let check = |sources: &Vec<_>| loaded.check_sources(sources);
            let without_source = sources.as_ref().map(check).unwrap_or_default();
            let problems = loaded.problems.iter().chain(&without_source);
            mistakes.extend(problems.map(|problem| (problem.severity, problem.to_string())));
        }
        Err(problem) => mistakes.push(error(format!("`rules`: {}", causes(&problem)))),
    }
    mistakes
}
