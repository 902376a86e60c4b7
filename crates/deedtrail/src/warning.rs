//! What the configuration says that is allowed and probably not meant.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_core::time::Timestamp;

use crate::config::Config;
use crate::instance::{known_source, registry};
use crate::tls;

/// Most files of a folder that are tried.
const FILES_MAX: usize = 100;
/// Days before its end at which a certificate is told of.
const CERTIFICATE_DAYS_MIN: i64 = 14;

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// As in the file: `folders.vault.files`.
    pub(crate) setting: String,
    /// What is seen, and what to do.
    pub(crate) text: String,
}

/// All warnings, for somebody who asks on this machine now.
pub(crate) fn warnings(config: &Config, now: Timestamp) -> Vec<Warning> {
    let one = |setting: String, text: Option<String>| {
        Some(Warning {
            setting,
            text: text?,
        })
    };
    let listen = one("listen".to_owned(), plain(config));
    let checkpoints = one("checkpoints".to_owned(), rolled_back(config));
    let certificate = one("tls.certificate_file".to_owned(), ends_soon(config, now));
    let secrets = config.secret_files().into_iter();
    let secrets = secrets.filter_map(|(setting, path)| one(setting, open_to_others(&path)));
    let folders = config.folders.iter().flat_map(|(name, folder)| {
        let setting = format!("folders.{name}.files");
        let patterns = folder.files.iter();
        patterns.filter_map(move |pattern| one(setting.clone(), without_files(pattern)))
    });
    let alone = [listen, checkpoints, certificate].into_iter().flatten();
    let retention = unknown_sources(config).into_iter();
    alone
        .chain(secrets)
        .chain(folders)
        .chain(retention)
        .collect()
}

/// Names below `retention.sources` that no source has. They are in force all the same: events of
/// a source that is no longer installed are of that name.
fn unknown_sources(config: &Config) -> Vec<Warning> {
    let names = &config.retention.sources;
    if names.is_empty() {
        return Vec::new();
    }
    let Ok(registry) = registry(config) else {
        // The start stops with that.
        return Vec::new();
    };
    let known = || registry.sources().into_iter().map(|source| source.name);
    let warning = |name: &String| {
        let error = known_source(name, known()).err()?;
        Some(Warning {
            setting: format!("retention.sources.\"{name}\""),
            text: format!("{error}; it is in force for events of that name alone"),
        })
    };
    names.keys().filter_map(warning).collect()
}

fn plain(config: &Config) -> Option<String> {
    let public = config.public_url.as_deref().unwrap_or_default();
    let is_well =
        config.listen.ip().is_loopback() || config.tls.is_some() || public.starts_with("https://");
    (!is_well).then(|| {
        format!(
            "{} is reached from elsewhere, and HTTP is plain: tokens and sign-in links can be read \
             on the way. Set `[tls]`; or let a TLS proxy stand before it and set `public_url = \
             \"https://HOST\"`; or listen on 127.0.0.1:{}",
            config.listen,
            config.listen.port()
        )
    })
}

fn rolled_back(config: &Config) -> Option<String> {
    config.checkpoints.starts_with(&config.data).then(|| {
        "it is inside `data`: a rolled-back data folder would not be noticed; name a folder \
         elsewhere"
            .to_owned()
    })
}

fn ends_soon(config: &Config, now: Timestamp) -> Option<String> {
    let ends = tls::ends(config.tls.as_ref()?)?;
    let left = ends.micros_since(now);
    if left >= CERTIFICATE_DAYS_MIN * Timestamp::DAY_US {
        return None;
    }
    let what = if left < 0 { "ended" } else { "ends" };
    Some(format!(
        "the certificate {what} at {ends}: put a new one there, it is read within seconds"
    ))
}

fn open_to_others(path: &Path) -> Option<String> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o007 != 0).then(|| {
        let path = path.display();
        format!("anybody on this machine can read {path} (mode {mode:03o}): chmod 600 {path}")
    })
}

/// Why a pattern of `folders` gives nothing, if it does.
fn without_files(pattern: &Path) -> Option<String> {
    let folder = written_out(pattern);
    let refused = |path: &Path| {
        format!(
            "{} may not be read: let the user that runs the server read it, or mend `files`",
            path.display()
        )
    };
    match std::fs::read_dir(&folder).map_err(|error| error.kind()) {
        Err(ErrorKind::NotFound) => {
            return Some(format!(
                "there is no folder {}: make it, or mend `files`",
                folder.display()
            ));
        }
        Err(ErrorKind::PermissionDenied) => return Some(refused(&folder)),
        _ => {}
    }
    let mut tried = 0;
    for found in glob::glob(&pattern.to_string_lossy()).ok()?.take(FILES_MAX) {
        let denied = match &found {
            // A pipe would be waited for.
            Ok(path) if !path.is_file() => continue,
            Ok(path) => File::open(path)
                .err()
                .map(|error| (path.as_path(), error.kind())),
            Err(error) => Some((error.path(), error.error().kind())),
        };
        if let Some((path, ErrorKind::PermissionDenied)) = denied {
            return Some(refused(path));
        }
        tried += 1;
    }
    (tried == 0).then(|| {
        let pattern = pattern.display();
        format!("no file matches {pattern} so far: mend `files`, unless the first is yet to come")
    })
}

/// The folder that a pattern names without any sign that stands for others.
fn written_out(pattern: &Path) -> PathBuf {
    let parent = pattern.parent().unwrap_or(pattern);
    let is_plain = |part: &std::path::Component<'_>| {
        !part.as_os_str().to_string_lossy().contains(['*', '?', '['])
    };
    parent.components().take_while(is_plain).collect()
}
