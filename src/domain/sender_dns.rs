//! The DNS records by which mail of a domain is believed, and how they stand.
//!
//! Which ones a provider wants it says itself. That none is found proves nothing against a sender: the
//! provider may have been shown the domain in another way, and it alone decides.

/// What a provider wants to find in the DNS of a domain that it sends for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsNeeds {
    /// Below which names its own records stand, such as `mail.example`.
    pub under: &'static str,
    /// What the names of signing keys begin with: `s1` makes `s1._domainkey.acme.example`.
    pub selectors: &'static [&'static str],
    /// What the name begins with at which it takes back what could not be delivered; digits follow that are
    /// other ones for each domain.
    pub returns: &'static str,
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(const_into_str)]
pub enum RecordKind {
    #[strum(serialize = "CNAME")]
    Cname,
    #[strum(serialize = "TXT")]
    Txt,
}

impl RecordKind {
    /// As DNS calls it.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub kind: RecordKind,
    pub name: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Found(Vec<String>),
    None,
    /// No name server could be asked, or none answered in time.
    Unasked,
}

/// How a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsState {
    /// Nobody has looked yet.
    NotLooked,
    /// It is there, with what it says.
    Found(String),
    /// Something else is there.
    Other(String),
    Missing,
    Unasked,
}

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Where the provider's key stands, with which it signs.
    Key,
    /// Where it takes mail back.
    Returns,
    /// What receivers shall do with mail that is not signed.
    Policy,
    /// Who may send; the record for what comes back says so as well.
    Senders,
}

/// A record that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    pub purpose: Purpose,
    pub kind: RecordKind,
    pub name: String,
    /// What it should say, for people.
    pub expected: String,
    pub state: DnsState,
}

/// Digits of the name for returns, at most.
const MOST_DIGITS: usize = 12;

/// The records of a domain, each with the questions that tell how it stands: a policy may also stand with a
/// parent of the domain. The name for returns bears digits that only the provider's page tells.
pub fn records(domain: &str, needs: &DnsNeeds, digits: &str) -> Vec<(DnsRecord, Vec<Question>)> {
    let record = |purpose, kind, name: String, expected: String| {
        let question = Question {
            kind,
            name: name.clone(),
        };
        let record = DnsRecord {
            purpose,
            kind,
            name,
            expected,
            state: DnsState::NotLooked,
        };
        (record, vec![question])
    };
    let under = needs.under;
    let mut all = Vec::new();
    let is_known =
        (1..=MOST_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let returns = if is_known { digits } else { "…" };
    let name = format!("{}{returns}.{domain}", needs.returns);
    let mut back = record(
        Purpose::Returns,
        RecordKind::Cname,
        name,
        format!("a name below {under}"),
    );
    if !is_known {
        back.1.clear();
    }
    all.push(back);
    for selector in needs.selectors {
        all.push(record(
            Purpose::Key,
            RecordKind::Cname,
            format!("{selector}._domainkey.{domain}"),
            format!("a name below {under}"),
        ));
    }
    let (policy, mut questions) = record(
        Purpose::Policy,
        RecordKind::Txt,
        format!("_dmarc.{domain}"),
        "v=DMARC1; p=none, or stricter".to_owned(),
    );
    questions.extend(parents(domain).map(|parent| Question {
        kind: RecordKind::Txt,
        name: format!("_dmarc.{parent}"),
    }));
    all.push((policy, questions));
    all.push(record(
        Purpose::Senders,
        RecordKind::Txt,
        domain.to_owned(),
        "v=spf1 … (the first record stands for it)".to_owned(),
    ));
    all
}

/// `b.example` of `a.b.example`; no name of a single label, and three at most.
fn parents(domain: &str) -> impl Iterator<Item = &str> {
    let rests = domain.match_indices('.').map(|(at, _)| &domain[at + 1..]);
    rests.filter(|rest| rest.contains('.')).take(3)
}

/// How a record stands, by the answers to its questions.
pub fn judge(record: &DnsRecord, needs: &DnsNeeds, answers: &[Answer]) -> DnsState {
    let is_meant = |text: &str| match record.purpose {
        Purpose::Key | Purpose::Returns => text
            .strip_suffix(needs.under)
            .is_some_and(|rest| rest.ends_with('.')),
        Purpose::Policy => begins(text, "v=DMARC1"),
        Purpose::Senders => begins(text, "v=spf1"),
    };
    let mut found = answers.iter().flat_map(|answer| match answer {
        Answer::Found(records) => records.as_slice(),
        Answer::None | Answer::Unasked => &[],
    });
    if let Some(text) = found.clone().find(|text| is_meant(text)) {
        return DnsState::Found(text.clone());
    }
    if answers.is_empty() {
        return DnsState::NotLooked;
    }
    if answers.contains(&Answer::Unasked) {
        return DnsState::Unasked;
    }
    match (record.kind, found.next()) {
        // Other texts of a domain have nothing to do with it.
        (RecordKind::Txt, _) | (_, None) => DnsState::Missing,
        (RecordKind::Cname, Some(other)) => DnsState::Other(other.clone()),
    }
}

fn begins(text: &str, word: &str) -> bool {
    let text = text.trim_start();
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: DnsNeeds = DnsNeeds {
        under: "mail.example",
        selectors: &["s1", "s2"],
        returns: "em",
    };

    fn found(text: &str) -> Answer {
        Answer::Found(vec![text.to_owned()])
    }

    #[test]
    fn the_records_of_a_domain_are_named_as_the_provider_wants_them() {
        let all = records("mail.acme.example", &NEEDS, "1234");
        let names: Vec<_> = all.iter().map(|(r, _)| r.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "em1234.mail.acme.example",
                "s1._domainkey.mail.acme.example",
                "s2._domainkey.mail.acme.example",
                "_dmarc.mail.acme.example",
                "mail.acme.example",
            ]
        );
        let asked: Vec<_> = all[3].1.iter().map(|q| q.name.as_str()).collect();
        assert_eq!(asked, ["_dmarc.mail.acme.example", "_dmarc.acme.example"]);
        for unknown in ["", "12a", "1234567890123"] {
            let all = records("acme.example", &NEEDS, unknown);
            assert!(
                all[0].1.is_empty(),
                "nothing to be asked without its digits"
            );
            assert_eq!(all[0].0.name, "em….acme.example");
        }
    }

    #[test]
    fn a_record_stands_as_its_answers_say() {
        let all = records("mail.acme.example", &NEEDS, "1");
        let [(back, _), (key, _), _, (policy, _), (spf, _)] = &all[..] else {
            panic!("{all:?}");
        };
        let good = "s1.domainkey.u1.wl1.mail.example";
        let state = |record, answers: &[Answer]| judge(record, &NEEDS, answers);
        assert_eq!(state(key, &[found(good)]), DnsState::Found(good.to_owned()));
        for other in ["evilmail.example", "s1.mail.example.evil.example"] {
            assert_eq!(
                state(key, &[found(other)]),
                DnsState::Other(other.to_owned())
            );
        }
        assert_eq!(state(key, &[Answer::None]), DnsState::Missing);
        assert_eq!(state(key, &[Answer::Unasked]), DnsState::Unasked);
        assert_eq!(state(back, &[]), DnsState::NotLooked);
        let dmarc = "v=dmarc1; p=reject";
        let of_parent = [Answer::None, found(dmarc)];
        assert_eq!(state(policy, &of_parent), DnsState::Found(dmarc.to_owned()));
        assert_eq!(
            state(policy, &[Answer::None, Answer::Unasked]),
            DnsState::Unasked
        );
        let site = found("google-site-verification=1");
        assert_eq!(state(spf, &[site]), DnsState::Missing);
        assert_eq!(
            state(spf, &[found("v=spf1 -all")]),
            DnsState::Found("v=spf1 -all".to_owned())
        );
    }
}
