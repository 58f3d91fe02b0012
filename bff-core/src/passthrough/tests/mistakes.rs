//! Every mistake that can be made about a route.

use super::*;

/// Everything that is wrong with these routes, beside an upstream `u`.
fn mistakes(routes: &str) -> Vec<String> {
    let text = format!("{routes}\n[upstreams.station]\nurl = 'http://s'\n[upstreams.u]\nurl = 'http://u'\n");
    let sources = crate::config::Sources::default().text(&text);
    let loaded = Settings::load_checked(&sources, |settings| bff().check(settings));
    loaded.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn one(route: &str, key: &str, problem: &str) {
    let has = |key: &str| route.lines().any(|line| line.starts_with(&format!("{key} = ")));
    let path = if has("path") { "" } else { "path = '/v1/*'\n" };
    let upstream = if has("upstream") { "" } else { "upstream = 'u'\n" };
    let found =
        mistakes(&format!("[routes.other]\npath = '/other'\nupstream = 'u'\n[routes.it]\n{path}{upstream}{route}"));
    let key = if key.is_empty() { "routes.it".to_owned() } else { format!("routes.it.{key}") };
    assert_eq!(found.len(), 1, "{route}: {found:#?}");
    assert!(found[0].starts_with(&key) && found[0].contains(problem), "{route}: {found:#?}");
}

#[test]
fn of_one_route() {
    for (route, key, problem) in [
        ("path = ''", "path", "is missing"),
        ("path = 'v1'", "path", "does not begin with /"),
        ("path = '/a/*/b'", "path", "mixes text and a placeholder"),
        ("path = '/a*'", "path", "mixes text and a placeholder"),
        ("path = '/a/x{id}'", "path", "mixes text and a placeholder"),
        ("path = '/a/{}'", "path", "is no placeholder"),
        ("path = '/a/{b/*'", "path", "mixes text and a placeholder"),
        ("path = '/a/{x}/{x}'", "path", "uses one name twice"),
        ("path = '/a//b'", "path", "empty segment"),
        ("path = '/a?b'", "path", "cannot stand in a path"),
        ("path = '/a/%2e%2e/b'", "path", "leads elsewhere"),
        ("upstream = ''", "upstream", "is missing"),
        ("upstream = 'nobody'", "upstream", "there is no upstream \"nobody\"; add [upstreams.nobody] with its url"),
        ("methods = ['get']", "methods", "\"get\" is no method"),
        ("methods = ['CONNECT']", "methods", "\"CONNECT\" is no method"),
        ("hosts = ['a.test:80']", "hosts", "is no host"),
        ("hosts = ['*']", "hosts", "is no host"),
        ("headers = { 'a b' = '' }", "headers.a b", "is no header name"),
        ("headers = { x-user-id = 'ada' }", "headers.x-user-id", "never believed"),
        ("strip_prefix = '/v2'", "strip_prefix", "\"/v1/*\" does not begin with \"/v2\""),
        ("strip_prefix = '/v'", "strip_prefix", "does not begin with"),
        ("strip_prefix = '/v1/'", "strip_prefix", "is no row of segments"),
        ("add_prefix = 'api'", "add_prefix", "does not begin with /"),
        ("add_prefix = '/a/{b}'", "add_prefix", "is no row of segments"),
        ("timeout = '0s'", "timeout", "0 leaves no time"),
        ("idle_timeout = '0s'", "idle_timeout", "0 leaves no time"),
        ("auth = 'user'", "auth", "nobody can check them"),
        ("auth = 'upstream'\nroles = ['a']", "roles", "with auth = \"upstream\""),
        ("scopes = ['a']", "scopes", "with auth = \"public\""),
        ("cache = true\ncookies = true", "cache", "would be kept for others"),
        ("request_headers = { set = { host = 'a' } }", "request_headers.set", "belongs to the connection"),
        ("request_headers = { remove = ['Content-Length'] }", "request_headers.remove", "belongs to the connection"),
        ("request_headers = { set = { Keep-Alive = 'a' } }", "request_headers.set", "belongs to the connection"),
        ("request_headers = { set = { x-user-id = 'a' } }", "request_headers.set", "says who asks"),
        ("request_headers = { set = { x = \"a\\nb\" } }", "request_headers.set", "cannot stand in a header"),
        ("response_headers = { remove = ['a b'] }", "response_headers.remove", "is no header name"),
        ("response_headers = { set = { x = '1' }, remove = ['X'] }", "response_headers.remove", "is set as well"),
        ("json = { allow = ['a'] }\nwebsocket = true", "json", "a WebSocket cannot be filtered"),
        ("json = { allow = ['a', 'b'], deny = ['b'] }", "json.deny", "\"b\" is allowed as well"),
        ("json = { allow = ['a..b'] }", "json.allow", "is no path"),
        ("json = { rename = { a = 'c', b = 'c' } }", "json.rename", "two fields are called \"c\""),
        ("json = { allow = ['a', 'b'], rename = { a = 'b' } }", "json.rename", "two fields are called \"b\""),
        ("json = { rename = { a = '' } }", "json.rename", "gets no new name"),
        ("json = { allow = ['a'], rename = { b = 'c' } }", "json.rename", "\"b\" is not passed on"),
        ("json = { limit = 0 }", "json.limit", "0 refuses"),
        ("schema = { type = 'thing' }", "schema", "it is no schema"),
        ("schema = { type = 'object', iff = 1 }", "schema", "\"iff\" is no keyword"),
        ("schema = { '$ref' = '#/components/schemas/Nothing' }", "schema", "is no schema of the API document"),
        ("path = '/weather/{place}'", "path", "\"/weather/{id}\" is an endpoint of this BFF"),
        ("path = '/openapi.json'", "path", "is an endpoint of this BFF"),
        ("colour = 1", "colour", "unknown key"),
        ("auth = 'nobody'", "auth", "unknown variant"),
    ] {
        one(route, key, problem);
    }
}

#[test]
fn of_two_routes() {
    let both = |first: &str, second: &str| {
        mistakes(&format!("[routes.a]\nupstream = 'u'\n{first}\n[routes.b]\nupstream = 'u'\n{second}"))
    };
    for (first, second) in [
        ("path = '/a/{x}'", "path = '/a/{y}'"),
        ("path = '/a/*'", "path = '/%61/*'"),
        ("path = '/a'\nhosts = ['A.test', 'b.test']", "path = '/a'\nhosts = ['b.test', 'a.test']"),
        ("path = '/a'\nmethods = ['GET', 'PUT']", "path = '/a'\nmethods = ['PUT']"),
    ] {
        let found = both(first, second);
        assert_eq!(found.len(), 1, "{first} {second}: {found:?}");
        assert!(
            found[0].starts_with("routes.b.path (built in): nothing tells its requests from those of a;"),
            "{found:?}"
        );
    }
    for (first, second) in [
        ("path = '/a'", "path = '/a/*'"),
        ("path = '/a'\nmethods = ['GET']", "path = '/a'\nmethods = ['PUT']"),
        ("path = '/a'", "path = '/a'\nmethods = ['PUT']"),
        ("path = '/a'\nquery = { x = '' }", "path = '/a'\nquery = { x = '1' }"),
    ] {
        assert_eq!(both(first, second), [""; 0], "{first} {second}");
    }
}

#[test]
fn names_and_upstreams() {
    let found = mistakes("[routes.getWeather]\npath = '/a'\nupstream = 'u'");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("routes.getWeather") && found[0].contains("this name is taken"), "{found:?}");
    let route = "[routes.it]\npath = '/a'\nupstream = 'two'\npreserve_host = true\n[routes.other]\npath = '/b'\nupstream = 'u'\n";
    let found = mistakes(&format!("{route}[upstreams.two]\nurl = 'http://x'\nhttp2 = true\n"));
    assert!(found.len() == 1 && found[0].starts_with("routes.it.preserve_host"), "{found:?}");
    // An upstream that neither a typed client nor a route names is still unknown.
    assert!(mistakes("")[0].starts_with("upstreams.u (built in): this BFF has no such upstream"));
    // One that only routes name may be slower than pages are patient.
    let route = "[routes.it]\npath = '/a'\nupstream = 'slow'\n[upstreams.slow]\nurl = 'http://x'\ntimeout = '9s'\n";
    assert_eq!(mistakes(&format!("{route}[routes.other]\npath = '/b'\nupstream = 'u'")), [""; 0]);
}
