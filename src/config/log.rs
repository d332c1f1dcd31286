//! What is logged, and how it looks.

use super::reader::Reader;

/// How the process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `LOG_FORMAT`: `text` or `json`. Default `text`.
    pub format: LogFormat,
    /// `RUST_LOG`: directives of `tracing-subscriber`. Default `info`, and `warn` for
    /// the libraries of database and web.
    pub filter: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// The libraries tell at `info` what matters to their own developers only.
const DEFAULT_FILTER: &str = "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,actix_server=warn,actix_web=warn,hyper=warn";

impl LogConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let write = "write a level, or levels per module, like info,ml_connector=debug";
        let filter = reader.parsed("RUST_LOG", write, |text| {
            text.parse::<tracing_subscriber::EnvFilter>()
                .map(|_| text.to_owned())
                .map_err(|e| format!("is not a filter ({e})"))
        });
        Self {
            format: reader.one_of(
                "LOG_FORMAT",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                LogFormat::Text,
            ),
            filter: filter.unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};
    use super::*;

    #[test]
    fn logs_are_text_at_info_by_default() {
        let log = parse(&[]).unwrap().log;
        assert_eq!(
            (log.format, log.filter.as_str()),
            (LogFormat::Text, DEFAULT_FILTER)
        );
        assert!(
            DEFAULT_FILTER
                .parse::<tracing_subscriber::EnvFilter>()
                .is_ok()
        );
        let log = parse(&[("LOG_FORMAT", "json"), ("RUST_LOG", "warn,sqlx=debug")])
            .unwrap()
            .log;
        assert_eq!(
            (log.format, log.filter.as_str()),
            (LogFormat::Json, "warn,sqlx=debug")
        );
        assert_eq!(mistake(&[("LOG_FORMAT", "xml")]).variable, "LOG_FORMAT");
        assert_eq!(
            mistake(&[("RUST_LOG", "ml_connector=loud")]).variable,
            "RUST_LOG"
        );
    }
}
