//! `backup`: a copy of what cannot be derived, also while the server runs.

mod named;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deedtrail_evidence::Copied;
use serde_json::json;

use self::named::Named;
use super::{Context, Ended};
use crate::config::FILE_NAME;
use crate::instance::{STORE_FILE, VERSION_FILE, make_private};
use crate::timestamps;

pub(super) fn run(context: &mut Context<'_>, folder: &Path) -> anyhow::Result<Ended> {
    let target = context.path(folder);
    anyhow::ensure!(
        !target.try_exists()?,
        "{} is there already; name a folder that is not",
        target.display()
    );
    let parent = target.parent().context("name a folder to make")?;
    let parent = parent
        .canonicalize()
        .with_context(|| format!("{}: make this folder first", parent.display()))?;
    anyhow::ensure!(
        !parent.starts_with(context.instance.config.data.canonicalize()?),
        "{} is inside the data folder; name one outside of it",
        target.display()
    );
    let named = Named::of(&context.instance.config)?;
    let unfinished = unfinished(&target)?;
    let shown = target.to_string_lossy();
    context.app().note_backup(&context.principal, &shown)?;
    let copied = copy(context, &named, &unfinished);
    let copied = copied.and_then(|copied| {
        fs::rename(&unfinished, &target)?;
        sync_parent(&target)?;
        Ok(copied)
    });
    let copied = copied.with_context(|| {
        format!(
            "no backup was made; remove {} before you try again",
            unfinished.display()
        )
    })?;
    if context.console.json {
        context.console.object(&json!({
            "id": target.to_string_lossy(),
            "entries": copied.entries,
            "bytes": copied.bytes,
            "left_out": named.left_out.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    } else {
        context.console.line(format_args!(
            "{}: {} log entries, identities, findings, tokens, decisions and keys",
            target.display(),
            copied.entries
        ))?;
    }
    for left_out in &named.left_out {
        context.console.say(left_out)?;
    }
    context.console.say(
        "keep it as you keep the keys in it; to restore, put it in place of the data folder and \
         say `deedtrail evidence adopt`",
    )?;
    Ok(Ended::Done)
}

/// Makes the folder of a backup that is not whole yet, so that half of one is never taken for it.
fn unfinished(target: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut name = target
        .file_name()
        .context("name a folder to make")?
        .to_owned();
    name.push(".unfinished");
    let unfinished = target.with_file_name(name);
    let made = fs::DirBuilder::new().mode(0o700).create(&unfinished);
    made.with_context(|| {
        format!(
            "{}: cannot be made; where it is there, a backup goes on or did not end: remove it then",
            unfinished.display()
        )
    })?;
    Ok(unfinished)
}

fn copy(context: &Context<'_>, named: &Named, folder: &Path) -> anyhow::Result<Copied> {
    let data = &context.instance.config.data;
    // The store says how far the log was processed: it goes first, the log is never behind it.
    context.instance.store.copy_to(&folder.join(STORE_FILE))?;
    copy_files((&data.join("keys"), ""), &folder.join("keys"))?;
    let witnessed = Path::new("state").join("witnessed");
    if data.join(&witnessed).try_exists()? {
        let from = data.join(&witnessed);
        copy_files((&from, ".checkpoint"), &folder.join(&witnessed))?;
    }
    let stamps = timestamps::folder(data);
    if stamps.try_exists()? {
        let to = timestamps::folder(folder);
        for entry in fs::read_dir(&stamps)? {
            let entry = entry?;
            copy_files((&entry.path(), ".json"), &to.join(entry.file_name()))?;
        }
    }
    for name in [VERSION_FILE, FILE_NAME] {
        let (from, to) = (data.join(name), folder.join(name));
        if from.try_exists()? {
            copy_file(&from, &to)?;
        }
    }
    let copied = context.instance.log.copy_to(&folder.join("log"))?;
    named.copy_to(folder)?;
    File::open(folder)?.sync_all()?;
    Ok(copied)
}

/// Copies the files of a folder whose names end so, with who may read them.
fn copy_files((from, ending): (&Path, &str), to: &Path) -> io::Result<()> {
    make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let is_wanted = entry.file_name().to_string_lossy().ends_with(ending);
        if is_wanted && entry.file_type()?.is_file() {
            copy_file(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    File::open(to)?.sync_all()
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
