//! Every mistake, with its key, where it was written, and what to do.

use super::*;

/// One mistake in a document: its key, what is wrong, what to do.
const ONE: &[(&str, &str, &str, &str)] = &[
    // Keys that nobody knows.
    ("[upstream.x]\nurl = 1", "upstream (built in)", "unknown key", "did you mean `upstreams`?"),
    (
        "[upstreams.radar]\nurl = 'http://r'\ntimout = '1s'",
        "upstreams.radar.timout (built in)",
        "unknown key",
        "did you mean `timeout`?",
    ),
    (
        "[upstreams.radar]\nurl = 'http://r'\ncache = { tll = '1s' }",
        "upstreams.radar.cache.tll (built in)",
        "unknown key",
        "did you mean `ttl`?",
    ),
    (
        "[cache]\nflavour = 1",
        "cache.flavour (built in)",
        "unknown key",
        "known here: background_refreshes, capacity, jitter, redis",
    ),
    ("[auth.issuer]\na = 1", "auth.issuer (built in)", "unknown key", "did you mean `issuers`?"),
    // Values of the wrong type.
    (
        "[cache]\njitter = 'much'",
        "cache.jitter (built in)",
        "cannot be read (invalid type: string \"much\", expected f64)",
        "write it like the default, 0.05",
    ),
    (
        "[cache]\nbackground_refreshes = 2.5",
        "cache.background_refreshes (built in)",
        "cannot be read (invalid type: floating point `2.5`, expected usize)",
        "write it like the default, 64",
    ),
    (
        "[edge]\nhsts = 'yes'",
        "edge.hsts (built in)",
        "cannot be read (invalid type: string \"yes\", expected a boolean)",
        "write it like the default, false",
    ),
    (
        "[edge]\ncors_origins = 'https://a.test'",
        "edge.cors_origins (built in)",
        "cannot be read (invalid type: string \"https://a.test\", expected a sequence)",
        "write it like the default, []",
    ),
    (
        "[edge]\ncors_origins = ['https://a.test', 2]",
        "edge.cors_origins (built in)",
        "cannot be read (invalid type: integer `2`, expected a string)",
        "write it like the default, []",
    ),
    (
        "[log]\nformat = 'xml'",
        "log.format (built in)",
        "cannot be read (unknown variant `xml`, expected `json` or `text`)",
        "write it like the default, \"json\"",
    ),
    (
        "[endpoints.getRadar]\nbudget = 800",
        "endpoints.getRadar.budget (built in)",
        "cannot be read (invalid type: integer `800`, expected a duration)",
        "docs/configuration.md says what it takes",
    ),
    (
        "[upstreams]\nradar = 'http://r'",
        "upstreams.radar (built in)",
        "cannot be read (invalid type: string \"http://r\", expected a table)",
        "write [upstreams.radar] and the keys below it",
    ),
    (
        "[auth]\nissuers = 5",
        "auth.issuers (built in)",
        "cannot be read (invalid type: integer `5`, expected a map)",
        "write [auth.issuers.<name>] and the keys below it",
    ),
    // Values that break a rule.
    (
        "[upstreams.radar]\nowner = 'us'",
        "upstreams.radar.url",
        "is missing",
        "write http://host:port or https://host, with a path if need be",
    ),
    (
        "[upstreams.radar]\nurl = 'http://r'\ntimeout = '300ms'",
        "upstreams.radar.attempt_timeout (default)",
        "an attempt may take 400ms, the whole call only 300ms",
        "make it shorter than timeout",
    ),
    (
        "[log]\nfilter = '=='",
        "log.filter (built in)",
        "\"==\" cannot be read (invalid filter directive)",
        "write a level such as \"info\"",
    ),
];

#[test]
fn one_mistake() {
    for (toml, key, problem, remedy) in ONE {
        let text = format!("{GOOD}{toml}");
        assert_eq!(refused(&Sources::default().text(&text)), [format!("{key}: {problem}; {remedy}")], "{toml}");
    }
}

#[test]
fn variables_and_flags_make_mistakes_too() {
    let check = |sources: Sources<'_>, key: &str, problem: &str, remedy: &str| {
        assert_eq!(refused(&sources), [format!("{key}: {problem}; {remedy}")]);
    };
    check(
        good().env([("BFF_UPSTREAMS__STATION__TIMOUT", "1s")]),
        "upstreams.station.timout (BFF_UPSTREAMS__STATION__TIMOUT)",
        "unknown key",
        "did you mean `timeout`?",
    );
    check(good().set("srever.listen", "1"), "srever (--set)", "unknown key", "did you mean `server`?");
    check(
        good().set("server.max_connections", "many"),
        "server.max_connections (--set)",
        "cannot be read (invalid type: string \"many\", expected usize)",
        "write it like the default, 10000",
    );
    check(
        good().env([("BFF_SERVER__LISTEN", "8080")]),
        "server.listen (BFF_SERVER__LISTEN)",
        "cannot be read (invalid socket address syntax)",
        "write it like the default, \"127.0.0.1:8080\"",
    );
    check(
        good().env([("BFF_UPSTREAMS__STATION", "http://a.test")]),
        "upstreams.station (BFF_UPSTREAMS__STATION)",
        "cannot be read (invalid type: string \"http://a.test\", expected a table)",
        "write [upstreams.station] and the keys below it",
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
        vec![Mistake { key: "upstreams.station".into(), problem: "is odd".into(), remedy: "look".into(), origin: None }]
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
    assert!(
        Report(&found)
            .to_string()
            .starts_with("error: 11 mistakes in the configuration\n  auth.issuers.corp-sso.leway (built in): ")
    );
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
fn a_value_in_a_file_that_is_wrong() {
    let secret = scratch("secret", "hunter2").display().to_string();
    let spaced = scratch("spaced", "hunter 2").display().to_string();
    let long = scratch("long", &"x".repeat(64 * 1024 + 1)).display().to_string();
    let check = |key: &str, file: &str, from: &str, problem: &str, remedy: &str| {
        let found = refused(&good().set(format!("upstreams.station.{key}.file"), file));
        assert_eq!(found, [format!("upstreams.station.{key} ({from}): {problem}; {remedy}")]);
    };
    check(
        "timeout",
        &secret,
        &format!("{secret}, named in --set"),
        "cannot be read (the value is not shown)",
        "write it like the default, \"500ms\"",
    );
    check(
        "forward",
        &spaced,
        &format!("{spaced}, named in --set"),
        "\"********\" is no header name",
        "use names such as \"accept-language\"",
    );
    let remedy = "name a text file that this process may read";
    let problem = "the file /no/such cannot be read (No such file or directory (os error 2))";
    check("url", "/no/such", "--set", problem, remedy);
    check("url", &long, "--set", &format!("the file {long} cannot be read (longer than 64 KiB)"), remedy);
}
