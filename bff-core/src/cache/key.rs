//! What tells one answer from another.

use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::directives::list;
use crate::identity::{Fingerprint, Identity};

/// Stands for whichever upstreams a whole answer was made of.
pub(super) const EVERY_UPSTREAM: &str = "*";

/// The key of an answer. Who may share it is part of the key, and there is no way to build one without.
///
/// It holds the whole question, not a hash of it: two questions never share an answer by accident.
#[derive(Clone, Debug)]
pub struct Key {
    text: Arc<str>,
    upstream: Arc<str>,
    owner: Option<Fingerprint>,
}

impl Key {
    /// An answer that everybody may share. The call must carry nothing of the caller's identity.
    #[must_use]
    pub fn shared(upstream: &Arc<str>, target: &str, forwarded: &[HeaderName], headers: &HeaderMap) -> Self {
        Self::build(None, None, upstream, target, forwarded, headers)
    }

    /// An answer for one identity, with all that upstreams are told of it: a narrower token must miss.
    #[must_use]
    pub fn per_identity(
        identity: &Identity,
        upstream: &Arc<str>,
        target: &str,
        forwarded: &[HeaderName],
        headers: &HeaderMap,
    ) -> Self {
        Self::build(Some(identity.fingerprint()), Some(identity.person()), upstream, target, forwarded, headers)
    }

    fn build(
        identity: Option<Fingerprint>,
        owner: Option<Fingerprint>,
        upstream: &Arc<str>,
        target: &str,
        forwarded: &[HeaderName],
        headers: &HeaderMap,
    ) -> Self {
        let mut text = String::with_capacity(40 + upstream.len() + target.len());
        match identity {
            // Written out in hexadecimal, which cannot be mistaken for a name.
            Some(fingerprint) => fingerprint.write_to(&mut text),
            None => text.push_str("shared"),
        }
        // A space stands in no upstream's name and in no target, so the fields cannot run into one another.
        text.push(' ');
        text.push_str(upstream);
        text.push(' ');
        text.push_str(target);
        for name in forwarded {
            for value in headers.get_all(name) {
                // The length keeps a value from looking like a further header.
                let _ = write!(text, " {name}={}:", value.len());
                let _ = write!(text, "{}", value.as_bytes().escape_ascii());
            }
        }
        Self { text: text.into(), upstream: upstream.clone(), owner }
    }

    /// A question that a route passes on: the target as it came, at the origin that the client named (the whole target
    /// URI, RFC 9111 §2), for everybody or for one identity.
    #[must_use]
    pub fn passed(identity: Option<&Identity>, upstream: &Arc<str>, origin: &str, target: &str) -> Self {
        let none = HeaderMap::new();
        // The length keeps what a client says of its host from looking like a part of the target.
        let target = format!("passed {}:{origin}{target}", origin.len());
        let (fingerprint, person) = (identity.map(Identity::fingerprint), identity.map(Identity::person));
        Self::build(fingerprint, person, upstream, &target, &[], &none)
    }

    /// The whole answer of an endpoint.
    #[must_use]
    pub fn page(
        identity: Option<&Identity>,
        endpoint: &str,
        host: &str,
        target: &str,
        forwarded: &[HeaderName],
        headers: &HeaderMap,
    ) -> Self {
        let target = format!("page {endpoint} {}:{host} {target}", host.len());
        let (fingerprint, person) = (identity.map(Identity::fingerprint), identity.map(Identity::person));
        Self::build(fingerprint, person, &Arc::from(EVERY_UPSTREAM), &target, forwarded, headers)
    }

    /// The same question by a request that says `headers`, for an answer that varies on `names` (RFC 9111 §4.1).
    ///
    /// `generation` tells the answers of one such rule from those of another that was forgotten.
    #[must_use]
    pub(super) fn varied(&self, generation: u64, names: &[HeaderName], headers: &HeaderMap) -> Self {
        let mut text = format!("{} *{generation:x}", self.text);
        for name in names {
            let mut lines = headers.get_all(name).iter().peekable();
            if lines.peek().is_none() {
                continue;
            }
            // Several lines, and blanks around commas, are one list (RFC 9110 §5.3).
            let members: Vec<_> = lines.flat_map(|line| list(line.as_bytes())).collect();
            let value = members.join(&b","[..]);
            let _ = write!(text, " {name}={}:", value.len());
            let _ = write!(text, "{}", value.escape_ascii());
        }
        Self { text: text.into(), ..self.clone() }
    }

    /// The same question by a route that makes something of its requests; nothing for one that does not.
    #[must_use]
    pub fn of_flavour(self, flavour: &str) -> Self {
        if flavour.is_empty() {
            return self;
        }
        // A `^` stands in no target, and a variant has none.
        Self { text: format!("{} ^{}:{flavour}", self.text, flavour.len()).into(), ..self }
    }

    /// The same question, for a call that nobody else waits for.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { text: format!("{} ^", self.text).into(), ..self.clone() }
    }

    /// The same question, told from others by what is secret or long: of that only the digest stands in a key.
    #[must_use]
    pub fn marked(self, mark: Fingerprint) -> Self {
        // Behind the target no other field begins so.
        let mut text = format!("{} !", self.text);
        mark.write_to(&mut text);
        Self { text: text.into(), ..self }
    }

    /// The same question to another version of the upstream.
    #[must_use]
    pub fn of_variant(self, variant: &str) -> Self {
        // A header in the key has a `=`, and no variant's name has one.
        Self { text: format!("{} ~{variant}", self.text).into(), ..self }
    }

    /// The whole question, for the memory of one request.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Who is asked.
    #[must_use]
    pub fn upstream(&self) -> &Arc<str> {
        &self.upstream
    }

    /// The person whose answer it is, by whichever token; `None` for one that is shared.
    #[must_use]
    pub fn owner(&self) -> Option<Fingerprint> {
        self.owner
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::identity::Claims;

    #[test]
    fn whatever_could_change_the_answer_changes_the_key() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let language = [HeaderName::from_static("accept-language")];
        let mut german = HeaderMap::new();
        german.insert("accept-language", HeaderValue::from_static("de"));
        let ada = Identity::new(Claims { subject: "ada".into(), ..Claims::default() }).unwrap();
        let admin =
            Identity::new(Claims { subject: "ada".into(), roles: vec!["admin".into()], ..Claims::default() }).unwrap();
        let none = HeaderMap::new();
        let keys = [
            Key::shared(&a, "/x", &[], &none),
            Key::shared(&b, "/x", &[], &none),
            Key::shared(&a, "/y", &[], &none),
            Key::shared(&a, "/x", &language, &german),
            Key::per_identity(&ada, &a, "/x", &[], &none),
            Key::per_identity(&admin, &a, "/x", &[], &none),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(index));
        }
        // A header that is not forwarded changes nothing.
        assert_eq!(Key::shared(&a, "/x", &[], &german), keys[0]);
    }
}
