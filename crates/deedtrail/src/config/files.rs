//! Folders and files that the configuration names.

use std::path::{Path, PathBuf};

use super::Config;

/// Settings of files that hold a secret, in whatever table.
const SECRETS: [&str; 10] = [
    "access_key_id_file",
    "authorization_file",
    "credentials_file",
    "key_file",
    "nkey_file",
    "password_file",
    "secret_access_key_file",
    "secret_file",
    "session_token_file",
    "token_file",
];

impl Config {
    /// Each with its setting; without the patterns of files that are read as input.
    pub(crate) fn files(&self) -> Vec<(String, PathBuf)> {
        let mut copy = self.clone();
        let files = copy.files_mut().into_iter();
        files
            .map(|(setting, path)| (setting, path.clone()))
            .collect()
    }

    /// Those of them that hold a secret.
    pub(crate) fn secret_files(&self) -> Vec<(String, PathBuf)> {
        let mut files = self.files();
        files.retain(|(setting, _)| {
            let name = setting.rsplit('.').next().unwrap_or_default();
            SECRETS.contains(&name)
        });
        files
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Files of which everybody may know what is in them.
    const PUBLIC: [&str; 5] = [
        "ca_file",
        "certificate_file",
        "client_ca_file",
        "jwks_file",
        "signer_ca_file",
    ];

    fn settings(schema: &Value, found: &mut BTreeSet<String>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let names = properties.into_iter().flat_map(|it| it.keys());
        found.extend(names.filter(|name| name.ends_with("_file")).cloned());
        let of_object = schema.as_object().into_iter().flat_map(|it| it.values());
        let of_array = schema.as_array().into_iter().flatten();
        of_object
            .chain(of_array)
            .for_each(|part| settings(part, found));
    }

    #[test]
    fn every_setting_of_a_file_is_a_secret_or_not() {
        let mut found = BTreeSet::new();
        settings(&Config::schema(), &mut found);
        let known = SECRETS.iter().chain(&PUBLIC);
        assert_eq!(found, known.map(|name| (*name).to_owned()).collect());
    }
}
