//! What `check` says of a `PostgreSQL` server: what it promises, its copies, the months of the history.

use super::{App, Finding};
use crate::store::{ServerTrouble, Standbys};

const MONTHS: &str = "Months of the history";

impl App {
    /// What is only so on `PostgreSQL`: what the server promises, its copies, the months of the history.
    pub(super) async fn server_findings(&self) -> Vec<Finding> {
        let store = self.store();
        let troubles = store.server_troubles().into_iter();
        let mut findings: Vec<_> = troubles.map(trouble_finding).collect();
        findings.extend(match store.platform().standbys().await {
            Ok(standbys) => standby_finding(standbys),
            Err(error) => {
                let says = format!("The state of replication cannot be read: {error}.");
                Some(Finding::bad(
                    "Replication",
                    says,
                    "See the log of the server.",
                ))
            }
        });
        findings.extend(match store.missing_months(self.now()).await {
            Ok(missing) => months_finding(&missing),
            Err(error) => {
                let says = format!("The months of the history cannot be read: {error}.");
                Some(Finding::bad(MONTHS, says, "Run `migrate`."))
            }
        });
        findings
    }
}

fn trouble_finding(trouble: ServerTrouble) -> Finding {
    let says = format!("{}.", capitalised(&trouble.to_string()));
    let advice = format!("{}.", capitalised(trouble.advice()));
    Finding::bad("Database server", says, advice)
}

/// Nothing where there is no copy.
fn standby_finding(standbys: Standbys) -> Option<Finding> {
    let subject = "Replication";
    let count = standbys.count;
    if standbys.commits_wait {
        let says = "What is acknowledged is on a standby as well.";
        return Some(Finding::good(subject, says));
    }
    (count > 0).then(|| {
        let who = match count {
            1 => "One standby follows".to_owned(),
            _ => format!("{count} standbys follow"),
        };
        let says = format!("{who}, and no commit waits for any.");
        Finding::good(subject, says).with_advice(
            "A failover loses what was acknowledged in the moments before it, and messages sent then may \
             be sent again. Name a standby in synchronous_standby_names if that must not be.",
        )
    })
}

/// Nothing where none is missing.
fn months_finding(missing: &[(String, &'static str)]) -> Option<Finding> {
    let (_, table) = missing.first()?;
    let months: Vec<_> = missing.iter().map(|(month, _)| month.as_str()).collect();
    let says = format!(
        "There is no partition for {} (of the table {table}, perhaps of others).",
        months.join(", ")
    );
    Some(Finding::bad(
        MONTHS,
        says,
        "Run `migrate` as the role that owns the tables: it makes them, or says why it cannot.",
    ))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use chrono::Datelike as _;

    use super::super::tests::found;
    use super::*;
    use crate::testing::company::TestCompany;

    #[tokio::test]
    async fn a_month_that_cannot_be_made_is_told_before_it_begins() {
        let company = TestCompany::begin().await;
        if company.database.is_file() {
            return;
        }
        let now = company.app.now();
        company.app.store().make_partitions(now).await.unwrap();
        assert!(
            company
                .app
                .report()
                .await
                .iter()
                .all(|f| f.subject != MONTHS)
        );
        // Another table takes the place of the month after the next.
        let month = now.date_naive().with_day(1).unwrap() + chrono::Months::new(2);
        let month = month.format("%Y_%m").to_string();
        let stray = format!("ALTER TABLE receipts_{month} RENAME TO stray");
        company.database.run(&stray).await;
        assert!(company.app.store().make_partitions(now).await.is_err());
        let report = company.app.report().await;
        let months = found(&report, MONTHS);
        assert!(!months.is_good, "{months:?}");
        assert!(months.says.contains(&month.replace('_', "-")), "{months:?}");
        assert!(months.says.contains("receipts"), "{months:?}");
        assert!(months.advice.contains("migrate"), "{months:?}");
    }

    #[test]
    fn copies_that_lag_are_told_and_one_that_commits_wait_for_is_enough() {
        let told = |count, commits_wait| {
            let standbys = Standbys {
                count,
                commits_wait,
            };
            standby_finding(standbys)
        };
        assert_eq!(told(0, false), None);
        let lagging = told(1, false).unwrap();
        assert!(lagging.is_good && lagging.advice.contains("synchronous_standby_names"));
        assert!(
            lagging.says.starts_with("One standby follows"),
            "{lagging:?}"
        );
        assert!(
            told(2, false)
                .unwrap()
                .says
                .starts_with("2 standbys follow")
        );
        assert_eq!(told(2, true).unwrap().advice, "");
    }
}
