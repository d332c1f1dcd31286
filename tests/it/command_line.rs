//! The commands as an operator types them: what they make, say and advise.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::process::{Service, bare, refusal_of};

/// A provider that is never asked.
const NOBODY: &str = "http://127.0.0.1:9";

const MAKE: [&str; 8] = [
    "admin",
    "create-tenant",
    "--name",
    "Bowman & Co",
    "--owner-email",
    "owner@bowman.example",
    "--password-stdin",
    "--json",
];

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_check_before_the_first_start_makes_nothing_and_names_serve() {
    let folder = tempfile::tempdir().unwrap();
    let mut check = bare(&["check"]);
    check.current_dir(folder.path());
    let refused = refusal_of(check);
    assert!(refused.contains("start `ml-connector serve`"), "{refused}");
    assert!(!refused.contains("migrate"), "{refused}");
    let made = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(made, 0, "a check makes nothing");
}

#[test]
fn a_stand_in_on_a_taken_port_names_the_option_that_it_takes() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    for (args, advised) in [
        (["demo", "--port", &port], "--port"),
        (["sandbox", "--bind", &address], "--bind"),
    ] {
        let refused = refusal_of(bare(&args));
        let (what, advice) = refused.split_once("what to do: ").expect("advice");
        assert!(what.contains(&address), "{refused}");
        assert!(advice.contains(advised), "{refused}");
        assert!(!advice.contains("BIND"), "{refused}");
    }
}

/// Makes a tenant without the variables that `serve` has, but with `url` as `PUBLIC_URL`.
fn make(service: &Service, url: Option<&str>, args: &[&str]) -> String {
    let mut command = service.command(args);
    command.env_remove("BIND");
    command.envs(url.map(|url| ("PUBLIC_URL", url)));
    let made = typed(command, "a long enough password\n");
    assert!(made.status.success(), "{}", said(&made));
    String::from_utf8(made.stdout).unwrap()
}

fn typed(mut command: Command, stdin: &str) -> Output {
    use std::io::Write as _;
    use std::process::Stdio;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all(stdin.as_bytes()).unwrap();
    drop(to);
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn no_address_is_made_up_where_the_servers_is_unknown() {
    let service = Service::new(NOBODY).await;
    let text = make(&service, None, &MAKE[..7]);
    assert!(!text.contains("http://"), "{text}");
    assert!(text.contains("then /hooks/zoho/"), "{text}");
    assert!(text.contains("PUBLIC_URL is not set here"), "{text}");

    let json: Value = serde_json::from_str(&make(&service, None, &MAKE)).unwrap();
    assert!(json["hook_url"].is_null(), "{json}");
    let path = json["hook_path"].as_str().unwrap();
    assert!(path.starts_with("/hooks/zoho/"), "{json}");

    let url = "https://sms.example.com";
    let json: Value = serde_json::from_str(&make(&service, Some(url), &MAKE)).unwrap();
    let path = json["hook_path"].as_str().unwrap();
    assert_eq!(json["hook_url"], format!("{url}{path}"));
}

#[tokio::test]
async fn a_tenant_is_named_by_its_short_name_or_its_id() {
    let service = Service::new(NOBODY).await;
    let id = service.tenant("acme").id;
    for name in ["acme", &id] {
        let token = ["create-token", "--role", "viewer", "--tenant", name];
        assert!(service.admin(&token, "")["token"].is_string(), "{name}");
        let suspend = ["suspend-tenant", "--reason", "Unpaid", "--tenant", name];
        let suspended = service.admin(&suspend, "");
        assert_eq!(
            (&suspended["tenant_id"], &suspended["changed"]),
            (&id.clone().into(), &true.into())
        );
        let reinstated = service.admin(&["reinstate-tenant", "--tenant", name], "");
        assert_eq!(reinstated["changed"], true, "{name}");
    }
    for args in [
        &["create-token", "--role", "viewer"][..],
        &["suspend-tenant", "--reason", "Unpaid"],
        &["reinstate-tenant"],
    ] {
        let refused = service.run(&[&["admin"], args, &["--tenant", "acne"]].concat(), "");
        assert_eq!(refused.status.code(), Some(1));
        let text = said(&refused);
        assert!(text.contains("there is no tenant acne"), "{text}");
        assert!(text.contains("/t/"), "{text}");
    }
}
