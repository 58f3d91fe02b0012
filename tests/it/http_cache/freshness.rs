//! RFC 9111 §4.2, §5.1, §5.3: how long an answer is good.

use super::origin::{Step, cc, date, step};
use super::route::{Route, expect_kept, pass};

fn all(directives: &[&str], kept: bool) -> Vec<(Step, bool)> {
    directives.iter().map(|directives| (cc(directives), kept)).collect()
}

#[tokio::test]
async fn rfc9111_4_2_1_max_age_in_every_form() {
    expect_kept(all(
        &[
            "max-age=60",
            "MAX-AGE=60",
            "Max-Age=60",
            "max-age=\"60\"",
            " max-age=60 ",
            "foo, max-age=60",
            "foo=\"no-store\", max-age=60",
            "foo=\"a, no-store\", max-age=60",
            "foo=\"a\\\", no-store\", max-age=60",
            ",,max-age=60,",
            "max-age=060",
            "max-age=2147483648",
            "max-age=99999999999999999999",
            "s-maxage=60",
            "S-MaxAge=60",
            "immutable, max-age=60",
        ],
        true,
    ))
    .await;
    expect_kept(all(
        &[
            "max-age=0",
            "max-age=",
            "max-age",
            "max-age=-1",
            "max-age=1.5",
            "max-age=60s",
            "max-age=ten",
            "max-age='60'",
            "max-age= 60",
            "max-age=6 0",
            "xmax-age=60",
            "max-agex=60",
            "s-maxage=0, max-age=60",
            "s-maxage=x, max-age=60",
            "foo=max-age=60",
            "foo=\"max-age=60\"",
        ],
        false,
    ))
    .await;
}

#[tokio::test]
async fn rfc9111_4_2_1_of_two_max_ages_the_lesser_counts() {
    let ages =
        |lines: &[&str]| lines.iter().fold(step(), |step, line| step.header("cache-control", line)).header("age", "30");
    expect_kept(vec![
        (ages(&["max-age=60, max-age=10"]), false),
        (ages(&["max-age=10, max-age=60"]), false),
        (ages(&["max-age=60", "max-age=10"]), false),
        (ages(&["max-age=10", "max-age=60"]), false),
        (ages(&["max-age=60", "max-age=50"]), true),
        (ages(&["s-maxage=60, s-maxage=10"]), false),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_4_2_1_s_maxage_before_max_age_before_expires() {
    let aged = |directives| cc(directives).header("age", "30");
    expect_kept(vec![
        (aged("max-age=10, s-maxage=60"), true),
        (aged("s-maxage=10, max-age=60"), false),
        (aged("max-age=60").header("expires", date(-100)), true),
        (aged("max-age=60").header("expires", "0"), true),
        (aged("max-age=10").header("expires", date(600)), false),
        (aged("s-maxage=60").header("expires", date(-100)), true),
        (aged("foo").header("expires", date(600)), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_5_3_expires_less_date() {
    let lines = |expires: &str, date: &str| step().header("expires", expires).header("date", date);
    expect_kept(vec![
        (lines(&date(60), &date(0)), true),
        (lines(&date(-10), &date(0)), false),
        (lines(&date(0), &date(0)), false),
        // It was good for two minutes from a minute ago; for one.
        (lines(&date(60), &date(-60)), true),
        (lines(&date(-30), &date(-60)), false),
        // The clock of the origin is ahead.
        (lines(&date(660), &date(600)), true),
        (lines(&date(600), &date(660)), false),
        (step().header("expires", date(60)), true),
        (lines(&date(60), &date(0)).header("age", "100"), false),
        (lines(&date(60), "yesterday"), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_5_3_dates_in_three_forms_and_nothing_else() {
    expect_kept(vec![
        (step().header("expires", "Sun, 06 Nov 2095 08:49:37 GMT"), true),
        (step().header("expires", "Sun Nov  6 08:49:37 2095"), true),
        (step().header("expires", "Sunday, 06-Nov-50 08:49:37 GMT"), true),
    ])
    .await;
    let none = [
        "0",
        "-1",
        "tomorrow",
        "2095-11-06T08:49:37Z",
        "Sun, 06 Nov 2095 08:49:37",
        "Sun, 06 Nov 2095 08:49:37 EST",
        "60",
        "",
    ];
    expect_kept(none.map(|expires| (step().header("expires", expires), false)).into()).await;
    expect_kept(vec![
        (step().header("expires", date(60)).header("expires", date(90)), false),
        (step().header("expires", date(60)).header("expires", date(-60)), false),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_4_2_2_a_tenth_of_the_time_since_it_changed() {
    let changed =
        |ago: i64, age: u64| step().header("last-modified", date(-ago)).header("age", age).header("date", date(0));
    expect_kept(vec![
        (changed(1000, 50), true),
        (changed(1000, 150), false),
        (changed(10, 0), true),
        (changed(0, 0), false),
        (changed(-1000, 0), false),
        // No longer than a day.
        (changed(86_400 * 365, 86_000), true),
        (changed(86_400 * 365, 87_000), false),
        (step().header("last-modified", "some day"), false),
        // Something is said: nothing is guessed.
        (changed(1000, 0).header("expires", "0"), false),
        (changed(1000, 0).header("cache-control", "max-age=0"), false),
        (changed(1000, 0).header("cache-control", "no-cache"), false),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_4_2_3_age_counts() {
    let aged = |age: &str| cc("max-age=60").header("age", age);
    expect_kept(vec![
        (aged("0"), true),
        (aged("59"), true),
        (aged("60"), false),
        (aged("61"), false),
        (aged("2147483648"), false),
        (aged("99999999999999999999"), false),
        // What is no number is not there, and of a list the first counts (RFC 9111 §5.1).
        (aged("what"), true),
        (aged("-100"), true),
        (aged("100.5"), true),
        (aged("\"100\""), true),
        (aged("10, 100"), true),
        (aged("100, 10"), false),
        (aged("10").header("age", "100"), true),
        (aged("100").header("age", "10"), false),
        (aged(""), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_4_2_3_so_does_the_date() {
    let dated = |seconds: i64| cc("max-age=60").header("date", date(seconds));
    expect_kept(vec![
        (dated(0), true),
        (dated(-30), true),
        (dated(-100), false),
        (dated(1000), true),
        (dated(-30).header("age", "10"), true),
        (dated(-30).header("age", "100"), false),
        (dated(-100).header("age", "0"), false),
        (cc("max-age=60").header("date", "then"), true),
    ])
    .await;
}

#[tokio::test]
async fn rfc9111_5_1_an_answer_from_the_store_says_how_old_it_is() {
    let route = Route::of([cc("max-age=600").header("age", "30")]).await;
    assert_eq!(route.get("/").await.header("age"), "30");
    assert_eq!(route.get("/").await.expect_hit().header("age"), "30");
    pass(100).await;
    let got = route.get("/").await;
    assert_eq!((got.header("age").as_str(), got.how().as_str()), ("130", "hit; ttl=469"));
}

#[tokio::test]
async fn rfc9111_5_1_an_age_is_one_number() {
    let route = Route::of([cc("max-age=6000").header("age", "30, 40").header("age", "5")]).await;
    assert_eq!(route.twice("/").await.expect_hit().header("age"), "30");
    let route = Route::of([cc("max-age=600").header("date", date(-100))]).await;
    let age: u64 = route.twice("/").await.expect_hit().header("age").parse().unwrap();
    assert!((99..=102).contains(&age), "{age}");
    // One that comes from the origin now has none of our making.
    let route = Route::of([cc("max-age=600")]).await;
    assert_eq!(route.get("/").await.header("age"), "");
    assert_eq!(route.get("/").await.header("age"), "0");
}

#[tokio::test]
async fn rfc9111_4_2_its_time_ends_when_it_says() {
    let route = Route::of([cc("max-age=60")]).await;
    route.get("/").await.expect_from_origin(1);
    pass(58).await;
    route.get("/").await.expect_hit();
    pass(3).await;
    route.get("/").await.expect_from_origin(2);
}
