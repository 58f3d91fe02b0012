//! RFC 9111 §4, §4.1: which of the kept answers is meant.

use bff_core::resilience::VariantSettings;

use super::origin::{Gate, Origin, Seen, Step, cc};
use super::route::{Route, expect_kept};
use crate::world::{Answer, h2_client};

fn answers_by(names: &'static str) -> impl Fn(&Seen) -> Step {
    move |seen| {
        let said: Vec<String> = names.split(',').map(|name| seen.header(name.trim())).collect();
        cc("max-age=60").header("vary", names).body(said.join("|"))
    }
}

#[tokio::test]
async fn rfc9111_4_the_whole_target_counts() {
    let targets = ["/a", "/A", "/a/", "/a?", "/a?x=1", "/a?x=1&y=2", "/a?y=2&x=1", "/a%41", "/b", "/"];
    let origin = Origin::by(|seen| cc("max-age=60").body(seen.target.clone())).await;
    let route = Route::over(&origin).await;
    for target in targets {
        route.get(target).await.expect_body(target);
    }
    assert_eq!(origin.count(), targets.len());
    for target in targets {
        route.get(target).await.expect_hit().expect_body(target);
    }
}

#[tokio::test]
async fn rfc9111_4_the_host_counts() {
    let origin = Origin::by(|seen| cc("max-age=60").body(seen.header("x-forwarded-host"))).await;
    let route = Route::over(&origin).await;
    for host in ["a.example", "b.example", "b.example:81"] {
        route.get("/").header("host", host).await.expect_body(host);
    }
    for host in ["a.example", "b.example", "b.example:81"] {
        route.get("/").header("host", host).await.expect_hit().expect_body(host);
    }
    // What a client claims of its host does not count where no proxy is in front.
    route
        .get("/")
        .header("host", "a.example")
        .header("x-forwarded-host", "c.example")
        .await
        .expect_hit()
        .expect_body("a.example");
}

#[tokio::test]
async fn rfc9111_4_a_head_is_answered_from_a_get() {
    let route = Route::of([cc("max-age=60").header("x-a", "b")]).await;
    route.get("/").await;
    let got = route.head("/").await;
    got.expect_hit().expect_body("");
    assert_eq!((got.header("x-a").as_str(), got.header("content-length").as_str()), ("b", "8"));
}

#[tokio::test]
async fn rfc9111_4_other_methods_are_not_answered_from_a_get() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let route = Route::of([cc("max-age=60")]).await;
        route.get("/").await;
        let got = route.ask(method, "/").await;
        got.expect_from_origin(2);
        assert_eq!(got.how(), "fwd=method", "{method}");
    }
}

#[tokio::test]
async fn rfc9111_4_1_each_variant_is_kept_for_its_own() {
    let origin = Origin::by(answers_by("accept-language")).await;
    let route = Route::over(&origin).await;
    let ask = |language: &str| route.get("/").header("accept-language", language);
    let languages = ["de", "fr", "en;q=0.5, de", "DE"];
    for language in languages {
        assert_eq!(ask(language).await.expect_body(language).asked, 1);
    }
    for language in languages {
        ask(language).await.expect_hit().expect_body(language);
    }
    assert_eq!(ask("it").await.how(), "fwd=vary-miss; stored");
}

#[tokio::test]
async fn rfc9111_4_1_absent_is_not_the_same_as_there() {
    let origin = Origin::by(answers_by("x-a")).await;
    let route = Route::over(&origin).await;
    assert_eq!(route.get("/").await.asked, 1);
    assert_eq!(route.get("/").header("x-a", "1").await.expect_body("1").asked, 1);
    assert_eq!(route.get("/").header("x-a", "").await.expect_body("").asked, 1);
    route.get("/").await.expect_hit();
    route.get("/").header("x-a", "").await.expect_hit();
    route.get("/").header("x-a", "1").await.expect_hit().expect_body("1");
}

#[tokio::test]
async fn rfc9111_4_1_blanks_and_lines_do_not_count() {
    let origin = Origin::by(answers_by("x-a")).await;
    let route = Route::over(&origin).await;
    route.get("/").header("x-a", "a, b").await;
    for same in ["a,b", "a , b", "a,\tb", "a,,b", " a, b "] {
        assert!(route.get("/").header("x-a", same).await.is_hit(), "{same:?}");
    }
    route.get("/").header("x-a", "a").header("x-a", "b").await.expect_hit();
    for other in ["b, a", "a", "a b", "\"a,b\"", "a, B"] {
        assert!(!route.get("/").header("x-a", other).await.is_hit(), "{other:?}");
    }
}

#[tokio::test]
async fn rfc9111_4_1_several_names_in_any_form() {
    for lines in [&["x-a, x-b"][..], &["X-A,X-B"], &["x-b", "x-a"], &[", x-a ,,x-b"], &["x-a", "", "X-a, x-b"]] {
        let origin = Origin::by(move |seen| {
            let body = format!("{}|{}", seen.header("x-a"), seen.header("x-b"));
            lines.iter().fold(cc("max-age=60"), |step, line| step.header("vary", line)).body(body)
        })
        .await;
        let route = Route::over(&origin).await;
        let ask = |a: &str, b: &str| route.get("/").header("x-a", a).header("x-b", b);
        for (a, b) in [("1", "1"), ("1", "2"), ("2", "1")] {
            assert_eq!(ask(a, b).await.expect_body(&format!("{a}|{b}")).asked, 1, "{lines:?}");
        }
        for (a, b) in [("1", "1"), ("1", "2"), ("2", "1")] {
            ask(a, b).header("x-c", "3").await.expect_hit().expect_body(&format!("{a}|{b}"));
        }
    }
}

#[tokio::test]
async fn rfc9111_4_1_a_star_never_matches() {
    let stars = ["*", " * ", "*, accept", "accept, *", "accept,*", "*,*"]
        .map(|vary| (cc("max-age=60").header("vary", vary), false));
    expect_kept(stars.into()).await;
    let two_lines = cc("max-age=60").header("vary", "accept").header("vary", "*");
    expect_kept(vec![(two_lines, false), (cc("max-age=60").header("vary", ""), true)]).await;
}

#[tokio::test]
async fn rfc9111_4_1_a_name_that_is_none_matches_nothing_wrong() {
    // Not a name: what it stands for cannot be compared.
    let route = Route::of([cc("max-age=60").header("vary", "x a")]).await;
    route.get("/").header("x-a", "1").await;
    assert!(route.get("/").header("x-a", "1").await.status() == 200);
}

#[tokio::test]
async fn rfc9111_4_1_who_waits_together_gets_each_their_own_variant() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| answers_by("accept-language")(seen).behind(&held)).await;
    let route = Route::over(&origin).await;
    let first = route.get("/").header("accept-language", "de").into_future();
    let others = async {
        origin.until(1).await;
        let asks = ["fr", "de", "it"].map(|language| route.get("/").header("accept-language", language).into_future());
        let asks = futures::future::join_all(asks);
        let (got, ()) = futures::join!(asks, async { gate.open() });
        got
    };
    let (first, others) = futures::join!(first, others);
    first.expect_body("de");
    for (language, got) in ["fr", "de", "it"].iter().zip(others) {
        got.expect_body(language);
    }
}

#[tokio::test]
async fn rfc9111_4_1_the_names_may_change_from_answer_to_answer() {
    let origin = Origin::by(|seen| {
        let vary = if seen.header("x-a") == "1" { "x-a, x-b" } else { "x-a" };
        cc("max-age=60").header("vary", vary).body(format!("{}|{}", seen.header("x-a"), seen.header("x-b")))
    })
    .await;
    let route = Route::over(&origin).await;
    let ask = |a: &str, b: &str| route.get("/").header("x-a", a).header("x-b", b);
    for (a, b) in [("1", "1"), ("2", "1"), ("1", "2"), ("1", "1"), ("2", "2"), ("1", "2")] {
        let got = ask(a, b).await;
        assert!(got.text().starts_with(a) && (a == "2" || got.text().ends_with(b)), "{a}|{b}: {got:?}");
    }
}

#[tokio::test]
async fn routes_that_add_different_headers_share_no_answer() {
    let origin = Origin::by(|seen| cc("max-age=60").body(seen.header("x-tenant"))).await;
    let route = Route::with(&origin, |settings| {
        let mut other = settings.routes["everything"].clone();
        other.path = "/other/*".to_owned();
        other.strip_prefix = Some("/other".to_owned());
        other.request_headers.set.insert("x-tenant".to_owned(), "other".to_owned());
        settings.routes.insert("other".to_owned(), other);
    })
    .await;
    route.twice("/a").await.expect_hit().expect_body("");
    route.twice("/other/a").await.expect_hit().expect_body("other");
}

#[tokio::test]
async fn both_versions_of_http_share_what_is_kept() {
    let route = Route::of([cc("max-age=60")]).await;
    route.get("/a?b").await.expect_from_origin(1);
    let got = Answer::to(h2_client().get(route.url("/a?b"))).await;
    assert_eq!((got.text().as_str(), route.origin.count()), ("answer 1", 1));
}

#[tokio::test]
async fn what_is_filtered_is_kept_whole_and_shown_in_part() {
    let body = r#"{"name":"a","secret":"b"}"#;
    let origin = Origin::new([cc("max-age=60").header("content-type", "application/json").body(body)]).await;
    let route = Route::with(&origin, |settings| {
        let mut other = settings.routes["everything"].clone();
        other.path = "/shown/*".to_owned();
        other.strip_prefix = Some("/shown".to_owned());
        other.json.deny = vec!["secret".to_owned()];
        settings.routes.insert("shown".to_owned(), other);
    })
    .await;
    for _ in 0..2 {
        route.get("/a").await.expect_body(body);
        let shown = route.get("/shown/a").await;
        shown.expect_body(r#"{"name":"a"}"#);
        route.get("/shown/a").header("range", "bytes=0-30").await.expect_body(r#"{"name":"a"}"#);
        let known = shown.header("etag");
        route.get("/shown/a").header("if-none-match", known).await.expect_status(304).expect_body("");
        route.head("/shown/a").await.expect_status(200).expect_body("");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn a_version_for_some_is_not_handed_to_others() {
    let canary = Origin::by(|_| cc("max-age=60").body("canary")).await;
    let origin = Origin::by(|_| cc("max-age=60").body("main")).await;
    let route = Route::with(&origin, |settings| {
        let url = format!("http://{}", canary.address);
        let lab = VariantSettings { url, header: Some("x-lab: on".to_owned()), ..VariantSettings::default() };
        settings.upstreams.get_mut("origin").unwrap().variants.insert("lab".to_owned(), lab);
    })
    .await;
    route.get("/").header("x-lab", "on").await.expect_body("canary");
    route.get("/").await.expect_body("main");
    route.get("/").header("x-lab", "on").await.expect_body("canary");
}

async fn behind_proxy(origin: &Origin) -> Route {
    Route::with(origin, |settings| settings.edge.trusted_proxies = vec!["127.0.0.1".to_owned()]).await
}

#[tokio::test]
async fn rfc9111_2_all_that_proxies_say_of_the_host_counts() {
    let origin = Origin::by(|seen| cc("max-age=60").body(seen.header("x-forwarded-host"))).await;
    let route = behind_proxy(&origin).await;
    for hosts in ["a.example, proxy.example", "b.example, proxy.example"] {
        route.get("/").header("x-forwarded-host", hosts).await.expect_body(hosts);
    }
}

#[tokio::test]
async fn rfc9111_2_so_does_what_a_second_line_says() {
    let origin = Origin::by(|seen| cc("max-age=60").body(seen.header("x-forwarded-host"))).await;
    let route = behind_proxy(&origin).await;
    for second in ["a.example", "b.example"] {
        let got = route.get("/").header("x-forwarded-host", "proxy.example").header("x-forwarded-host", second).await;
        got.expect_body(&format!("proxy.example, {second}"));
    }
}

#[tokio::test]
async fn rfc9111_2_http_and_https_are_two_targets() {
    let origin = Origin::by(|seen| match seen.header("x-forwarded-proto").as_str() {
        "https" => cc("max-age=60"),
        _ => cc("max-age=60").status(301).header("location", "https://a.example/"),
    })
    .await;
    let route = behind_proxy(&origin).await;
    route.get("/").header("x-forwarded-proto", "http").await.expect_status(301);
    route.get("/").header("x-forwarded-proto", "https").await.expect_status(200);
}
