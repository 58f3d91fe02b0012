//! Configuration, from text to settings and back.

use std::path::PathBuf;

use super::*;
use crate::settings::Mistake;

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
    let env = [("BFF_CONFIG", "x"), ("BFF_MOBILE_SERVICE_HOST", "10.0.0.1"), ("BFF_MOBILE_PORT_80_TCP", "tcp://10.0.0.1"), ("BF", "")];
    assert_eq!(loaded(&good().env(env)).origins.iter().count(), loaded(&good()).origins.iter().count());
}

#[test]
fn one_mistake() {
    let check = |toml: &str, expect: &str| {
        let text = format!("{GOOD}{toml}");
        assert_eq!(refused(&Sources::default().text(&text)), [expect], "{toml}");
    };
    // Keys that nobody knows.
    check("[upstream.x]\nurl = 1", "upstream (built in): unknown key; did you mean `upstreams`?");
    check("[upstreams.radar]\nurl = 'http://r'\ntimout = '1s'", "upstreams.radar.timout (built in): unknown key; did you mean `timeout`?");
    check("[upstreams.radar]\nurl = 'http://r'\ncache = { tll = '1s' }", "upstreams.radar.cache.tll (built in): unknown key; did you mean `ttl`?");
    check("[cache]\nflavour = 1", "cache.flavour (built in): unknown key; known here: background_refreshes, capacity, jitter");
    check("[auth.issuer]\na = 1", "auth.issuer (built in): unknown key; did you mean `issuers`?");
    // Values of the wrong type.
    check("[cache]\njitter = 'much'", r#"cache.jitter (built in): cannot be read (invalid type: string "much", expected f64); write it like the default, 0.05"#);
    check("[cache]\nbackground_refreshes = 2.5", "cache.background_refreshes (built in): cannot be read (invalid type: floating point `2.5`, expected usize); write it like the default, 64");
    check("[edge]\nhsts = 'yes'", r#"edge.hsts (built in): cannot be read (invalid type: string "yes", expected a boolean); write it like the default, false"#);
    check("[edge]\ncors_origins = 'https://a.test'", r#"edge.cors_origins (built in): cannot be read (invalid type: string "https://a.test", expected a sequence); write it like the default, []"#);
    check("[edge]\ncors_origins = ['https://a.test', 2]", "edge.cors_origins (built in): cannot be read (invalid type: integer `2`, expected a string); write it like the default, []");
    check("[log]\nformat = 'xml'", r#"log.format (built in): cannot be read (unknown variant `xml`, expected `json` or `text`); write it like the default, "json""#);
    check("[endpoints.getRadar]\nbudget = 800", "endpoints.getRadar.budget (built in): cannot be read (invalid type: integer `800`, expected a duration); docs/configuration.md says what it takes");
    check("[upstreams]\nradar = 'http://r'", r#"upstreams.radar (built in): cannot be read (invalid type: string "http://r", expected a table); write [upstreams.radar] and the keys below it"#);
    check("[auth]\nissuers = 5", "auth.issuers (built in): cannot be read (invalid type: integer `5`, expected a map); write [auth.issuers.<name>] and the keys below it");
    // Values that break a rule.
    check("[upstreams.radar]\nowner = 'us'", "upstreams.radar.url: is missing; write http://host:port or https://host, with a path if need be");
    check("[upstreams.radar]\nurl = 'http://r'\ntimeout = '300ms'", "upstreams.radar.attempt_timeout (default): an attempt may take 400ms, the whole call only 300ms; make it shorter than timeout");
    check("[log]\nfilter = '=='", r#"log.filter (built in): "==" cannot be read (invalid filter directive); write a level such as "info""#);
}

#[test]
fn variables_and_flags_make_mistakes_too() {
    let check = |sources: Sources<'_>, expect: &str| assert_eq!(refused(&sources), [expect]);
    check(good().env([("BFF_UPSTREAMS__STATION__TIMOUT", "1s")]), "upstreams.station.timout (BFF_UPSTREAMS__STATION__TIMOUT): unknown key; did you mean `timeout`?");
    check(good().set("srever.listen", "1"), "srever (--set): unknown key; did you mean `server`?");
    check(
        good().set("server.max_connections", "many"),
        r#"server.max_connections (--set): cannot be read (invalid type: string "many", expected usize); write it like the default, 10000"#,
    );
    check(
        good().env([("BFF_UPSTREAMS__STATION", "http://a.test")]),
        r#"upstreams.station (BFF_UPSTREAMS__STATION): cannot be read (invalid type: string "http://a.test", expected a table); write [upstreams.station] and the keys below it"#,
    );
}

#[test]
fn all_mistakes_at_once() {
    let text = format!(
        "{GOOD}{ISSUER}leway = '1s'\nmax_keys = 'few'\n
        [upstreams.radar]\ntimout = '1s'\nhttp2 = 'no'\nresponse_limit = 'big'\n
        [cache]\njitter = 7\n[log]\nformat = 'xml'\nfilter = '=='"
    );
    let sources = Sources::default().text(&text).set("nonsense.key", "1");
    let found = Settings::load_checked(&sources, |settings| {
        assert!(settings.upstreams.contains_key("radar"), "what can be read is there for the rules of the BFF");
        vec![Mistake {
            key: "upstreams.station".into(),
            problem: "is odd".into(),
            remedy: "look".into(),
            origin: None,
        }]
    })
    .expect_err("there are mistakes");
    let keys: Vec<&str> = found.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "auth.issuers.corp-sso.leway",
            "auth.issuers.corp-sso.max_keys",
            "cache.jitter",
            "log.filter",
            "log.format",
            "nonsense",
            "upstreams.radar.http2",
            "upstreams.radar.response_limit",
            "upstreams.radar.timout",
            "upstreams.radar.url",
            "upstreams.station",
        ]
    );
    assert_eq!(found.last().unwrap().origin.as_deref(), Some("built in"), "the rules of the BFF get origins, too");
    assert!(Report(&found).to_string().starts_with("error: 11 mistakes in the configuration\n  auth.issuers.corp-sso.leway (built in): "));
    assert!(Report(&found[..1]).to_string().starts_with("error: 1 mistake in the configuration\n"));
}

#[test]
fn a_document_that_cannot_be_parsed() {
    let file = scratch("syntax.toml", "[server]\npassword = \"hunter2\nlisten = 1\n");
    let found = refused(&Sources { file: Some(file.clone()), ..Sources::default() });
    let [found] = &found[..] else { panic!("{found:?}") };
    assert!(found.starts_with(&format!("{}: line 2, column 20: ", file.display())), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
    let found = refused(&Sources::default().text("[cache]\njitter = 1\njitter = 2\n"));
    assert_eq!(found, ["built in: line 3, column 1: duplicate key; mend it; nothing else was looked at"]);
}

#[test]
fn a_file_that_is_not_there() {
    let found = refused(&Sources { file: Some("/no/such.toml".into()), ..good() });
    let [found] = &found[..] else { panic!("{found:?}") };
    assert!(found.starts_with("/no/such.toml: cannot be read (No such file"), "{found}");
    assert!(found.ends_with("name a TOML file with --config, or in BFF_CONFIG"), "{found}");
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
    assert!(read.origins.is_from_file("upstreams.station.owner") && !read.origins.is_from_file("upstreams.station.url"));
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
fn a_value_in_a_file_that_is_wrong() {
    let secret = scratch("secret", "hunter2").display().to_string();
    let long = scratch("long", &"x".repeat(64 * 1024 + 1)).display().to_string();
    let check = |key: &str, file: &str, expect: String| {
        assert_eq!(refused(&good().set(format!("{key}.file"), file)), [expect]);
    };
    check(
        "upstreams.station.timeout",
        &secret,
        format!("upstreams.station.timeout ({secret}, named in --set): cannot be read (the value is not shown); write it like the default, \"500ms\""),
    );
    check(
        "upstreams.station.forward",
        &scratch("spaced", "hunter 2").display().to_string(),
        format!(
            "upstreams.station.forward ({}, named in --set): \"{MASK}\" is no header name; use names such as \"accept-language\"",
            scratch("spaced", "hunter 2").display()
        ),
    );
    check(
        "upstreams.station.url",
        "/no/such/file",
        "upstreams.station.url (--set): the file /no/such/file cannot be read (No such file or directory (os error 2)); name a text file that this process may read".to_owned(),
    );
    check(
        "upstreams.station.url",
        &long,
        format!("upstreams.station.url (--set): the file {long} cannot be read (longer than 64 KiB); name a text file that this process may read"),
    );
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
        ("\"redis://:p@ss@a.test:1/0\" and https://me:too@b.test?c", "\"redis://********@a.test:1/0\" and https://********@b.test?c"),
        ("://", "://"),
    ] {
        assert_eq!(secret::without_userinfo(text), shown);
    }
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
