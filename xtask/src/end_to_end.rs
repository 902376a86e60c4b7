//! Every page of a demo, opened in a real browser.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{Tally, passes, say};

pub(crate) fn run(binary: &Path, screenshots: Option<&Path>) -> anyhow::Result<Tally> {
    if !passes("npm", &["--prefix", "e2e", "ci", "--no-audit", "--no-fund"])? {
        anyhow::bail!("npm could not install what e2e/package-lock.json names");
    }
    let data = tempfile::tempdir()?;
    let mut server = Command::new(binary)
        .arg("--data")
        .arg(data.path().join("data"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("XDG_STATE_HOME", data.path().join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = server.stderr.take().context("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut talk = String::new();
    let link = lines.by_ref().map_while(Result::ok).find_map(|line| {
        talk.push_str(&line);
        talk.push('\n');
        line.split_once("24 h): ")
            .map(|(_, link)| link.trim().to_owned())
    });
    let result = match link {
        Some(link) => {
            std::thread::spawn(move || lines.for_each(drop));
            browse(&link, screenshots)
        }
        None => Err(anyhow::anyhow!("the demo did not start:\n{talk}")),
    };
    server.kill()?;
    server.wait()?;
    result
}

fn browse(link: &str, screenshots: Option<&Path>) -> anyhow::Result<Tally> {
    let base = link.split("/sign-in/").next().unwrap_or_default();
    let mut arguments = vec!["e2e/run.mjs", base, link];
    if let Some(folder) = screenshots {
        arguments.push(folder.to_str().context("the folder is not UTF-8")?);
    }
    let passed = passes("node", &arguments)?;
    say(format_args!(
        "end-to-end: {}",
        if passed {
            "every page is well"
        } else {
            "FAILED"
        }
    ));
    Ok(Tally::one(passed))
}
