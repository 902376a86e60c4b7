//! Data folders that are not what they seem are refused in clear words.

use std::path::Path;

use crate::process::{Tally, say};
use crate::server::Place;

use super::{Client, Template, copy_folder, judge, subfolder};

pub(super) fn run(binary: &Path) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let folder = tempfile::tempdir()?;
    let place = template.place(binary, &subfolder(folder.path(), "place"))?;
    let mut client = Client::new("r");
    let mut tally = Tally::default();
    let mut server = place.start()?;
    client.send(&server, &template.token, (50, "x"));

    // While the server runs: a second process, and a copy of the folder as it is just now.
    tally.add(refused(
        "a second process",
        &place,
        "in use by another process",
    ));
    let backup = subfolder(folder.path(), "backup");
    copy_folder(&place.data(), &backup)?;
    let beside = Place::new(
        binary,
        &subfolder_with(folder.path(), "beside", &backup)?,
        "",
    )?;
    // It knows what was signed: the checkpoint store is the user's, not the folder's.
    std::os::unix::fs::symlink(place.folder().join("state"), beside.folder().join("state"))?;
    tally.add(refused(
        "a copy taken from the running server",
        &beside,
        "evidence adopt",
    ));
    for _ in 0..3 {
        client.send(&server, &template.token, (50, "x"));
    }
    server.stop()?;
    tally.add(refused(
        "a copy beside the stopped server",
        &beside,
        "evidence adopt",
    ));

    // An old backup in the place of the folder.
    let newest = subfolder(folder.path(), "newest");
    std::fs::rename(place.data(), &newest)?;
    copy_folder(&backup, &place.data())?;
    tally.add(refused("an old backup", &place, "evidence adopt"));
    std::fs::remove_dir_all(place.data())?;
    std::fs::rename(&newest, place.data())?;

    // A copy on another machine, which knows of nothing that was signed.
    let elsewhere = Place::new(
        binary,
        &subfolder_with(folder.path(), "elsewhere", &place.data())?,
        "",
    )?;
    tally.add(refused(
        "a copy on another machine",
        &elsewhere,
        "evidence adopt",
    ));

    let complaint = judge(&place, &client.promised)?;
    say(format_args!(
        "copies: the original {}",
        complaint.as_deref().unwrap_or("goes on")
    ));
    tally.add(Tally::one(
        complaint.is_none() && client.promised.len() == 200,
    ));
    Ok(tally)
}

/// A folder with a copy of `data` as its data folder.
fn subfolder_with(parent: &Path, name: &str, data: &Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = subfolder(parent, name);
    std::fs::create_dir(&folder)?;
    copy_folder(data, &folder.join("data"))?;
    Ok(folder)
}

/// The server must not start, and say so in these words.
fn refused(what: &str, place: &Place, words: &str) -> Tally {
    let (is_refused, told) = match place.start() {
        Ok(_) => (false, "it was served".to_owned()),
        Err(error) => {
            let told = error.to_string();
            (told.contains(words), told)
        }
    };
    let last = told.trim().lines().last().unwrap_or_default();
    say(format_args!("copies: {what}: {last}"));
    Tally::one(is_refused)
}
