//! Configuration, from text to settings and back.

use std::path::PathBuf;

use super::*;
use crate::settings::Mistake;

mod mistakes;

/// Settings in which nothing is wrong.
const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8081"

[endpoints.getHome]
budget = "800ms"

[upstreams.station]
url = "http://station.test:7001"
timeout = "300ms"
attempt_timeout = "200ms"
forward = ["accept-language"]
cache = { ttl = "30s" }
"#;

const ISSUER: &str = r#"
[auth.issuers.corp-sso]
issuer = "https://id.test"
jwks_url = "https://id.test/keys"
audiences = ["bff"]
"#;

fn good() -> Sources<'static> {
    Sources::default().text(GOOD)
}

fn lines(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(sources: &Sources<'_>) -> Vec<String> {
    lines(&Settings::load(sources).expect_err("there are mistakes"))
}

#[track_caller]
fn loaded(sources: &Sources<'_>) -> Loaded {
    Settings::load(sources).unwrap_or_else(|mistakes| panic!("{}", Report(&mistakes)))
}

fn scratch(name: &str, content: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bff-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[test]
fn nothing_written_is_everything_at_its_default() {
    let loaded = loaded(&Sources::new("no-such-name"));
    assert_eq!(shape::json(&loaded.settings), shape::json(&Settings::default()));
    assert_eq!(loaded.origins.iter().count(), 0);
}

#[test]
fn the_later_source_wins_and_is_named() {
    let file = scratch("layers.toml", "[server]\nlisten = \"127.0.0.1:2\"\nmanagement = \"127.0.0.1:3\"\n");
    let sources = Sources { file: Some(file.clone()), ..good() }
        .env([("BFF_SERVER__MANAGEMENT", "127.0.0.1:4"), ("BFF_UPSTREAMS__STATION__URL", "http://a.test")])
        .set("upstreams.station.url", "http://b.test");
    let Loaded { settings, origins } = loaded(&sources);
    assert_eq!(settings.server.listen.port(), 2, "a file stands above what is built in");
    assert_eq!(settings.server.management.port(), 4, "a variable stands above a file");
    assert_eq!(settings.upstreams["station"].url, "http://b.test", "a flag stands above a variable");
    let file = file.display().to_string();
    for (key, origin) in [
        ("server.listen", Some(file.as_str())),
        ("server.management", Some("BFF_SERVER__MANAGEMENT")),
        ("upstreams.station.url", Some("--set")),
        ("upstreams.station.timeout", Some("built in")),
        ("upstreams.station.cache", Some("built in")),
        ("cache.capacity", None),
        ("cach", None),
    ] {
        assert_eq!(origins.of(key), origin, "{key}");
    }
}

#[test]
fn text_is_whatever_is_asked_for() {
    let Loaded { settings, .. } = loaded(&good().env([
        ("BFF_UPSTREAMS__STATION__FORWARD", "accept-language, x-units,"),
        ("BFF_UPSTREAMS__STATION__HTTP2", "TRUE"),
        ("BFF_UPSTREAMS__STATION__RESPONSE_LIMIT", "2048"),
        ("BFF_UPSTREAMS__STATION__OWNER", "42"),
        ("BFF_UPSTREAMS__STATION__CACHE__TTL", ""),
        ("BFF_CACHE__JITTER", "0.25"),
        ("BFF_CACHE__BACKGROUND_REFRESHES", " 7 "),
        ("BFF_LOG__FORMAT", "text"),
    ]));
    let station = &settings.upstreams["station"];
    assert_eq!(station.forward, ["accept-language", "x-units"]);
    assert!(station.http2);
    assert_eq!(station.response_limit.as_u64(), 2048);
    assert_eq!(station.owner, "42");
    assert_eq!(station.cache.ttl, None, "an empty text is no value where there need not be one");
    assert!((settings.cache.jitter - 0.25).abs() < f64::EPSILON);
    assert_eq!(settings.cache.background_refreshes, 7);
    assert_eq!(settings.log.format, crate::telemetry::LogFormat::Text);
}

#[test]
fn variables_have_no_case_and_no_dashes() {
    let text = format!("{GOOD}{ISSUER}");
    let sources = Sources { names: vec!["getRadar".to_owned()], ..Sources::default().text(&text) }.env([
        ("BFF_ENDPOINTS__GETHOME__JOIN_LIMIT", "5"),
        ("bff_endpoints__getradar__join_limit", "6"),
        ("Bff_Auth__Issuers__Corp_Sso__Typ", "at+jwt"),
    ]);
    let Loaded { settings, .. } = loaded(&sources);
    assert_eq!(settings.endpoints["getHome"].join_limit, Some(5), "its case is in the file");
    assert_eq!(settings.endpoints["getRadar"].join_limit, Some(6), "its case is in the BFF");
    assert_eq!(settings.auth.issuers["corp-sso"].typ.as_deref(), Some("at+jwt"));
}

#[test]
fn variables_of_others_are_left_alone() {
    // The second and third are what Kubernetes makes for a service called bff-mobile.
    let env = [
        ("BFF_CONFIG", "x"),
        ("BFF_MOBILE_SERVICE_HOST", "10.0.0.1"),
        ("BFF_MOBILE_PORT_80_TCP", "tcp://10.0.0.1"),
        ("BF", ""),
    ];
    assert_eq!(loaded(&good().env(env)).origins.iter().count(), loaded(&good()).origins.iter().count());
}

#[test]
fn any_value_may_stand_in_a_file_of_its_own() {
    let owner = scratch("owner", "team rain\r\n").display().to_string();
    let limit = scratch("limit", "4096\n").display().to_string();
    let text = format!("{GOOD}owner = {{ file = '{owner}' }}\n").replace("cache = { ttl = \"30s\" }\n", "");
    let sources = Sources::default().text(&text).env([("BFF_UPSTREAMS__STATION__RESPONSE_LIMIT__FILE", &limit)]);
    let read = loaded(&sources);
    let station = &read.settings.upstreams["station"];
    assert_eq!((station.owner.as_str(), station.response_limit.as_u64()), ("team rain", 4096));
    let origin = format!("{owner}, named in built in");
    assert_eq!(read.origins.of("upstreams.station.owner"), Some(origin.as_str()));
    assert!(
        read.origins.is_from_file("upstreams.station.owner") && !read.origins.is_from_file("upstreams.station.url")
    );
    assert!(!read.to_toml().contains("team rain"), "what stands in a file of its own is not shown");
    assert!(read.to_toml().contains(&format!("owner = \"{MASK}\"  # from {origin}\n")), "{}", read.to_toml());
    // A plain value on top takes the place of the file.
    let read = loaded(&sources.clone().set("upstreams.station.owner", "us"));
    assert_eq!(read.settings.upstreams["station"].owner, "us");
    // A table is no value: an upstream may be called file.
    let read = loaded(&Sources::default().text("[upstreams.file]\nurl = 'http://f'"));
    assert!(read.settings.upstreams.contains_key("file"));
}

#[test]
fn what_holds_is_shown_with_where_it_was_written() {
    let loaded = loaded(&good().env([("BFF_UPSTREAMS__STATION__OWNER", "see https://me:pass@wiki.test/x")]));
    let shown = loaded.to_toml();
    for line in [
        "[server]",
        "listen = \"127.0.0.1:8081\"  # from built in",
        "max_connections = 10000  # default",
        "[endpoints.getHome]",
        "# join_limit is not set",
        "[upstreams.station]",
        "timeout = \"300ms\"  # from built in",
        "forward = [\"accept-language\"]  # from built in",
        "owner = \"see https://********@wiki.test/x\"  # from BFF_UPSTREAMS__STATION__OWNER",
        "[upstreams.station.cache]",
        "ttl = \"30s\"  # from built in",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let again = Settings::from_toml(&shown).map_err(|mistakes| lines(&mistakes)).unwrap();
    let owned = |settings: &Settings| settings.upstreams["station"].timeout;
    assert_eq!(owned(&again), owned(&loaded.settings));
    assert_eq!(shape::json(&again.server), shape::json(&loaded.settings.server));
}

#[test]
fn routes_are_shown_as_they_can_be_written() {
    let text = format!(
        "{GOOD}[routes.old]\npath = '/v1/{{id}}/*'\nupstream = 'station'\nheaders = {{ X-Client = 'tv', file = 'a' }}\n\
         json = {{ rename = {{ 'owner.name' = 'who' }}, limit = '2 KiB' }}\n\
         schema = {{ type = 'object', required = ['id'], properties = {{ id = {{ type = 'integer', minimum = 1 }} }} }}\n"
    );
    let first = loaded(&Sources::default().text(&text));
    let shown = first.to_toml();
    let again = Settings::from_toml(&shown).unwrap_or_else(|mistakes| panic!("{}\n{shown}", Report(&mistakes)));
    let (first, again) = (shape::json(&first.settings.routes), shape::json(&again.routes));
    assert_eq!(first, again, "{shown}");
    assert_eq!(first["old"]["schema"]["properties"]["id"]["minimum"], 1);
    assert_eq!(first["old"]["headers"]["X-Client"], "tv");
}

#[test]
fn names_of_secrets() {
    for name in ["password", "client_secret", "API_KEY", "key", "token"] {
        assert!(secret::is_secret(name), "{name}");
    }
    // Whoever adds a setting that sounds like a secret decides here whether it is one.
    let mut secrets = Vec::new();
    every_key(&shape::shape(), "", &mut |key, _| {
        if key.rsplit('.').next().is_some_and(secret::is_secret) {
            secrets.push(key.to_owned());
        }
    });
    assert_eq!(secrets, [""; 0]);
}

#[test]
fn who_logs_in_by_a_url_is_not_shown() {
    for (text, shown) in [
        ("http://a.test/x@y", "http://a.test/x@y"),
        ("http://me@a.test", "http://********@a.test"),
        (
            "\"redis://:p@ss@a.test:1/0\" and https://me:too@b.test?c",
            "\"redis://********@a.test:1/0\" and https://********@b.test?c",
        ),
        ("://", "://"),
    ] {
        assert_eq!(secret::without_userinfo(text), shown);
    }
}

#[test]
fn what_calls_carry_is_shown_nowhere() {
    let file = scratch("api-key", "canary-of-a-file\n");
    let file = file.display();
    let table = format!(
        "{GOOD}\n[upstreams.station.request_headers]\nx-api-key = {{ file = \"{file}\" }}\nauthorization = \"canary-in-line\"\n"
    );
    let loaded = loaded(&Sources::default().text(&table));
    let headers = &loaded.settings.upstreams["station"].request_headers;
    assert_eq!(headers["x-api-key"], "canary-of-a-file".into());
    assert_eq!(headers["authorization"], "canary-in-line".into());
    let shown = format!("{}{:?}", loaded.to_toml(), loaded.settings);
    assert!(shown.contains("authorization") && !shown.contains("canary"), "{shown}");
    let wrong = format!("{GOOD}\n[upstreams.station.request_headers]\nauthorization = 4711\nhost = \"canary\"\n");
    let mistakes = refused(&Sources::default().text(&wrong)).concat();
    assert!(!mistakes.contains("canary") && !mistakes.contains("4711"), "{mistakes}");
}

fn every_key(table: &serde_json::Value, path: &str, see: &mut dyn FnMut(&str, &serde_json::Value)) {
    for (name, value) in table.as_object().into_iter().flatten() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if value.is_object() { every_key(value, &key, see) } else { see(&key, value) }
    }
}

/// docs/configuration.md has every key with its default, and no other.
#[test]
fn every_key_is_documented() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let document = std::fs::read_to_string(file).unwrap();
    let mut table = String::new();
    let mut documented = Vec::new();
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            table = heading.trim_matches(['`', '[', ']']).to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if let ["", key, default, _, ""] = cells[..]
            && !["key", "---"].contains(&key)
        {
            documented.push(format!("{table}.{key} = {default}"));
        }
    }
    let mut expected = Vec::new();
    every_key(&shape::shape(), "", &mut |key, default| {
        let default = match default {
            serde_json::Value::Null => "–".to_owned(),
            default => report::inline(default),
        };
        expected.push(format!("{} = {default}", key.replace(shape::ANY, "<name>")));
    });
    expected.sort();
    documented.sort();
    assert_eq!(documented, expected, "docs/configuration.md on the left");
}
