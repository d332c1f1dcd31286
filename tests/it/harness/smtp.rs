//! A small mail server on loopback: it speaks SMTP, keeps what it takes, and can be told to fail.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, MimeHeaders as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a sender has to say before the server takes anything.
const USER: &str = "sms";
pub(crate) const PASSWORD: &str = "carrier-pigeon-47";

/// User and password as they come over the line.
pub(crate) fn credentials() -> String {
    STANDARD.encode(format!("\0{USER}\0{PASSWORD}"))
}

/// What the server does with the next e-mail instead of taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 421 to the sender: come back later.
    Busy,
    /// 550 to the recipient: never.
    NoSuchUser,
    /// 554 to the recipient, with all that was said to sign in.
    Echo,
    /// Hangs up after the e-mail, before it says whether it took it. It did.
    HangUpAfterLetter,
    /// Hangs up in the midst of the e-mail.
    HangUpInLetter,
}

/// An e-mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedMail {
    pub(crate) from: String,
    /// Of the envelope.
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// As it came over the line.
    pub(crate) raw: String,
}

impl ReceivedMail {
    /// The one link in it; its address is a line of the text.
    pub(crate) fn link(&self) -> &str {
        let mut links = self.text.lines().filter(|l| l.starts_with("http"));
        let link = links.next().expect("a link");
        assert_eq!(links.next(), None, "{}", self.text);
        link
    }

    /// A header as it stands there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.raw.split("\r\n\r\n").next()?;
        head.lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The running server.
pub(crate) struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<ReceivedMail>>,
    faults: Mutex<VecDeque<Fault>>,
    commands: Mutex<Vec<String>>,
}

impl SmtpServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let served = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        Self {
            address,
            shared,
            task,
        }
    }

    /// For `SMTP_URL`.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{USER}:{PASSWORD}@{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was taken so far, in order.
    pub(crate) fn received(&self) -> Vec<ReceivedMail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// What the next e-mails meet, one fault each.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// Each command that came, without its arguments.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection; an error of the line ends it.
async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut from, mut to, mut fault) = (String::new(), String::new(), None);
    let mut is_known = false;
    say(&mut stream, "220 test ESMTP").await?;
    loop {
        let line = line(&mut stream).await?;
        let verb = line.split([' ', ':']).next()?.to_ascii_uppercase();
        shared.commands.lock().unwrap().push(verb.clone());
        match verb.as_str() {
            "EHLO" => say(&mut stream, "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME").await?,
            "AUTH" if line.ends_with(&format!(" {}", credentials())) => {
                is_known = true;
                say(&mut stream, "235 ok").await?;
            }
            "AUTH" => say(&mut stream, "535 5.7.8 who?").await?,
            "MAIL" if !is_known => say(&mut stream, "530 5.7.0 who?").await?,
            "MAIL" => {
                fault = shared.faults.lock().unwrap().pop_front();
                if fault == Some(Fault::Busy) {
                    say(&mut stream, "421 4.3.2 come back later").await?;
                    return None;
                }
                from = address(&line)?;
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" if fault == Some(Fault::NoSuchUser) => {
                say(&mut stream, "550 5.1.1 no such user here").await?;
            }
            "RCPT" if fault == Some(Fault::Echo) => {
                let said = credentials();
                let no = format!("554 5.7.1 not for AUTH PLAIN {said} ({PASSWORD})");
                say(&mut stream, &no).await?;
            }
            "RCPT" => {
                to = address(&line)?;
                say(&mut stream, "250 ok").await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                if fault == Some(Fault::HangUpInLetter) {
                    return None;
                }
                let raw = data(&mut stream).await?;
                let mail = mail(&from, &to, raw);
                shared.mails.lock().unwrap().push(mail);
                if fault == Some(Fault::HangUpAfterLetter) {
                    return None;
                }
                say(&mut stream, "250 ok").await?;
            }
            "RSET" | "NOOP" => say(&mut stream, "250 ok").await?,
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return None;
            }
            _ => say(&mut stream, "502 what?").await?,
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, answer: &str) -> Option<()> {
    let answer = format!("{answer}\r\n");
    stream.write_all(answer.as_bytes()).await.ok()
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Up to the line that is a dot; a dot that was doubled is one again.
async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut raw = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Some(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        raw.push_str("\r\n");
    }
}

fn address(line: &str) -> Option<String> {
    Some(line.split_once('<')?.1.split_once('>')?.0.to_owned())
}

fn mail(from: &str, to: &str, raw: String) -> ReceivedMail {
    let parsed = MessageParser::default().parse(&raw).expect("an e-mail");
    let kinds: Vec<_> = parsed
        .parts
        .iter()
        .filter_map(|p| p.content_type())
        .collect();
    assert_eq!(kinds.len(), 3, "plain and HTML in one: {kinds:?}");
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap().replace("\r\n", "\n");
    ReceivedMail {
        from: from.to_owned(),
        to: to.to_owned(),
        subject: parsed.subject().unwrap().to_owned(),
        text: text(parsed.body_text(0)),
        html: text(parsed.body_html(0)),
        raw,
    }
}
