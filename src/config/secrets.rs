//! Where the master key comes from. The key itself is read and judged by `crypto`.

use std::path::PathBuf;

use secrecy::SecretString;

use super::reader::Reader;

/// Where the master key is kept.
#[derive(Debug, Clone)]
pub struct SecretsConfig {
    /// `MASTER_KEY` or `MASTER_KEY_FILE`. Default: the file `<database>.key`, which is made at the
    /// first start on SQLite.
    pub master_key: MasterKeyConfig,
}

/// Which variable was set.
#[derive(Debug, Clone)]
pub enum MasterKeyConfig {
    /// Neither.
    Unset,
    /// `MASTER_KEY`: 32 bytes as base64; while a key is changed, two apart by a comma, the new one first.
    Inline(SecretString),
    /// `MASTER_KEY_FILE`: a file that holds the same, each on a line.
    File(PathBuf),
}

impl SecretsConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let master_key = match (reader.secret("MASTER_KEY"), reader.text("MASTER_KEY_FILE")) {
            (None, None) => MasterKeyConfig::Unset,
            (Some(key), None) => MasterKeyConfig::Inline(key),
            (None, Some(path)) => MasterKeyConfig::File(PathBuf::from(path)),
            (Some(_), Some(_)) => {
                reader.wrong(
                    "MASTER_KEY_FILE",
                    "is set together with MASTER_KEY",
                    "set one of the two",
                );
                MasterKeyConfig::Unset
            }
        };
        Self { master_key }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};
    use super::*;

    #[test]
    fn the_key_has_one_place() {
        let key = |set: &[(&str, &str)]| parse(set).unwrap().secrets.master_key;
        assert!(matches!(key(&[]), MasterKeyConfig::Unset));
        assert!(matches!(
            key(&[("MASTER_KEY", "x")]),
            MasterKeyConfig::Inline(_)
        ));
        let file = key(&[("MASTER_KEY_FILE", "/run/key")]);
        assert!(matches!(file, MasterKeyConfig::File(path) if path.ends_with("key")));
        let both = mistake(&[("MASTER_KEY", "x"), ("MASTER_KEY_FILE", "/run/key")]);
        assert_eq!(both.variable, "MASTER_KEY_FILE");
    }
}
