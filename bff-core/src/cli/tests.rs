//! The program around a BFF, without a process.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::*;
use crate::fetched::Fetched;
use crate::upstream::Client;
use crate::{Composer, Json, Meta, Path as PathArgument, Policy, compose, path};

/// The weather station's client.
#[derive(Clone, Debug)]
struct Station(Client);

impl From<Client> for Station {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl Station {
    async fn words(&self, station: &str) -> crate::Result<Fetched<String>> {
        self.0.get(path!("/stations/{}", station)).shared().await
    }
}

crate::upstreams! {
    struct Upstreams {
        station: Station,
    }
}

/// What the weather screen shows.
#[derive(Debug, Serialize, ToSchema)]
struct Weather {
    now: String,
    outlook: Option<String>,
    meta: Meta,
}

/// Weather
#[utoipa::path(get, path = "/weather/{id}", params(("id" = String, Path)), responses((status = OK, body = Weather)))]
async fn weather(
    page: Composer,
    up: Upstreams,
    PathArgument(id): PathArgument<String>,
) -> crate::Result<Json<Weather>> {
    compose!(page => Weather {
        now: subject(async { up.station.words(&id).await.map(Fetched::into_inner) }),
        outlook: optional(async { up.station.words("outlook").await.map(Fetched::into_inner) }),
    })
}

fn bff() -> Bff<Upstreams> {
    let policy = Policy::public().budget(Duration::from_millis(800));
    Bff::new("outdoor", "1.2.3").describe("For walkers").page(crate::routes!(weather), policy)
}

fn guarded() -> Bff<Upstreams> {
    Bff::new("outdoor", "1.2.3").page(crate::routes!(weather), Policy::user().role("walker").scope("sky:read"))
}

const URL: (&str, &str) = ("BFF_UPSTREAMS__STATION__URL", "http://127.0.0.1:9");
const OWNER: (&str, &str) = ("BFF_UPSTREAMS__STATION__OWNER", "rain");

fn said(bff: &Bff<Upstreams>, arguments: &[&str], env: &[(&str, &str)]) -> Said {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    run(bff, std::iter::once("outdoor").chain(arguments.iter().copied()), env)
}

#[test]
fn usage() {
    for (arguments, code, out, err) in [
        (vec!["--help"], 0, "For walkers\n", ""),
        (vec!["--version"], 0, "outdoor 1.2.3\n", ""),
        (vec!["serve", "--help"], 0, "Serves until it is told to stop", ""),
        (vec!["sevre"], 2, "", "error: unrecognized subcommand 'sevre'"),
        (vec!["--workers", "0"], 2, "", "error: invalid value '0' for '--workers <N>'"),
        (vec!["check", "--set", "x"], 2, "", "error: invalid value 'x' for '--set <KEY=VALUE>': write KEY=VALUE"),
    ] {
        let said = said(&bff(), &arguments, &[]);
        assert_eq!(said.code, code, "{arguments:?} {said:?}");
        assert!(said.out.starts_with(out) && said.err.starts_with(err), "{arguments:?} {said:?}");
        assert_eq!(
            (said.out.is_empty(), said.err.is_empty()),
            (out.is_empty(), err.is_empty()),
            "{arguments:?} {said:?}"
        );
    }
}

#[test]
fn check_says_ok() {
    let said = said(&bff(), &["check"], &[URL, OWNER]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "ok\n", ""));
}

#[test]
fn check_says_every_mistake() {
    let env = [
        ("BFF_UPSTREAMS__STATION__TIMOUT", "1s"),
        ("BFF_UPSTREAMS__RADAR__URL", "http://r"),
        ("BFF_ENDPOINTS__GETMOON__BUDGET", "1s"),
    ];
    let said = said(&bff(), &["check"], &env);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert_eq!(
        said.err,
        "error: 4 mistakes in the configuration\n  \
         endpoints.getmoon (BFF_ENDPOINTS__GETMOON__BUDGET): this BFF has no such endpoint; it has getWeather\n  \
         upstreams.radar (BFF_UPSTREAMS__RADAR__URL): this BFF has no such upstream; it has station\n  \
         upstreams.station.timout (BFF_UPSTREAMS__STATION__TIMOUT): unknown key; did you mean `timeout`?\n  \
         upstreams.station.url: is missing; write http://host:port or https://host, with a path if need be\n"
    );
}

#[test]
fn check_says_what_is_wrong_with_the_endpoints_too() {
    #[utoipa::path(get, path = "/weather/{place}", params(("id" = String, Path)), responses((status = OK, body = Weather)))]
    async fn there(page: Composer, up: Upstreams) -> crate::Result<Json<Weather>> {
        weather(page, up, PathArgument("there".to_owned())).await
    }
    let wrong = bff().page(crate::routes!(there), Policy::public());
    let clash = "GET /weather/{place} (getThere): nothing tells its path from /weather/{id}; ";
    let declared = "GET /weather/{place} (getThere): `params` declares \"id\", which the path does not have; ";
    let checked = said(&wrong, &["check"], &[URL, OWNER]);
    assert_eq!((checked.code, checked.out.as_str()), (1, ""));
    assert!(
        checked.err.starts_with("error: cannot start: 3 mistakes in the endpoints\n  GET /weather/"),
        "{}",
        checked.err
    );
    let unconfigured = said(&wrong, &["check"], &[]);
    assert!(unconfigured.err.starts_with("error: 1 mistake in the configuration\n"), "{}", unconfigured.err);
    for said in [checked, unconfigured, said(&wrong, &["routes"], &[]), said(&wrong, &["openapi"], &[])] {
        for part in [clash, declared, "mistakes in the endpoints\n"] {
            assert!(said.code == 1 && said.err.contains(part), "{part}: {said:?}");
        }
    }
    let served =
        said(&wrong, &["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--log-filter", "off"], &[URL]);
    assert!(served.code == 1 && served.err.contains(clash), "{served:?}");
}

#[test]
fn check_warns() {
    let said = said(
        &bff(),
        &["check", "--set", "upstreams.station.connect_timeout=450ms"],
        &[URL, ("BFF_ENDPOINTS__GETWEATHER__BUDGET", "600ms"), ("BFF_ENDPOINTS__GETWEATHER__SOFT_SHARE", "0.84")],
    );
    assert_eq!((said.code, said.out.as_str()), (0, "ok\n"), "{}", said.err);
    assert_eq!(
        said.err,
        "warning: upstreams.station.connect_timeout (--set): is never reached, because an attempt \
         ends before it; make it shorter than attempt_timeout\n\
         warning: upstreams.station.owner: nobody is named who can be called when it fails; name a team\n"
    );
}

#[test]
fn a_page_with_less_patience_than_an_upstream_is_odd() {
    let other = Policy::public().budget(Duration::from_secs(2));
    let bff = bff().page(crate::routes!(slow_weather), other);
    let said = said(&bff, &["check"], &[URL, OWNER, ("BFF_UPSTREAMS__STATION__TIMEOUT", "700ms")]);
    assert_eq!(
        said.err,
        "warning: endpoints.getWeather.budget: parts it can do without degrade after 680ms, before calls to \
         station time out; if it calls them, make their timeout shorter or its budget longer\n"
    );
}

/// Weather, at leisure
#[utoipa::path(get, path = "/slow-weather", responses((status = OK, body = Weather)))]
async fn slow_weather(page: Composer, up: Upstreams) -> crate::Result<Json<Weather>> {
    weather(page, up, PathArgument("here".to_owned())).await
}

#[test]
fn without_configuration_nobody_is_served() {
    let said = said(&bff(), &[], &[]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert_eq!(
        said.err,
        "error: 1 mistake in the configuration\n  upstreams.station: is missing; add [upstreams.station] with its url\n"
    );
}

#[test]
fn a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = said(
        &bff(),
        &["--listen", &address, "--management", "127.0.0.1:0", "--log-filter", "off", "--workers", "1"],
        &[URL],
    );
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("error: port ") && said.err.contains("--listen"), "{}", said.err);
}

#[test]
fn flags_stand_in_front_of_the_command_and_behind_it() {
    let arguments = [
        "--set",
        "log.filter=warn",
        "--listen",
        "127.0.0.1:1",
        "config",
        "--set",
        "cache.jitter=0.5",
        "--listen",
        "127.0.0.1:2",
    ];
    let said = said(&bff(), &arguments, &[URL]);
    assert_eq!(said.code, 0, "{}", said.err);
    for line in [
        "listen = \"127.0.0.1:2\"  # from --listen",
        "filter = \"warn\"  # from --set",
        "jitter = 0.5  # from --set",
        "url = \"http://127.0.0.1:9\"  # from BFF_UPSTREAMS__STATION__URL",
    ] {
        assert!(said.out.lines().any(|shown| shown == line), "{line}\n{}", said.out);
    }
}

#[test]
fn the_file_is_named_by_a_variable_or_a_flag() {
    for (arguments, env, expect) in [
        (vec!["check"], vec![("BFF_CONFIG", "/no/a.toml")], "  /no/a.toml: cannot be read"),
        (vec!["check", "--config", "/no/b.toml"], vec![("BFF_CONFIG", "/no/a.toml")], "  /no/b.toml: cannot be read"),
        (vec!["check"], vec![("BFF_CONFIG", "")], "  upstreams.station: is missing"),
    ] {
        let said = said(&bff(), &arguments, &env);
        assert!(said.err.contains(expect), "{arguments:?} {}", said.err);
    }
}

#[test]
fn routes_need_no_configuration() {
    let text = said(&bff(), &["routes"], &[]);
    assert_eq!(
        text.out,
        "METHOD  PATH           NAME        BUDGET  WHEN FULL  WHO      PARTS\n\
         GET     /weather/{id}  getWeather  800ms   normal     anybody  subject now, optional outlook\n"
    );
    let guarded = said(&guarded(), &["routes"], &[]);
    assert!(guarded.out.contains("  user, role walker, scope sky:read  subject now"), "{}", guarded.out);
    let json = said(&bff(), &["routes", "--json"], &[]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "method": "GET", "path": "/weather/{id}", "name": "getWeather", "budget": "800ms", "criticality": "normal",
            "needs_identity": false, "roles": [], "scopes": [],
            "parts": [{ "name": "now", "need": "subject" }, { "name": "outlook", "need": "optional" }],
        }])
    );
}

const ROUTE: [(&str, &str); 5] = [
    ("BFF_ROUTES__OLD__PATH", "/v1/*"),
    ("BFF_ROUTES__OLD__UPSTREAM", "files"),
    ("BFF_ROUTES__OLD__METHODS", "GET,PUT"),
    ("BFF_ROUTES__OLD__AUTH", "upstream"),
    ("BFF_ROUTES__OLD__COOKIES", "true"),
];

#[test]
fn routes_of_the_configuration_stand_below() {
    let text = said(&bff(), &["routes"], &ROUTE);
    let missing = "routes.old.upstream (BFF_ROUTES__OLD__UPSTREAM): there is no upstream \"files\"";
    assert!(text.code == 2 && text.err.contains(missing), "{text:?}");
    let env: Vec<_> = ROUTE.into_iter().chain([("BFF_UPSTREAMS__FILES__URL", "http://f")]).collect();
    let text = said(&bff(), &["routes"], &env);
    assert_eq!(
        text.out,
        "METHOD  PATH           NAME        BUDGET  WHEN FULL  WHO      PARTS\n\
         GET     /weather/{id}  getWeather  800ms   normal     anybody  subject now, optional outlook\n\n\
         METHODS  PATH   ROUTE  UPSTREAM  WHO                   ONLY WITH  ALSO\n\
         GET,PUT  /v1/*  old    files     as the upstream says             cookies\n",
        "{}",
        text.err
    );
    let json: serde_json::Value = serde_json::from_str(&said(&bff(), &["routes", "--json"], &env).out).unwrap();
    assert_eq!(
        (&json[1]["route"], &json[1]["methods"][1], &json[1]["auth"]),
        (&"old".into(), &"PUT".into(), &"upstream".into())
    );
}

#[test]
fn a_route_with_a_schema_changes_the_document() {
    let file = std::env::temp_dir().join(format!("bff-cli-routes-{}.toml", std::process::id()));
    let shown = file.display().to_string();
    let openapi = |schema: &str| {
        let route = "[upstreams.files]\nurl = 'http://f'\n[routes.old]\npath = '/v1/*'\nupstream = 'files'\n";
        std::fs::write(&file, format!("{route}{schema}")).unwrap();
        said(&bff(), &["openapi", "--config", &shown], &[])
    };
    let plain = said(&bff(), &["openapi"], &[]);
    assert_eq!(openapi("").out, plain.out, "a route without a schema is not in it");
    let with = openapi("schema = { type = 'object' }\n");
    assert!(with.out.contains("\"/v1/{rest}\"") && with.out.contains("\"getOld\""), "{with:?}");
    assert_eq!(openapi("schema = { type = 'nothing' }\n").code, 2);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_document_is_printed_and_compared() {
    let printed = said(&bff(), &["openapi"], &[]);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let file = std::env::temp_dir().join(format!("bff-cli-{}.json", std::process::id()));
    let shown = file.display().to_string();
    let compare = || said(&bff(), &["openapi", "--check", &shown], &[]);

    let said = compare();
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("cannot be read (") && said.err.contains(&format!("outdoor openapi > {shown}")),
        "{}",
        said.err
    );
    std::fs::write(&file, &printed.out).unwrap();
    let said = compare();
    assert_eq!((said.code, said.out.as_str()), (0, "ok\n"), "{}", said.err);
    std::fs::write(&file, printed.out.replace("3.1", "3.0")).unwrap();
    let said = compare();
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with(&format!("error: {shown} is not what the code says")), "{}", said.err);
    std::fs::remove_file(&file).unwrap();
}
