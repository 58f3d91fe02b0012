//! Which route a request is for.

use super::super::pattern::{Reading, has_dots, without_first};
use super::super::table::Found;
use super::*;

fn takes(pattern: &str, path: &str) -> bool {
    Pattern::new(pattern).unwrap().takes(path, Reading::Strict)
}

#[test]
fn paths() {
    for (pattern, taken, not_taken) in [
        ("/", &["/"][..], &["/a", "//"][..]),
        ("/a", &["/a", "/%61"], &["/", "/a/", "/b", "/a/b", "/A", "/ab"]),
        ("/a/", &["/a/"], &["/a", "/a/b"]),
        ("/a%20b", &["/a%20b", "/%61%20b"], &["/a+b"]),
        ("/f/{id}/raw", &["/f/1/raw", "/f/a%2Fb/raw", "/f/%/raw"], &["/f//raw", "/f/raw", "/f/1/2/raw", "/f/1/raw/"]),
        ("/v1/*", &["/v1", "/v1/", "/v1/a", "/v1/a/b", "/v1//", "/%76%31/a"], &["/v", "/v12", "/v2/a", "/"]),
        ("/*", &["/", "/a", "/a/b", "//a"], &["*"]),
        ("/t/{t}/*", &["/t/1", "/t/1/", "/t/1/a"], &["/t", "/t/", "/t//a"]),
    ] {
        for path in taken {
            assert!(takes(pattern, path), "{pattern} {path}");
        }
        for path in not_taken {
            assert!(!takes(pattern, path), "{pattern} {path}");
        }
    }
}

#[test]
fn segments_that_lead_elsewhere() {
    let dotted =
        ["/..", "/a/../b", "/a/.", "/a/./b", "/%2e%2E/b", "/a/.%2e", "/a/%2e", "/a%2f..%2fb", "/a%5c..", "/a\\..\\b"];
    for path in dotted.into_iter().chain(["/..;x/b", "/..%3bx", "/a/..%2F", "/%2e%2e%2fb", "/a/.;"]) {
        assert!(has_dots(path), "{path}");
    }
    for path in ["/", "/a..b", "/...", "/.well-known/x", "/a/..b", "/a%2fb", "/;..", "/%252e%252e/"] {
        assert!(!has_dots(path), "{path}");
    }
}

#[test]
fn what_is_left_of_a_path() {
    for (path, segments, left) in [
        ("/v1/a/b", 1, "/a/b"),
        ("/v1", 1, ""),
        ("/v1/", 1, "/"),
        ("/a/b", 0, "/a/b"),
        ("/a/b/c", 2, "/c"),
        ("/a", 3, ""),
    ] {
        assert_eq!(without_first(path, segments), left, "{path} {segments}");
    }
}

fn table(routes: &str) -> Table {
    let settings = settings(routes).routes;
    Table::new(settings.iter().map(|(name, route)| Entry::new(name, route).unwrap()).collect())
}

#[track_caller]
fn finds(table: &Table, head: &Parts, name: &str) {
    let found = match table.find(head) {
        Found::Route(index) => table.entries()[index].name.clone(),
        Found::NotThisMethod(index) => format!("not {}", table.entries()[index].name),
        Found::Doubtful(index) => format!("doubtful {}", table.entries()[index].name),
        Found::Nothing => String::new(),
    };
    assert_eq!(found, name, "{} {}", head.method, head.uri);
}

#[test]
fn the_most_specific_route_goes_first() {
    let table = table(
        "[routes.all]\npath = '/*'\nupstream = 'u'\n\
         [routes.v1]\npath = '/v1/*'\nupstream = 'u'\n\
         [routes.thing]\npath = '/v1/{thing}'\nupstream = 'u'\n\
         [routes.named]\npath = '/v1/named'\nupstream = 'u'\n\
         [routes.below]\npath = '/v1/{thing}/*'\nupstream = 'u'\n\
         [routes.other]\npath = '/{version}/other'\nupstream = 'u'\n",
    );
    for (path, name) in [
        ("/", "all"),
        ("/v2/a", "all"),
        ("/v1", "v1"),
        ("/v1/", "v1"),
        ("/v1/a", "thing"),
        ("/v1/named", "named"),
        ("/v1/a/b", "below"),
        ("/v2/other", "other"),
        // Literal earlier.
        ("/v1/other", "thing"),
    ] {
        finds(&table, &head(Method::GET, path, &[]), name);
    }
}

#[test]
fn conditions_hold_or_another_route_is_looked_for() {
    let table = table(
        "[routes.plain]\npath = '/a'\nupstream = 'u'\n\
         [routes.reads]\npath = '/a'\nupstream = 'u'\nmethods = ['GET']\n\
         [routes.host]\npath = '/a'\nupstream = 'u'\nhosts = ['API.example.com', '*.cdn.test', '[::1]']\nmethods = ['GET']\n\
         [routes.tv]\npath = '/a'\nupstream = 'u'\nheaders = { x-client = 'tv', x-lab = '' }\nquery = { f = 'a b', g = '' }\n",
    );
    for (method, target, headers, name) in [
        (Method::GET, "/a", &[][..], "reads"),
        (Method::POST, "/a", &[], "plain"),
        (Method::from_bytes(b"PURGE").unwrap(), "/a", &[], "plain"),
        (Method::TRACE, "/a", &[], "not reads"),
        (Method::GET, "/a", &[("host", "api.EXAMPLE.com:8443")], "host"),
        (Method::GET, "/a", &[("host", "api.example.com.")], "host"),
        (Method::GET, "/a", &[("host", "[::1]:80")], "host"),
        (Method::GET, "/a", &[("host", "x.y.CDN.test")], "host"),
        (Method::GET, "/a", &[("host", "cdn.test")], "reads"),
        (Method::GET, "/a", &[("host", ".cdn.test")], "reads"),
        (Method::GET, "http://api.example.com:1/a", &[("host", "b.test")], "host"),
        (Method::GET, "/a?f=a+b&g", &[("x-client", "pc"), ("x-client", "tv"), ("x-lab", "1")], "tv"),
        (Method::GET, "/a?g=1&%66=a%20b", &[("x-client", "tv"), ("x-lab", "")], "tv"),
        (Method::GET, "/a?f=a&g", &[("x-client", "tv"), ("x-lab", "1")], "reads"),
        (Method::GET, "/a?f=a+b", &[("x-client", "tv"), ("x-lab", "1")], "reads"),
        (Method::GET, "/a?f=a+b&g", &[("x-client", "tv")], "reads"),
        (Method::GET, "/b", &[], ""),
    ] {
        finds(&table, &head(method, target, headers), name);
    }
}

#[test]
fn a_stricter_route_is_not_gone_around() {
    let table = table(
        "[routes.all]\npath = '/*'\nupstream = 'u'\n\
         [routes.admin]\npath = '/v1/admin'\nupstream = 'u'\nauth = 'user'\nroles = ['admin']\n\
         [routes.inner]\npath = '/in/{thing}/raw'\nupstream = 'u'\nauth = 'user'\n\
         [routes.same]\npath = '/v1/same'\nupstream = 'other'\n",
    );
    for (path, name) in [
        ("/v1/admin", "admin"),
        ("/v1/%61dmin", "admin"),
        ("/v1//admin", "doubtful all"),
        ("/v1/admin/", "doubtful all"),
        ("/v1%2fadmin", "doubtful all"),
        ("/v1%5Cadmin", "doubtful all"),
        ("/v1/admin;a=b", "doubtful all"),
        ("/x/../v1/admin", "doubtful all"),
        // Whoever may come by here may come by there.
        ("/in/a%2Fb/raw", "inner"),
        ("/v1//same", "all"),
        ("/v1/same/", "all"),
        ("/files/a%2Fb", "all"),
        ("/files/", "all"),
    ] {
        finds(&table, &head(Method::GET, path, &[]), name);
    }
}

#[test]
fn the_methods_of_all_routes_at_a_path_are_allowed() {
    let table = table(
        "[routes.a]\npath = '/a'\nupstream = 'u'\nmethods = ['GET', 'PUT']\n\
         [routes.b]\npath = '/{x}'\nupstream = 'u'\nmethods = ['POST', 'GET']\n",
    );
    let head = head(Method::DELETE, "/a", &[]);
    finds(&table, &head, "not a");
    assert_eq!(table.allowed(&head), "GET, PUT, POST");
}
