//! The files that say how the service is deployed agree with the program and with each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Parser as _;
use ml_connector::cli::Cli;
use ml_connector::config::Config;
use ml_connector::config::database::DatabaseUrl;
use ml_connector::config::secrets::MasterKeyConfig;
use ml_connector::config::worker::WorkerConfig;
use toml::Table;
use yaml_rust2::{Yaml, YamlLoader};

use crate::harness::TestApp;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Every variable that the program asks for.
fn known_variables() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    Config::from_lookup(&|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    })
    .unwrap();
    asked.into_inner()
}

/// What the program makes of these variables.
fn config(set: &BTreeMap<String, String>) -> Config {
    Config::from_lookup(&|name| set.get(name).cloned()).unwrap()
}

fn assert_is_a_command(words: &[&str]) {
    let line = std::iter::once("ml-connector").chain(words.iter().copied());
    if let Err(error) = Cli::try_parse_from(line) {
        panic!("{words:?}: {error}");
    }
}

// --- Dockerfile ------------------------------------------------------------------------------

/// The instructions of the Dockerfile with their arguments, continued lines joined.
fn dockerfile() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|l| l.split_once(' ').unwrap())
        .map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()))
        .collect()
}

/// The argument of the one instruction of this name.
fn instruction(name: &str) -> String {
    let mut found: Vec<_> = dockerfile()
        .into_iter()
        .filter(|(n, _)| n == name)
        .collect();
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0).1
}

fn image_variables() -> BTreeMap<String, String> {
    let text = instruction("ENV");
    let pairs = text.split_whitespace().map(|p| p.split_once('=').unwrap());
    pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// The words of an instruction in its JSON form.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap()
}

fn image_port() -> i64 {
    instruction("EXPOSE").parse().unwrap()
}

#[test]
fn the_image_keeps_sqlite_in_its_volume_and_listens_where_it_says() {
    let set = image_variables();
    for name in set.keys() {
        assert!(known_variables().contains(name), "nobody reads {name}");
    }
    let config = config(&set);
    assert!(config.web.bind.ip().is_unspecified());
    assert_eq!(i64::from(config.web.bind.port()), image_port());
    let volume = instruction("VOLUME");
    assert!(config.database.url.file().unwrap().starts_with(&volume));
}

#[test]
fn the_image_runs_our_program_as_nobody_in_particular() {
    assert_eq!(words(&instruction("ENTRYPOINT")), ["ml-connector"]);
    let command = words(&instruction("CMD"));
    assert_is_a_command(&command.iter().map(String::as_str).collect::<Vec<_>>());
    let user = instruction("USER");
    let (user, group) = user.split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_manifest_asks_for() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str();
    let image = format!("rust:{}-", version.unwrap());
    let (_, first) = dockerfile().into_iter().find(|(n, _)| n == "FROM").unwrap();
    assert!(first.starts_with(&image), "{first} is not {image}");
}

#[test]
fn what_the_image_copies_is_let_into_the_build() {
    let ignore = read(".dockerignore");
    let let_in: BTreeSet<_> = ignore.lines().filter_map(|l| l.strip_prefix('!')).collect();
    let mut copied = BTreeSet::new();
    for (_, rest) in dockerfile().iter().filter(|(name, _)| name == "COPY") {
        let mut paths: Vec<_> = rest.split_whitespace().collect();
        paths.pop();
        if !paths.iter().any(|p| p.starts_with("--from=")) {
            copied.extend(paths.into_iter().map(str::to_owned));
        }
    }
    let roots: BTreeSet<_> = copied
        .iter()
        .map(|p| p.split('/').next().unwrap())
        .collect();
    assert_eq!(roots, let_in);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in &copied {
        assert!(root.join(path).exists(), "{path} does not exist");
    }
}

#[actix_web::test]
async fn the_health_check_of_the_image_tells_a_server_from_none() {
    let (_, command) = instruction("HEALTHCHECK")
        .split_once("CMD ")
        .map(|(options, command)| (options.to_owned(), words(command)))
        .unwrap();
    let healthy = async |port: u16| {
        let mut check = Command::new(&command[0]);
        check.args(&command[1..]).env("PORT", port.to_string());
        let output = actix_web::web::block(move || check.output()).await;
        output.unwrap().unwrap().status.success()
    };
    let app = TestApp::spawn().await;
    assert!(healthy(app.running.address.port()).await);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    assert!(!healthy(port).await);
}

// --- compose.yaml ----------------------------------------------------------------------------

fn compose() -> Yaml {
    YamlLoader::load_from_str(&read("compose.yaml"))
        .unwrap()
        .remove(0)
}

/// A key of a mapping, also of one that is merged into it with `<<`.
fn at<'a>(map: &'a Yaml, key: &str) -> &'a Yaml {
    if map[key].is_badvalue() && !map["<<"].is_badvalue() {
        at(&map["<<"], key)
    } else {
        &map[key]
    }
}

fn keys(map: &Yaml) -> Vec<&str> {
    let Some(map) = map.as_hash() else {
        return Vec::new();
    };
    map.keys().map(|k| k.as_str().unwrap()).collect()
}

fn texts(list: &Yaml) -> Vec<&str> {
    let Some(list) = list.as_vec() else {
        return Vec::new();
    };
    list.iter().map(|v| v.as_str().unwrap()).collect()
}

/// Services that run our program.
const OURS: [&str; 3] = ["migrate", "web", "worker"];

/// The variables of one of our services, with `secret` where Compose insists on a value, its own where it
/// has one, and without those that are only handed on.
fn service_variables(service: &Yaml) -> BTreeMap<String, String> {
    let environment = at(service, "environment").as_hash().unwrap();
    let set = environment.iter().filter_map(|(name, value)| {
        let value = value.as_str()?.to_owned();
        let filled = match (value.find("${"), value.find('}')) {
            (Some(from), Some(to)) => {
                let asked = &value[from..to];
                let filled = asked.split_once(":-").map_or("secret", |(_, own)| own);
                assert!(
                    filled != "secret" || asked.contains(":?is missing; add "),
                    "{asked} asks for nothing"
                );
                format!("{}{filled}{}", &value[..from], &value[to + 1..])
            }
            _ => value,
        };
        Some((name.as_str().unwrap().to_owned(), filled))
    });
    set.collect()
}

#[test]
fn compose_gives_each_process_the_servers_and_a_key() {
    let compose = compose();
    for name in OURS {
        let set = service_variables(&compose["services"][name]);
        let config = config(&set);
        assert!(matches!(config.database.url, DatabaseUrl::Postgres(_)));
        assert!(config.queue.redis_url.is_some());
        let MasterKeyConfig::Inline(_) = config.secrets.master_key else {
            panic!("{name} has no key");
        };
        assert_eq!(i64::from(config.web.bind.port()), image_port());
    }
}

#[test]
fn compose_hands_every_variable_on() {
    // A file in the container, and stand-ins for providers: neither belongs to this set-up.
    let left_out = [
        "MASTER_KEY_FILE",
        "ZOHO_SANDBOX_URL",
        "TWILIO_SANDBOX_URL",
        "ALLOW_SANDBOX",
    ];
    let mut expected = known_variables();
    expected.retain(|name| !left_out.contains(&name.as_str()));
    let compose = compose();
    for name in OURS {
        let environment = at(&compose["services"][name], "environment");
        let set: BTreeSet<_> = keys(environment).into_iter().map(str::to_owned).collect();
        assert_eq!(set, expected, "{name}");
    }
}

#[test]
fn compose_believes_a_proxy_on_this_machine() {
    let compose = compose();
    let environment = at(&compose["services"]["web"], "environment");
    let proxies = at(environment, "TRUSTED_PROXIES").as_str().unwrap();
    let gateway = proxies
        .trim_start_matches("${TRUSTED_PROXIES:-")
        .trim_end_matches('}');
    let network = &compose["networks"]["outside"]["ipam"]["config"][0];
    assert_eq!(network["gateway"].as_str(), Some(gateway));
    let subnet: ipnet::IpNet = network["subnet"].as_str().unwrap().parse().unwrap();
    assert!(subnet.contains(&gateway.parse::<std::net::IpAddr>().unwrap()));
}

#[test]
fn compose_runs_commands_that_exist() {
    let compose = compose();
    for name in OURS {
        let service = &compose["services"][name];
        assert_is_a_command(&texts(at(service, "command")));
    }
}

/// From the signal on: what was told, the grace, and cancelled work that puts its things down.
fn needed(stop_delay: Duration) -> Duration {
    stop_delay + WorkerConfig::default().grace + Duration::from_secs(5)
}

#[test]
fn compose_waits_until_running_jobs_have_ended() {
    let compose = compose();
    for name in OURS {
        let service = &compose["services"][name];
        let patience = at(service, "stop_grace_period").as_str().unwrap();
        let patience = patience.strip_suffix('s').unwrap().parse().unwrap();
        let environment = at(service, "environment");
        let delay = environment["STOP_DELAY"].as_str().unwrap().parse().unwrap();
        assert!(Duration::from_secs(patience) >= needed(Duration::from_secs(delay)));
    }
}

#[test]
fn compose_names_only_what_it_declares() {
    let compose = compose();
    let services = &compose["services"];
    for name in keys(services) {
        let service = &services[name];
        for network in texts(at(service, "networks")) {
            assert!(keys(&compose["networks"]).contains(&network), "{network}");
        }
        for volume in texts(at(service, "volumes")) {
            let (volume, _) = volume.split_once(':').unwrap();
            assert!(keys(&compose["volumes"]).contains(&volume), "{volume}");
        }
        for other in keys(at(service, "depends_on")) {
            let condition = at(service, "depends_on")[other]["condition"].as_str();
            if condition == Some("service_healthy") {
                assert!(
                    !at(&services[other], "healthcheck").is_badvalue(),
                    "{other}"
                );
            }
            assert!(!services[other].is_badvalue(), "{name} waits for {other}");
        }
    }
}

#[test]
fn compose_shares_the_socket_of_the_database() {
    let compose = compose();
    let mount = "postgres_socket:/var/run/postgresql";
    for name in OURS.into_iter().chain(["postgres"]) {
        let service = &compose["services"][name];
        assert!(texts(at(service, "volumes")).contains(&mount), "{name}");
    }
    let url = &service_variables(&compose["services"]["web"])["DATABASE_URL"];
    assert!(url.ends_with("?host=/var/run/postgresql"), "{url}");
    let made = &compose["services"]["postgres"]["environment"];
    let user = made["POSTGRES_USER"].as_str().unwrap();
    let database = made["POSTGRES_DB"].as_str().unwrap();
    let expected = format!("postgres://{user}:secret@localhost/{database}?");
    assert!(url.starts_with(&expected), "{url}");
}

#[test]
fn compose_opens_the_web_port_to_this_machine_and_no_other() {
    let compose = compose();
    for name in keys(&compose["services"]) {
        let published = texts(at(&compose["services"][name], "ports"));
        let expected = format!("127.0.0.1:8080:{}", image_port());
        match name {
            "web" => assert_eq!(published, [expected.as_str()]),
            _ => assert!(published.is_empty(), "{name} is reachable"),
        }
    }
}

// --- fly.toml --------------------------------------------------------------------------------

const FLY: [&str; 2] = ["fly.toml", "fly.cluster.toml"];

fn fly(file: &str) -> Table {
    read(file).parse().unwrap()
}

fn variables(table: &toml::Value) -> BTreeMap<String, String> {
    let pairs = table.as_table().unwrap().iter();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn fly_sets_only_variables_that_the_program_reads() {
    for file in FLY {
        let fly = fly(file);
        let set = variables(&fly["env"]);
        for name in set.keys() {
            assert!(known_variables().contains(name), "nobody reads {name}");
        }
        let url = config(&set).web.public_url.unwrap();
        assert!(url.is_public_https());
        let app = fly["app"].as_str().unwrap();
        assert_eq!(url.origin(), format!("https://{app}.fly.dev"), "{file}");
        let proxies = config(&set).web.trusted_proxies;
        assert!(
            proxies.is_fly([172, 16, 5, 2].into()),
            "{file}: visitors look alike"
        );
    }
}

#[test]
fn fly_reaches_the_port_of_the_image_and_never_stops_a_machine() {
    for file in FLY {
        let fly = fly(file);
        let service = &fly["http_service"];
        assert_eq!(service["internal_port"].as_integer(), Some(image_port()));
        assert_eq!(fly["metrics"][0]["port"].as_integer(), Some(image_port()));
        assert_eq!(service["auto_stop_machines"].as_str(), Some("off"));
        assert_eq!(fly["restart"][0]["policy"].as_str(), Some("always"));
        assert_eq!(fly["kill_signal"].as_str(), Some("SIGTERM"));
        let patience = u64::try_from(fly["kill_timeout"].as_integer().unwrap()).unwrap();
        let delay = config(&variables(&fly["env"])).web.stop_delay;
        let needed = needed(delay.unwrap_or_default());
        assert!(Duration::from_secs(patience) >= needed, "{file}");
    }
}

/// What `memory.rs` shows to be enough, and as much again for the system and its page cache.
#[test]
fn fly_has_memory_for_whatever_is_sent() {
    for file in FLY {
        let fly = fly(file);
        let memory = fly["vm"][0]["memory"].as_str().unwrap();
        let megabytes: u64 = memory.strip_suffix("mb").unwrap().parse().unwrap();
        assert!(megabytes >= 512, "{file}: {memory}");
    }
}

#[test]
fn a_cluster_on_fly_is_told_to_pass_a_machine_by_before_its_listener_goes() {
    let fly = fly("fly.cluster.toml");
    let check = &fly["http_service"]["checks"][0];
    assert_eq!(check["path"].as_str(), Some("/readyz"));
    let interval = check["interval"].as_str().unwrap();
    let interval: u64 = interval.strip_suffix('s').unwrap().parse().unwrap();
    let delay = config(&variables(&fly["env"])).web.stop_delay.unwrap();
    assert!(delay > Duration::from_secs(interval));
}

#[test]
fn one_machine_on_fly_migrates_itself_on_its_volume() {
    let fly = fly("fly.toml");
    let mount = fly["mounts"][0]["destination"].as_str();
    assert_eq!(mount, Some(instruction("VOLUME").as_str()));
    assert!(fly["deploy"].get("release_command").is_none());
    assert!(!fly.contains_key("processes"));
}

#[test]
fn a_cluster_on_fly_migrates_first_and_keeps_nothing_on_its_machines() {
    let fly = fly("fly.cluster.toml");
    let split = |command: &toml::Value| -> Vec<String> {
        let words = command.as_str().unwrap().split_whitespace();
        words.map(str::to_owned).collect()
    };
    let mut commands: Vec<_> = fly["processes"].as_table().unwrap().values().collect();
    commands.push(&fly["deploy"]["release_command"]);
    for command in commands.into_iter().map(split) {
        assert_is_a_command(&command.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let served = fly["http_service"]["processes"].as_array().unwrap();
    for group in served {
        assert!(fly["processes"].get(group.as_str().unwrap()).is_some());
    }
    assert!(!fly.contains_key("mounts"));
}

// --- .env.example ----------------------------------------------------------------------------

#[test]
fn the_example_explains_every_variable_and_no_other() {
    let example = read(".env.example");
    let named: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, known_variables());
}
