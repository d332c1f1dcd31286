//! The queue: in the process, or in Redis.

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;

/// Where jobs wait.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// `REDIS_URL`: `redis://…` or `rediss://…` (TLS). Default: the queue is in the process.
    pub redis_url: Option<SecretString>,
    /// `REDIS_NAMESPACE`: tells installations on one Redis apart whose databases are copies of each
    /// other block by block. Default: none, which does for all others.
    pub redis_namespace: Option<String>,
}

impl QueueConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let write = "write redis://:password@host:6379, or leave it out to queue in the process";
        let redis_url = reader.parsed("REDIS_URL", write, |text| {
            let url = Url::parse(text).map_err(|e| format!("is not an address ({e})"))?;
            if !matches!(url.scheme(), "redis" | "rediss") || !url.has_host() {
                return Err("begins neither with redis:// nor with rediss://".to_owned());
            }
            Ok(SecretString::from(text))
        });
        let write = "write a name of letters, digits, - and _, such as staging";
        let redis_namespace = reader.parsed("REDIS_NAMESPACE", write, |text| {
            let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
            if text.len() > 64 || !text.chars().all(is_plain) {
                return Err("is no plain name of at most 64 letters".to_owned());
            }
            Ok(text.to_owned())
        });
        Self {
            redis_url,
            redis_namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::tests::{mistake, parse};

    #[test]
    fn without_redis_the_queue_is_in_the_process() {
        assert!(parse(&[]).unwrap().queue.redis_url.is_none());
        let config = parse(&[("REDIS_URL", "rediss://:hush@cache:6379/1")]).unwrap();
        let url = config.queue.redis_url.unwrap();
        assert_eq!(url.expose_secret(), "rediss://:hush@cache:6379/1");
        assert_eq!(
            mistake(&[("REDIS_URL", "cache:6379")]).variable,
            "REDIS_URL"
        );
    }

    #[test]
    fn a_name_space_is_a_plain_name() {
        let named = |name| parse(&[("REDIS_NAMESPACE", name)]).unwrap().queue;
        assert_eq!(named("staging").redis_namespace.as_deref(), Some("staging"));
        let braces = mistake(&[("REDIS_NAMESPACE", "{q0}")]);
        assert_eq!(braces.variable, "REDIS_NAMESPACE");
    }
}
