//! Folders and files that the configuration names.

use std::path::{Path, PathBuf};

use super::Config;

impl Config {
    /// Each with its setting; without the patterns of files that are read as input.
    pub(crate) fn files(&self) -> Vec<(String, PathBuf)> {
        let mut copy = self.clone();
        let files = copy.files_mut().into_iter();
        files
            .map(|(setting, path)| (setting, path.clone()))
            .collect()
    }

    /// Lets relative paths start at `folder`. An empty one would be the folder itself.
    pub(super) fn anchor(&mut self, folder: &Path) -> anyhow::Result<()> {
        for (setting, path) in self.files_mut() {
            anyhow::ensure!(
                !path.as_os_str().is_empty(),
                "`{setting}` is empty: say a path, or leave the setting out"
            );
            *path = folder.join(&*path);
        }
        self.folders.values_mut().for_each(|one| one.anchor(folder));
        Ok(())
    }

    fn files_mut(&mut self) -> Vec<(String, &mut PathBuf)> {
        let mut files = Files::default();
        files.add("sources", self.sources.as_mut());
        files.add("rules", self.rules.as_mut());
        files.add("sequences", self.sequences.as_mut());
        files.add("targets.inventory", self.targets.inventory.as_mut());
        if let Some(tls) = &mut self.tls {
            files.add("tls.certificate_file", Some(&mut tls.certificate_file));
            files.add("tls.key_file", Some(&mut tls.key_file));
        }
        for (name, one) in &mut self.webhooks {
            files.of(
                ("webhooks", name),
                [("secret_file", Some(&mut one.secret_file))],
            );
        }
        for (name, one) in &mut self.listeners {
            files.of(
                ("listeners", name),
                [("client_ca_file", one.client_ca_file.as_mut())],
            );
        }
        for (name, one) in &mut self.signals {
            files.of(("signals", name), one.files_mut());
        }
        for (name, one) in &mut self.witnesses {
            files.of(("witnesses", name), [("ca_file", one.ca_file.as_mut())]);
        }
        for (name, one) in &mut self.timestamps {
            files.of(("timestamps", name), one.files_mut());
        }
        for (name, one) in &mut self.buckets {
            files.of(("buckets", name), one.files_mut());
        }
        for (name, one) in &mut self.nats {
            files.of(("nats", name), one.files_mut());
        }
        files.0
    }
}

#[derive(Default)]
struct Files<'c>(Vec<(String, &'c mut PathBuf)>);

impl<'c> Files<'c> {
    fn add(&mut self, setting: &str, path: Option<&'c mut PathBuf>) {
        self.0.extend(path.map(|path| (setting.to_owned(), path)));
    }

    /// Those of one entry of a table of the file.
    fn of<const N: usize>(
        &mut self,
        (table, name): (&str, &str),
        settings: [(&str, Option<&'c mut PathBuf>); N],
    ) {
        for (setting, path) in settings {
            self.add(&format!("{table}.{name}.{setting}"), path);
        }
    }
}
