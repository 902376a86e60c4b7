//! One file per command; each is a function of a [`Context`].

mod backtest;
mod backup;
mod baseline;
mod behaviour;
mod charter;
mod completions;
mod config;
mod coverage;
mod demo;
mod doctor;
mod entitlement;
mod evidence;
mod exception;
mod finding;
mod identity;
mod ingest;
mod init;
mod man;
mod quarantine;
mod query;
mod rebuild;
mod reload;
mod rule;
mod scorecard;
mod served_rules;
mod session;
mod sign_in;
mod source;
mod timeline;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::timeline::IdentityFile;

use crate::args::{Args, Command, EvidenceCommand, RuleCommand, SourceCommand};
use crate::config::Config;
use crate::instance::{Instance, ensure_installed, is_installed, making};
use crate::output::{Console, counted};
use crate::socket::{self, Request};

/// What a command on a data folder works with.
pub(crate) struct Context<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) console: &'a mut Console,
    /// Folder the command was typed in; relative paths start here.
    pub(crate) folder: &'a Path,
    pub(crate) principal: Principal,
}

impl Context<'_> {
    pub(crate) fn app(&self) -> &App {
        &self.instance.app
    }

    /// A path as typed, made absolute.
    pub(crate) fn path(&self, typed: impl AsRef<Path>) -> PathBuf {
        self.folder.join(typed)
    }

    /// Says whom a command is about when `who` was only a part of a name.
    fn say_who(&mut self, who: &str, file: &IdentityFile) -> std::io::Result<()> {
        if file.is_called(who) {
            return Ok(());
        }
        let (identity, aliases) = (&file.identity, &file.aliases);
        let first = aliases
            .first()
            .map(|a| format!(", {}:{}", a.namespace, a.value));
        self.console.say(format_args!(
            "nobody is called exactly `{who}`; taken: {} ({}, id {}{})",
            identity.name,
            identity.kind.name(),
            identity.id,
            first.unwrap_or_default()
        ))
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    /// A check found something wrong.
    Found,
    /// Records were taken, and every one waits in quarantine.
    NothingUnderstood,
    /// What was asked for cannot be begun; it was told.
    Mistyped,
}

/// Runs the command line of this process.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut console = Console::local(args.json);
    let result = dispatch(args, &mut console);
    ExitCode::from(finish(&result, &mut console))
}

fn finish(result: &anyhow::Result<u8>, console: &mut Console) -> u8 {
    let code = match result {
        Ok(code) => *code,
        Err(error) if is_closed_pipe(error) => 0,
        Err(error) => {
            let said = console.complain(error);
            if said.is_ok() { 1 } else { 2 }
        }
    };
    match console.out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => code.max(1),
        _ => code,
    }
}

/// `deedtrail … | head` is no error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn dispatch(args: &Args, console: &mut Console) -> anyhow::Result<u8> {
    let load =
        || Config::load(args.config.as_deref(), args.data.as_deref()).context("configuration");
    let ended = match &args.command {
        Command::Config(command) => {
            let files = (args.config.as_deref(), args.data.as_deref());
            config::run(command, files, console)?
        }
        Command::Completions { shell } => completions::run(*shell, console)?,
        Command::Man { folder } => man::run(folder, console)?,
        Command::Init => init::run(&load()?, console)?,
        Command::Source(command) => source::run(command, &load()?, console)?,
        Command::Rule(command) if !command.is_on_data() => {
            let config = load()?;
            let ended = rule::run(command, &config, console)?;
            if matches!(command, RuleCommand::List | RuleCommand::Explain { .. }) {
                served_rules::compare(&config, console)?;
            }
            ended
        }
        Command::Evidence(EvidenceCommand::Verify { file, trusted }) => {
            let folder = std::env::current_dir().context("the current folder")?;
            evidence::verify::run((&folder, file), trusted, console)?
        }
        Command::Evidence(EvidenceCommand::Verifier) => evidence::verifier(console)?,
        Command::Evidence(EvidenceCommand::Adopt { because }) => {
            evidence::adopt(&load()?, because.as_deref(), console)?
        }
        Command::Serve(serve) => crate::server::serve(load()?, serve.listen, console)?,
        Command::Demo(demo) => demo::run(load()?, demo, console)?,
        _ => return on_data(args, &load()?, console),
    };
    Ok(exit_code(ended))
}

fn exit_code(ended: Ended) -> u8 {
    match ended {
        Ended::Done => 0,
        Ended::Found => 1,
        Ended::NothingUnderstood => 3,
        Ended::Mistyped => 2,
    }
}

/// Runs a command on the data folder: by its server when one answers, else here.
fn on_data(args: &Args, config: &Config, console: &mut Console) -> anyhow::Result<u8> {
    // The usual folder cannot be mistyped: records may be the first thing that it is given.
    let is_usual = config.data == Config::default().data;
    if is_usual && matches!(args.command, Command::Ingest(_)) && !is_installed(&config.data)? {
        console.say(making(&config.data))?;
    } else {
        ensure_installed(&config.data)?;
    }
    let folder = std::env::current_dir().context("the current folder")?;
    if let Some(stream) = socket::connect(&config.data) {
        let request = Request {
            arguments: std::env::args_os().collect(),
            folder: folder.into(),
            terminal: console.terminal,
            screen: console.screen,
        };
        let wants_input = request.arguments.iter().any(|argument| argument == "-");
        let code = socket::relay(stream, &request, wants_input)?;
        let may_be_older = match args.command {
            Command::Ingest(_) => code != 0,
            // What it does not release it says nothing wrong about.
            Command::Replay(_) => true,
            _ => false,
        };
        if may_be_older {
            source::compare_with_server(config, console)?;
        }
        if matches!(args.command, Command::Rule(RuleCommand::Reload)) {
            served_rules::compare_folders(config, console)?;
        }
        return Ok(code);
    }
    let instance = match Instance::open(config) {
        Err(error) => {
            let Command::Rebuild(wanted) = args.command else {
                return Err(error);
            };
            rebuild::make_openable(config, error, wanted, console)?;
            Instance::open(config)?
        }
        Ok(opened) => opened,
    };
    say_rules_replaced(&instance, console)?;
    say_rule_mistakes(&args.command, &instance, console)?;
    let result = on_instance(&args.command, &instance, &folder, console);
    instance.close()?;
    Ok(exit_code(result?))
}

/// A command without a server is a start: it takes up what changed in the folders of rules.
fn say_rules_replaced(instance: &Instance, console: &mut Console) -> anyhow::Result<()> {
    let in_force = instance.app.in_force();
    let since = in_force.since.as_ref().filter(|_| instance.rules_replaced);
    if let Some(since) = since {
        console.say(format_args!(
            "your own rules changed since they were last read: what their folders hold now is in force, from \
             entry {} of the log on (drafts belong elsewhere)",
            since.sequence
        ))?;
    }
    Ok(())
}

/// Mistakes in rules and unsafe sequences: all of them to who works on rules, else that there are some.
fn say_rule_mistakes(
    command: &Command,
    instance: &Instance,
    console: &mut Console,
) -> anyhow::Result<()> {
    // These tell of them by themselves.
    if matches!(
        command,
        Command::Doctor | Command::Rule(RuleCommand::Reload)
    ) {
        return Ok(());
    }
    if matches!(command, Command::Rule(_)) {
        instance.log_rule_mistakes();
        return Ok(());
    }
    let in_force = instance.app.in_force();
    let left_out = in_force.rules_left_out.len() + in_force.sequences_left_out.len();
    if left_out > 0 {
        let mistakes = counted(left_out, "mistake");
        console.say(format_args!(
            "{mistakes} in rules and unsafe sequences of your own, which are left out; \
             `deedtrail config check` lists them"
        ))?;
    }
    Ok(())
}

fn rule_on_data(context: &mut Context<'_>, command: &RuleCommand) -> anyhow::Result<Ended> {
    match command {
        RuleCommand::Backtest(wanted) => backtest::run(context, wanted),
        RuleCommand::Except(wanted) => exception::except(context, wanted),
        RuleCommand::Exceptions {
            held: Some(number), ..
        } => exception::held(context, *number),
        RuleCommand::Exceptions { rule, .. } => exception::list(context, rule.as_deref()),
        RuleCommand::Reload => reload::run(context),
        RuleCommand::EndException { number } => exception::end(context, *number),
        RuleCommand::Coverage(wanted) => coverage::run(context, wanted),
        RuleCommand::Scorecard { tune } => scorecard::run(context, *tune),
        RuleCommand::List => served_rules::tell(context),
        RuleCommand::Test { .. } | RuleCommand::Try { .. } | RuleCommand::Explain { .. } => {
            anyhow::bail!("this command does not run on a server")
        }
    }
}

/// The server's side of the socket.
pub(crate) fn answer(instance: &Instance, request: &Request, console: &mut Console) -> u8 {
    let result = match Args::try_parse_from(&request.arguments) {
        Ok(args) => {
            console.json = args.json;
            let folder = Path::new(&request.folder);
            on_instance(&args.command, instance, folder, console).map(exit_code)
        }
        Err(error) => Err(error.into()),
    };
    finish(&result, console)
}

/// Whoever reads what was derived is told that some of it may be missing.
fn say_passed_over(
    command: &Command,
    instance: &Instance,
    console: &mut Console,
) -> anyhow::Result<()> {
    let is_reading = matches!(
        command,
        Command::Identity(_)
            | Command::Timeline(_)
            | Command::Finding(_)
            | Command::Query(_)
            | Command::Behaviour(_)
            | Command::Session(_)
            | Command::Entitlement(_)
            | Command::Evidence(
                EvidenceCommand::Export { .. } | EvidenceCommand::Completeness { .. }
            )
    );
    if !is_reading {
        return Ok(());
    }
    let entries = instance.app.passed_over_entries()?;
    if entries > 0 {
        console.say(format_args!(
            "entries of the log that were damaged when they were derived: {entries}. What rests on them may \
             be missing here; `deedtrail doctor` says what to do"
        ))?;
    }
    Ok(())
}

fn on_instance(
    command: &Command,
    instance: &Instance,
    folder: &Path,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    // What is in the log when a command starts is what the command answers from. A rebuild derives all of it
    // anyway, and joins one that goes on; the others must also answer when processing does not.
    if !matches!(
        command,
        Command::Doctor
            | Command::Backup { .. }
            | Command::Evidence(EvidenceCommand::Check)
            | Command::Rebuild(_)
            | Command::Rule(RuleCommand::List)
    ) {
        if let Some(says) = instance.derives()? {
            console.say(says)?;
        }
        instance.settle()?;
        say_passed_over(command, instance, console)?;
    }
    let mut context = Context {
        instance,
        console,
        folder,
        principal: Principal::local(),
    };
    match command {
        Command::Doctor => doctor::run(&mut context),
        Command::Ingest(ingest) => ingest::run(&mut context, ingest),
        Command::Identity(command) => identity::run(&mut context, command),
        Command::Timeline(timeline) => timeline::run(&mut context, timeline),
        Command::Finding(command) => finding::run(&mut context, command),
        Command::Query(query) => query::run(&mut context, query),
        Command::Evidence(command) => evidence::run(&mut context, command),
        Command::Behaviour(command) => behaviour::run(&mut context, command),
        Command::Baseline(command) => baseline::run(&mut context, command),
        Command::Session(command) => session::run(&mut context, command),
        Command::Entitlement(command) => entitlement::run(&mut context, command),
        Command::Charter(command) => charter::run(&mut context, command),
        Command::Quarantine(command) => quarantine::run(&mut context, command),
        Command::Replay(replay) => rebuild::replay(&mut context, replay),
        Command::Rebuild(wanted) => rebuild::run(&mut context, *wanted),
        Command::Backup { folder } => backup::run(&mut context, folder),
        Command::Rule(command) => rule_on_data(&mut context, command),
        Command::SignIn(sign_in) => sign_in::run(&mut context, sign_in),
        Command::Token(command) => token::run(&mut context, command),
        Command::Source(SourceCommand::List) => {
            source::list(&instance.app.ports.mapper.sources(), context.console)
        }
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Init
        | Command::Config(_)
        | Command::Source(_)
        | Command::Completions { .. }
        | Command::Man { .. } => anyhow::bail!("this command does not run on a server"),
    }
}
