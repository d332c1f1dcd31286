//! The ledger of permissions, as people read it, add to it, and take it elsewhere as CSV.

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::address::Email;
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::domain::page::{Cursor, Page};
use crate::domain::permission::{Basis, Permission};
use crate::domain::phone::{CountryCode, to_e164};
use crate::store::{Attestation, MOST_PERMISSIONS, NewPermission};

/// The longest source, in characters.
const LONGEST_SOURCE: usize = 200;

/// The largest CSV that is taken in, in bytes and in rows.
pub const LARGEST_CSV: usize = 64 * 1024;
pub const MOST_ROWS: usize = 1000;

/// How many bad lines are named.
const MOST_PROBLEMS: usize = 20;

/// What is typed to write a permission down.
#[derive(Debug, Clone, Default)]
pub struct PermissionInput {
    /// `sms` or `email`; where it is empty the address tells.
    pub channel: String,
    pub address: String,
    pub basis: String,
    pub source: String,
}

/// How taking a CSV in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    pub new: u64,
    /// What was there already.
    pub known: u64,
}

impl App {
    /// Permissions, newest first.
    pub async fn permissions(
        &self,
        tenant: TenantId,
        text: &str,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Permission>, AppError> {
        let found = self.tenant(tenant).permissions(text, cursor, limit).await?;
        Ok(found)
    }

    /// What was confirmed when the tenant last went live.
    pub async fn attestation(&self, tenant: TenantId) -> Result<Option<Attestation>, AppError> {
        Ok(self.tenant(tenant).attestation().await?)
    }

    /// Writes one down; the permission, and whether it is new.
    pub async fn add_permission(
        &self,
        tenant: TenantId,
        input: &PermissionInput,
        actor: &Actor,
    ) -> Result<(Permission, bool), AppError> {
        let new = self.country_of(tenant).await.map(|of| read(input, of))?;
        let new = new.map_err(AppError::Invalid)?;
        let added = self.add_all(tenant, vec![new.clone()], actor).await?;
        let kept = self.tenant(tenant);
        let kept = kept.permission_of(new.channel, &new.address, new.basis);
        let kept = kept.await?.ok_or(AppError::NotFound("permission"))?;
        Ok((kept, added > 0))
    }

    /// Takes a CSV in, as [`csv_rows`] writes it: all of it, or nothing where a line is wrong.
    pub async fn import_permissions(
        &self,
        tenant: TenantId,
        text: &str,
        actor: &Actor,
    ) -> Result<Imported, AppError> {
        let country = self.country_of(tenant).await?;
        let new = read_csv(text, country)?;
        let given = new.len() as u64;
        let added = self.add_all(tenant, new, actor).await?;
        Ok(Imported {
            new: added,
            known: given - added.min(given),
        })
    }

    async fn add_all(
        &self,
        tenant: TenantId,
        new: Vec<NewPermission>,
        actor: &Actor,
    ) -> Result<u64, AppError> {
        let store = self.tenant(tenant);
        let added = store.add_permissions(new, actor.clone(), self.now());
        added.await?.ok_or_else(|| {
            let message = format!(
                "there are {MOST_PERMISSIONS} permissions, as many as a company may write down"
            );
            AppError::field("address", message)
        })
    }

    async fn country_of(&self, tenant: TenantId) -> Result<Option<CountryCode>, AppError> {
        let row = self.tenant(tenant).tenant().await?;
        let row = row.ok_or(AppError::NotFound("tenant"))?;
        Ok(CountryCode::parse(&row.country).ok())
    }
}

/// Reads what was typed.
fn read(
    input: &PermissionInput,
    country: Option<CountryCode>,
) -> Result<NewPermission, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let typed = input.address.trim();
    let channel = match input.channel.trim() {
        "" if typed.contains('@') => Some(Channel::Email),
        "" => Some(Channel::Sms),
        named => Channel::parse(named),
    };
    if channel.is_none() {
        problems.push(FieldProblem::new("channel", "choose sms or email"));
    }
    let address = match channel {
        Some(Channel::Email) => Email::parse(typed)
            .map(|email| email.as_str().to_owned())
            .map_err(|e| format!("this address {e}")),
        _ => to_e164(typed, country)
            .map(|number| number.to_string())
            .map_err(|e| format!("this number {e}")),
    };
    let address = address.map_err(|e| problems.push(FieldProblem::new("address", e)));
    let basis = Basis::parse(input.basis.trim());
    if basis.is_none() {
        problems.push(FieldProblem::new(
            "basis",
            "choose given, contract or asked",
        ));
    }
    let source: String = input.source.chars().filter(|c| !c.is_control()).collect();
    let source = source.trim().to_owned();
    if source.is_empty() {
        let message = "say where you have it from, in a few words";
        problems.push(FieldProblem::new("source", message));
    } else if source.chars().count() > LONGEST_SOURCE {
        let message = format!("say it in at most {LONGEST_SOURCE} characters");
        problems.push(FieldProblem::new("source", message));
    }
    match (channel, address, basis) {
        (Some(channel), Ok(address), Some(basis)) if problems.is_empty() => Ok(NewPermission {
            channel,
            address,
            basis,
            source,
        }),
        _ => Err(problems),
    }
}

/// The columns of the CSV.
const COLUMNS: [&str; 6] = ["channel", "address", "basis", "source", "by", "at"];

fn refused(message: impl Into<String>) -> AppError {
    AppError::field("csv", message.into())
}

fn read_csv(text: &str, country: Option<CountryCode>) -> Result<Vec<NewPermission>, AppError> {
    if text.len() > LARGEST_CSV {
        return Err(refused("at most 64 KB at a time; take it in parts"));
    }
    // What programs for tables put before the first letter.
    let text = text.trim_start_matches('\u{feff}');
    let mut rows = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = rows.headers().map_err(|e| refused(e.to_string()))?.clone();
    let place = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let [channel, address, basis, source] = ["channel", "address", "basis", "source"].map(place);
    if address.is_none() || basis.is_none() || source.is_none() {
        let first = "the first line names the columns: channel, address, basis, source";
        return Err(refused(first));
    }
    let (mut new, mut problems) = (Vec::new(), Vec::new());
    for (number, row) in rows.records().enumerate() {
        if number == MOST_ROWS {
            let message = format!("at most {MOST_ROWS} lines at a time; take it in parts");
            return Err(refused(message));
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                problems.push(FieldProblem::new("csv", error.to_string()));
                break;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |at: Option<usize>| {
            let cell = at.and_then(|at| row.get(at)).unwrap_or_default();
            // As `cell` below writes what a table would take for a formula.
            cell.strip_prefix('\'').unwrap_or(cell).to_owned()
        };
        let input = PermissionInput {
            channel: cell(channel).to_lowercase(),
            address: cell(address),
            basis: cell(basis).to_lowercase(),
            source: cell(source),
        };
        match read(&input, country) {
            Ok(permission) => new.push(permission),
            Err(all) => problems.extend(all.into_iter().map(|p| {
                let message = format!("line {line}, {}: {}", p.field, p.message);
                FieldProblem::new("csv", message)
            })),
        }
        if problems.len() >= MOST_PROBLEMS {
            break;
        }
    }
    if !problems.is_empty() {
        return Err(AppError::Invalid(problems));
    }
    if new.is_empty() {
        return Err(refused("there is no line below the first"));
    }
    Ok(new)
}

/// The first line of the CSV that is given out.
pub fn csv_header() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// Lines of the CSV; nothing in it is a formula to a program for tables.
pub fn csv_rows(of: &[Permission]) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for p in of {
        let at = p.created_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let row = [
            p.channel.as_str(),
            p.address.as_deref().unwrap_or_default(),
            p.basis.as_str(),
            &p.source,
            &p.created_by,
            &at,
        ];
        // A vector takes whatever is written.
        let _ = out.write_record(row.map(harmless));
    }
    out.into_inner().unwrap_or_default()
}

/// A cell that no program takes for a formula.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::PermissionId;

    fn written(address: &str, source: &str) -> String {
        let permission = Permission {
            id: PermissionId::nil(),
            channel: Channel::Sms,
            address: Some(address.to_owned()),
            basis: Basis::Asked,
            source: source.to_owned(),
            created_by: "=cmd|' /C calc'!A0".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
        };
        csv_header() + &String::from_utf8(csv_rows(&[permission])).unwrap()
    }

    #[test]
    fn what_is_given_out_is_taken_in_again_and_holds_no_formula() {
        let text = written("+12025550187", "+1, \"quoted\"");
        assert!(
            text.contains(",'+12025550187,asked,\"'+1, \"\"quoted\"\"\",'=cmd"),
            "{text}"
        );
        let read = read_csv(&text, None).unwrap();
        assert_eq!(read[0].address, "+12025550187");
        assert_eq!(read[0].source, "+1, \"quoted\"");
        assert_eq!(read[0].basis, Basis::Asked);
    }

    #[test]
    fn each_bad_line_is_named() {
        let text = "Address,Basis,Source\nann@example.com,given,Form\n+1202,given,Form\n\
                    ben@example.com,perhaps,\n";
        let Err(AppError::Invalid(problems)) = read_csv(text, None) else {
            panic!("taken");
        };
        let said: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert!(
            said[0].starts_with("line 3, address: this number"),
            "{said:?}"
        );
        assert_eq!(said[1], "line 4, basis: choose given, contract or asked");
        assert_eq!(said.len(), 3);
        for (text, why) in [
            ("", "the first line"),
            ("address,basis,source\n", "no line below"),
            (&"address,basis,source\n".repeat(4000), "64 KB"),
        ] {
            let Err(AppError::Invalid(problems)) = read_csv(text, None) else {
                panic!("taken");
            };
            assert!(problems[0].message.contains(why), "{problems:?}");
        }
        let many = "address,basis,source\n".to_owned() + &"a@b.example,given,x\n".repeat(1001);
        assert!(read_csv(&many, None).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader_and_no_cell_begins_a_formula(text in ".{0,200}") {
            let _ = read_csv(&format!("address,basis,source\n{text}"), None);
            let row = String::from_utf8(csv_rows(&[Permission {
                id: PermissionId::nil(),
                channel: Channel::Email,
                address: None,
                basis: Basis::Given,
                source: text.clone(),
                created_by: text,
                created_at: DateTime::UNIX_EPOCH,
            }])).unwrap();
            for record in csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes()).records() {
                for cell in &record.unwrap() {
                    prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
                }
            }
        }
    }
}
