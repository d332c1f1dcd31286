//! Look-ups in DNS, as data: what stands there, that nothing does, or that nobody could be asked.
//!
//! The system's name servers are asked, without a cache: whoever has just added a record wants to see it. A
//! name server that answers with an error has not said that there is nothing.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{TokioResolver, lookup::Lookup};
use tokio::time::timeout;

use crate::domain::sender_dns::{Answer, Question, RecordKind};

/// How long all look-ups of one call may take together.
const WITHIN: Duration = Duration::from_secs(5);

/// How long one try may take, so that a second one fits.
const TRY_WITHIN: Duration = Duration::from_secs(2);

/// The most questions of one call, and the most records of one answer.
const MOST_QUESTIONS: usize = 20;
const MOST_RECORDS: usize = 10;

/// The longest record that is told, in bytes.
const LONGEST: usize = 500;

/// Asks name servers.
#[derive(Debug, Clone, Copy)]
pub struct Dns {
    /// The system's where there is none.
    server: Option<SocketAddr>,
}

impl Dns {
    /// The name servers of this machine.
    pub const fn system() -> Self {
        Self { server: None }
    }

    /// A single one.
    pub const fn at(server: SocketAddr) -> Self {
        Self {
            server: Some(server),
        }
    }

    /// Asks all of them at once; the answers in the order of the questions. What has not come within five
    /// seconds could not be asked.
    pub async fn ask(&self, questions: &[Question]) -> Vec<Answer> {
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(error) => {
                tracing::warn!(%error, "No name server can be asked");
                return vec![Answer::Unasked; questions.len()];
            }
        };
        let one = async |n: usize, question: &Question| {
            if n >= MOST_QUESTIONS {
                return Answer::Unasked;
            }
            let asked = timeout(WITHIN, ask_one(&resolver, question));
            asked.await.unwrap_or(Answer::Unasked)
        };
        join_all(questions.iter().enumerate().map(|(n, q)| one(n, q))).await
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let mut connection = ConnectionConfig::new(ProtocolConfig::Udp);
                connection.port = server.port();
                let server = NameServerConfig::new(server.ip(), true, vec![connection]);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = TRY_WITHIN;
        options.attempts = 1;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build()
    }
}

async fn ask_one(resolver: &TokioResolver, question: &Question) -> Answer {
    let kind = match question.kind {
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Txt => RecordType::TXT,
    };
    let Ok(mut name) = Name::from_ascii(&question.name) else {
        return Answer::None;
    };
    // Else the machine's own domains would be tried behind it.
    name.set_fqdn(true);
    match resolver.lookup(name, kind).await {
        Ok(found) => answer(&found, question.kind),
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if matches!(
                none.response_code,
                ResponseCode::NoError | ResponseCode::NXDomain
            ) =>
        {
            Answer::None
        }
        Err(_) => Answer::Unasked,
    }
}

fn answer(found: &Lookup, kind: RecordKind) -> Answer {
    let records = found.answers().iter().filter_map(|record| {
        match (kind, &record.data) {
            (RecordKind::Cname, RData::CNAME(to)) => {
                let name = to.0.to_ascii().to_lowercase();
                Some(name.trim_end_matches('.').to_owned())
            }
            // What is long is told in pieces.
            (RecordKind::Txt, RData::TXT(text)) => {
                let whole = text.txt_data.concat();
                let whole = whole.get(..LONGEST).unwrap_or(&whole);
                let text = String::from_utf8_lossy(whole);
                Some(text.chars().filter(|c| !c.is_control()).collect())
            }
            _ => None,
        }
    });
    let records: Vec<String> = records.take(MOST_RECORDS).collect();
    if records.is_empty() {
        Answer::None
    } else {
        Answer::Found(records)
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Message, OpCode};
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::{CNAME, TXT};
    use tokio::net::UdpSocket;

    use super::*;

    /// What a name server says of a name.
    fn says(name: &str) -> Result<Vec<RData>, ResponseCode> {
        let cname = |to: &str| RData::CNAME(CNAME(Name::from_ascii(to).unwrap()));
        let txt = |parts: &[&str]| {
            let parts = parts.iter().map(|p| (*p).to_owned()).collect();
            RData::TXT(TXT::new(parts))
        };
        match name {
            "s1._domainkey.acme.example." => Ok(vec![cname("S1.domainkey.u1.wl1.Mail.example.")]),
            "_dmarc.acme.example." => Ok(vec![txt(&["v=DMARC1; ", "p=none"])]),
            "many.acme.example." => Ok((0..20)
                .map(|n| txt(&[format!("text {n}").as_str()]))
                .collect()),
            "odd.acme.example." => Ok(vec![txt(&["a\u{7}b"])]),
            "other.acme.example." => Ok(vec![]),
            "broken.acme.example." => Err(ResponseCode::ServFail),
            "refused.acme.example." => Err(ResponseCode::Refused),
            _ => Err(ResponseCode::NXDomain),
        }
    }

    /// A name server on loopback; names that begin with `mute` get no answer.
    async fn server() -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = Dns::at(socket.local_addr().unwrap());
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let query = asked.queries[0].clone();
                let name = query.name().to_ascii().to_lowercase();
                if name.starts_with("mute") {
                    continue;
                }
                let mut told = Message::response(asked.metadata.id, OpCode::Query);
                told.metadata.recursion_available = true;
                match says(&name) {
                    Ok(records) => {
                        let records = records.into_iter();
                        let own = query.name().clone();
                        told.add_answers(records.map(|r| Record::from_rdata(own.clone(), 60, r)));
                    }
                    Err(code) => told.metadata.response_code = code,
                }
                told.add_query(query);
                let bytes = told.to_vec().unwrap();
                socket.send_to(&bytes, from).await.unwrap();
            }
        });
        dns
    }

    fn question(kind: RecordKind, name: &str) -> Question {
        Question {
            kind,
            name: format!("{name}acme.example"),
        }
    }

    #[tokio::test]
    async fn answers_are_what_stands_there_nothing_or_that_nobody_could_be_asked() {
        let dns = server().await;
        let (cname, txt) = (RecordKind::Cname, RecordKind::Txt);
        let asked = [
            question(cname, "s1._domainkey."),
            question(txt, "_dmarc."),
            question(txt, "odd."),
            question(txt, "other."),
            question(txt, "gone."),
            question(cname, "broken."),
            question(txt, "refused."),
        ];
        let found = |text: &str| Answer::Found(vec![text.to_owned()]);
        let expected = [
            found("s1.domainkey.u1.wl1.mail.example"),
            found("v=DMARC1; p=none"),
            found("ab"),
            Answer::None,
            Answer::None,
            Answer::Unasked,
            Answer::Unasked,
        ];
        assert_eq!(dns.ask(&asked).await, expected);
    }

    #[tokio::test]
    async fn answers_are_bounded_and_come_within_seconds() {
        let dns = server().await;
        let begun = std::time::Instant::now();
        let many = question(RecordKind::Txt, "many.");
        let mute = question(RecordKind::Txt, "mute.");
        let bad = Question {
            kind: RecordKind::Txt,
            name: format!("{}.example", "x".repeat(64)),
        };
        let answers = dns.ask(&[many.clone(), mute, bad]).await;
        let Answer::Found(records) = &answers[0] else {
            panic!("{answers:?}");
        };
        assert_eq!(records.len(), MOST_RECORDS);
        assert_eq!(answers[1..], [Answer::Unasked, Answer::None]);
        assert!(begun.elapsed() < WITHIN + Duration::from_secs(1));
        let crowd = vec![many; MOST_QUESTIONS + 1];
        let answers = dns.ask(&crowd).await;
        assert_eq!(answers.last(), Some(&Answer::Unasked));
    }
}
