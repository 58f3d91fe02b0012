use proptest::prelude::*;

use super::*;

fn variants(weights: &[f64]) -> Variants {
    let named = |(at, weight): (usize, &f64)| {
        (format!("v{at}"), VariantSettings { weight: *weight, ..VariantSettings::default() })
    };
    Variants::new(&weights.iter().enumerate().map(named).collect())
}

fn ruled(rules: &[(Option<&str>, Option<&str>)]) -> Variants {
    let named = |(at, (header, cookie)): (usize, &(Option<&str>, Option<&str>))| {
        let (header, cookie) = (header.map(str::to_owned), cookie.map(str::to_owned));
        (format!("v{at}"), VariantSettings { header, cookie, ..VariantSettings::default() })
    };
    Variants::new(&rules.iter().enumerate().map(named).collect())
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

#[test]
fn a_header_selects() {
    let variants = ruled(&[(Some("X-Lab: on"), None), (Some("x-lab:  a b "), None), (Some("x-other: on"), None)]);
    let check = |lines: &[(&'static str, &str)], expect: Option<usize>| {
        assert_eq!(variants.choose(&headers(lines), Some(1)), expect, "{lines:?}");
    };
    check(&[], None);
    check(&[("x-lab", "on")], Some(0));
    check(&[("x-lab", " on ")], Some(0));
    check(&[("x-lab", "On")], None);
    check(&[("x-lab", "on,")], None);
    check(&[("x-lab", "a b")], Some(1));
    check(&[("x-lab", "off"), ("x-lab", "on")], Some(0));
    check(&[("x-other", "on"), ("x-lab", "on")], Some(0));
    check(&[("x-other", "on")], Some(2));
    assert_eq!(variants.headers().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-lab", "x-other"]);
    assert!(!variants.has_weights() && !variants.is_empty());
}

#[test]
fn a_cookie_selects() {
    let variants = ruled(&[(None, Some("lab=on")), (Some("a-b: c"), Some("other=a=b"))]);
    let check = |lines: &[&str], expect: Option<usize>| {
        let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
        assert_eq!(variants.choose(&headers(&lines), None), expect, "{lines:?}");
    };
    check(&[], None);
    check(&["lab=on"], Some(0));
    check(&["a=b; lab=on; c=d"], Some(0));
    check(&["a=b;lab=on"], Some(0));
    check(&["  lab = on  ;"], Some(0));
    check(&["lab=\"on\""], Some(0));
    check(&["a=b", "c; ;=; lab=on"], Some(0));
    check(&["lab=off; lab=on"], Some(0));
    check(&["lab=ON"], None);
    check(&["LAB=on"], None);
    check(&["lab=on2"], None);
    check(&["xlab=on"], None);
    check(&["a=lab=on"], None);
    check(&["lab=\"on"], None);
    check(&["lab"], None);
    check(&["other=a=b"], Some(1));
    assert_eq!(variants.choose(&headers(&[("a-b", "c")]), None), Some(1), "either rule of a variant");
    assert_eq!(variants.headers().map(HeaderName::as_str).collect::<Vec<_>>(), ["a-b", "cookie"]);
}

#[test]
fn rules_come_before_weights() {
    let lab = VariantSettings { header: Some("x-lab: on".to_owned()), ..VariantSettings::default() };
    let all = VariantSettings { weight: 100.0, ..VariantSettings::default() };
    let variants = Variants::new(&BTreeMap::from([("a".to_owned(), all), ("b".to_owned(), lab)]));
    assert_eq!(variants.choose(&headers(&[("x-lab", "on")]), Some(7)), Some(1));
    assert_eq!(variants.choose(&headers(&[]), Some(7)), Some(0));
    assert_eq!(variants.choose(&headers(&[]), None), None);
    assert!(variants.has_weights());
    let none = Variants::new(&BTreeMap::new());
    assert!(none.is_empty() && !none.has_weights());
    assert_eq!(none.choose(&headers(&[]), Some(7)), None);
}

#[test]
fn every_mistake_is_noted() {
    let check = |settings: VariantSettings, expect: &[&str]| {
        let mut mistakes = Mistakes::default();
        settings.check(&mut mistakes);
        let keys: Vec<_> = mistakes.into_inner().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(keys, expect, "{settings:?}");
    };
    let good = || VariantSettings { url: "http://next".to_owned(), weight: 5.0, ..VariantSettings::default() };
    check(good(), &[]);
    check(VariantSettings::default(), &["url", "weight"]);
    check(VariantSettings { urls: vec!["http://b".to_owned()], ..good() }, &["urls"]);
    check(VariantSettings { url: String::new(), urls: vec!["http://b".to_owned()], ..good() }, &[]);
    check(VariantSettings { weight: 0.0, ..good() }, &["weight"]);
    for weight in [-1.0, 100.1, f64::NAN, f64::INFINITY] {
        check(VariantSettings { weight, ..good() }, &["weight"]);
    }
    for rule in ["", "x-lab", "x-lab:", ": on", "x lab: on", "x-lab: a\nb", "Cookie: lab=on"] {
        check(VariantSettings { header: Some(rule.to_owned()), ..good() }, &["header"]);
    }
    for rule in ["", "lab", "lab=", "=on", "l b=on", "lab=o n", "lab=\"on\"", "lab=on;", "lab=a,b", "lab=ä"] {
        check(VariantSettings { cookie: Some(rule.to_owned()), ..good() }, &["cookie"]);
    }
    check(VariantSettings { weight: 0.0, header: Some("x-lab: on".to_owned()), ..good() }, &[]);
    check(VariantSettings { weight: 0.0, cookie: Some("lab=on".to_owned()), ..good() }, &[]);
}

#[test]
fn weights_beyond_everybody_are_a_mistake() {
    let noted = |weights: &[f64]| {
        let named = |(at, weight): (usize, &f64)| {
            (format!("v{at}"), VariantSettings { weight: *weight, ..VariantSettings::default() })
        };
        let mut mistakes = Mistakes::default();
        check_weights(&weights.iter().enumerate().map(named).collect(), &mut mistakes);
        mistakes.into_inner().len()
    };
    assert_eq!(noted(&[]), 0);
    assert_eq!(noted(&[50.0, 50.0]), 0);
    assert_eq!(noted(&[33.3, 33.3, 33.4]), 0);
    assert_eq!(noted(&[50.0, 50.1]), 1);
}

#[test]
fn an_unreadable_weight_is_none() {
    assert!(!variants(&[f64::NAN, -5.0]).has_weights());
}

/// Weights that are at most 100 together, the rest being the main version.
fn weights(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.0..1.0_f64, count).prop_flat_map(|parts| {
        (0.1..=100.0_f64).prop_map(move |all| {
            let sum: f64 = parts.iter().sum::<f64>().max(1e-9);
            parts.iter().map(|part| part / sum * all).collect()
        })
    })
}

/// Every so many places of the whole range.
fn places(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |at| u64::MAX / count * at + at)
}

proptest! {
    #[test]
    fn the_same_visitor_stays(weights in weights(1..6), sticky in any::<u64>()) {
        let (now, later) = (variants(&weights), variants(&weights));
        let chosen = now.choose(&HeaderMap::new(), Some(sticky));
        prop_assert_eq!(chosen, later.choose(&headers(&[("x-lab", "on")]), Some(sticky)));
        prop_assert!(chosen.is_none_or(|at| weights[at] > 0.0));
    }

    #[test]
    fn each_gets_its_share_of_the_places(weights in weights(1..6)) {
        let variants = variants(&weights);
        let mut got = vec![0_u32; weights.len()];
        places(10_000).filter_map(|place| variants.allot(place)).for_each(|at| got[at] += 1);
        for (got, weight) in got.iter().zip(&weights) {
            prop_assert!((f64::from(*got) / 100.0 - weight).abs() < 0.1, "{got} of 10,000 for {weight} %");
        }
    }

    #[test]
    fn each_gets_its_share_of_the_visitors(weights in weights(1..4), first in any::<u64>()) {
        let variants = variants(&weights);
        let mut got = vec![0_u32; weights.len()];
        for sticky in 0..4_000 {
            // Numbers in a row are the hardest to spread.
            if let Some(at) = variants.choose(&HeaderMap::new(), Some(first.wrapping_add(sticky))) {
                got[at] += 1;
            }
        }
        for (got, weight) in got.iter().zip(&weights) {
            // Six standard deviations of 4,000 are at most 4.8 %.
            prop_assert!((f64::from(*got) / 40.0 - weight).abs() < 5.0, "{got} of 4,000 for {weight} %");
        }
    }

    #[test]
    fn of_two_variants_none_takes_from_the_other(weights in weights(1..3), which in 0..2_usize, more in 0.0..1.0_f64) {
        raise(&weights, which, more, 100.0)?;
    }

    #[test]
    fn of_many_variants_none_takes_from_another_inside_its_slot(
        weights in prop::collection::vec(0.0..1.0_f64, 3..7),
        which in 0..6_usize,
        more in 0.0..1.0_f64,
    ) {
        let slot = 100.0 / weights.len() as f64;
        let weights: Vec<_> = weights.iter().map(|part| part * slot).collect();
        raise(&weights, which, more, slot)?;
    }

    #[test]
    fn raising_everything_from_nothing_is_a_canary(steps in prop::collection::vec(0.0..=100.0_f64, 1..10)) {
        let mut steps = steps;
        steps.sort_by(f64::total_cmp);
        let mut before = variants(&[0.0]);
        for weight in steps {
            let after = variants(&[weight]);
            for place in places(500) {
                prop_assert!(before.allot(place).is_none() || after.allot(place) == Some(0));
            }
            before = after;
        }
    }
}

/// Raises one weight by a part of what is left, up to `most`, and looks who moves.
fn raise(weights: &[f64], which: usize, more: f64, most: f64) -> Result<(), TestCaseError> {
    let which = which % weights.len();
    let left = (100.0 - weights.iter().sum::<f64>()).clamp(0.0, (most - weights[which]).max(0.0));
    let mut raised = weights.to_vec();
    raised[which] += left * more;
    let (before, after) = (variants(weights), variants(&raised));
    for place in places(2_000) {
        let (before, after) = (before.allot(place), after.allot(place));
        let stays = before == after || (before.is_none() && after == Some(which));
        prop_assert!(stays, "{before:?} to {after:?} when {which} of {weights:?} becomes {}", raised[which]);
    }
    Ok(())
}
