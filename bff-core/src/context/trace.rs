//! W3C Trace Context (level 2): taken from the client or begun here, passed on to every upstream.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The trace, and whose span is the parent.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What other systems say of the trace.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Sampled, and made at random (§3.2.2.5); no other flags are known.
const FLAGS: u8 = 0b11;
const RANDOM: u8 = 0b10;
/// So many members of `tracestate` (§3.3.1.1).
const MOST_MEMBERS: usize = 32;
/// So long may a key and a value be (§3.3.1.3).
const LONGEST: usize = 256;

/// The trace that a request belongs to, and our own span in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// Begins a trace. Not sampled: nobody asked for it.
    #[must_use]
    pub fn begin() -> Self {
        Self { trace: fastrand::u128(1..), span: fastrand::u64(1..), flags: RANDOM }
    }

    /// The trace that a request names, and what other systems say of it; a new one where it names none, several, or one that is
    /// not well-formed. What is said of a trace that is not followed is not passed on (§3.3).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> (Self, Option<HeaderValue>) {
        let mut named = headers.get_all(TRACEPARENT).iter();
        let followed = match (named.next(), named.next()) {
            (Some(one), None) => one.to_str().ok().and_then(Self::follow),
            _ => None,
        };
        match followed {
            Some(trace) => (trace, state(headers)),
            None => (Self::begin(), None),
        }
    }

    /// Our own span in the trace that `traceparent` names; `None` where it is not well-formed (§3.2.2).
    #[must_use]
    pub fn follow(traceparent: &str) -> Option<Self> {
        let mut fields = traceparent.trim_matches([' ', '\t']).split('-');
        let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let known = version == "00" && fields.next().is_none();
        if version == "ff" || version.len() != 2 || !(known || version != "00") {
            return None;
        }
        let trace = hex(trace, 32).filter(|&trace| trace != 0)?;
        hex(version, 2)?;
        hex(parent, 16).filter(|&parent| parent != 0)?;
        let flags = u8::try_from(hex(flags, 2)?).ok()? & FLAGS;
        Some(Self { trace, span: fastrand::u64(1..), flags })
    }

    /// A span of the same trace under this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: fastrand::u64(1..), ..*self }
    }

    /// The trace's id, as logs show it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The `traceparent` that names this span as the parent.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let mut put = |at: usize, bytes: &[u8]| {
            for (index, byte) in bytes.iter().enumerate() {
                text[at + 2 * index] = DIGITS[usize::from(byte >> 4)];
                text[at + 2 * index + 1] = DIGITS[usize::from(byte & 15)];
            }
        };
        put(3, &self.trace.to_be_bytes());
        put(36, &self.span.to_be_bytes());
        put(53, &[self.flags]);
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// All of `tracestate` as one list, in its order; `None` where nothing is said or something is not well-formed (§3.3.1).
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut list = Vec::new();
    let mut members = 0;
    for line in headers.get_all(TRACESTATE) {
        for member in line.as_bytes().split(|byte| *byte == b',').map(without_blanks).filter(|one| !one.is_empty()) {
            members += 1;
            if members > MOST_MEMBERS || !is_member(member) {
                return None;
            }
            if !list.is_empty() {
                list.push(b',');
            }
            list.extend_from_slice(member);
        }
    }
    if list.is_empty() { None } else { HeaderValue::from_bytes(&list).ok() }
}

fn without_blanks(member: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = member.iter().take_while(|byte| is_blank(byte)).count();
    let end = member.iter().rev().take_while(|byte| is_blank(byte)).count();
    member.get(begin..member.len() - end).unwrap_or_default()
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_key = key.len() <= LONGEST
        && key.first().is_some_and(|byte| begins(*byte))
        && key.iter().all(|byte| begins(*byte) || b"_-*/@".contains(byte));
    let is_value = !value.is_empty()
        && value.len() <= LONGEST
        && value.iter().all(|byte| matches!(byte, 0x20..=0x7e) && *byte != b'=');
    is_key && is_value
}

/// Lower-case hexadecimal of exactly this length, as the specification wants it.
fn hex(text: &str, length: usize) -> Option<u128> {
    let well_formed =
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if well_formed { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_stays_and_the_span_is_ours() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let ours = TraceContext::follow(given).unwrap();
        let sent = ours.child().header();
        let sent = sent.to_str().unwrap();
        assert!(sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{sent}");
        assert!(sent.ends_with("-01") && !sent.contains("b7ad6b7169203331"), "{sent}");
        assert!(TraceContext::follow(sent).is_some());
    }

    #[test]
    fn what_is_not_well_formed_is_not_followed() {
        for given in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::follow(given), None, "{given}");
        }
        assert!(TraceContext::follow("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-new").is_some());
    }

    fn of(lines: &[(&'static str, &'static str)]) -> (bool, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let (trace, state) = TraceContext::of(&headers);
        let is_followed = trace.trace_id() == "0af7651916cd43dd8448eb211c80319c";
        (is_followed, state.map(|state| state.to_str().unwrap().to_owned()))
    }

    const PARENT: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");

    #[test]
    fn what_others_say_of_a_trace_goes_with_it_and_not_without() {
        assert_eq!(
            of(&[PARENT, ("tracestate", "foo=1, bar=2"), ("tracestate", ""), ("tracestate", "\tbaz=3 ,")]),
            (true, Some("foo=1,bar=2,baz=3".into()))
        );
        assert_eq!(of(&[("tracestate", "foo=1")]), (false, None));
        assert_eq!(of(&[PARENT, PARENT, ("tracestate", "foo=1")]), (false, None));
        assert_eq!(of(&[PARENT]), (true, None));
        let flags = TraceContext::follow(PARENT.1).unwrap().child().header();
        assert!(flags.to_str().unwrap().ends_with("-03"), "the random flag stays");
    }

    #[test]
    fn what_is_not_well_formed_is_not_passed_on() {
        for state in ["foo =1", "FOO=1", "foo.bar=1", "@foo=1,bar=2", "foo=bar=baz", "foo=,bar=3", "foo", "=1"] {
            assert_eq!(of(&[PARENT, ("tracestate", state)]), (true, None), "{state}");
        }
        for state in ["foo@=1,bar=2", "foo@@bar=1", "foo@bar@baz=1", "0a_-*/@=1", "foo=1,foo=2", "a= !\"#~"] {
            assert_eq!(of(&[PARENT, ("tracestate", state)]), (true, Some(state.to_owned())), "{state}");
        }
        let check = |state: String, is_good: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACESTATE, HeaderValue::from_str(&state).unwrap());
            assert_eq!(super::state(&headers).is_some(), is_good, "{}", state.len());
        };
        check(format!("{}=1", "z".repeat(256)), true);
        check(format!("{}=1", "z".repeat(257)), false);
        check(format!("z={}", "1".repeat(256)), true);
        check(format!("z={}", "1".repeat(257)), false);
        let members = |count: usize| (0..count).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        check(members(32), true);
        check(members(33), false);
    }
}
