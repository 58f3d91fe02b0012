//! Who is asking, once proven; nothing here is secret and nothing here comes from a client unchecked.

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue};

/// The headers by which upstreams learn who is asking. A client that sends one of them is not believed:
/// they are removed at the edge and made here.
pub const IDENTITY_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-user-id"),
    HeaderName::from_static("x-user-roles"),
    HeaderName::from_static("x-user-scopes"),
    HeaderName::from_static("x-user-tenant"),
    HeaderName::from_static("x-client-id"),
];

/// Who is asking: a user, a program, or a user through a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    claims: Claims,
    fingerprint: Fingerprint,
    person: Fingerprint,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What the credentials prove, in the words of RFC 9068.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who vouches for it (`iss`).
    pub issuer: String,
    /// Who it is (`sub`).
    pub subject: String,
    /// The customer organisation the subject belongs to.
    pub tenant: Option<String>,
    /// The program that asks (`client_id`).
    pub client: Option<String>,
    /// What the subject is.
    pub roles: Vec<String>,
    /// What the program was allowed to do (`scope`).
    pub scopes: Vec<String>,
}

/// 128 bits that differ whenever anything about an identity differs; part of every per-identity cache key.
///
/// Taken from SHA-256 over length-prefixed fields, so that no two identities can be made to share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

/// A claim that cannot stand in a header: an empty subject, a control character, or a comma inside a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitClaim(&'static str);

impl std::fmt::Display for UnfitClaim {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the claim {} cannot be passed on to upstreams", self.0)
    }
}

impl std::error::Error for UnfitClaim {}

impl Identity {
    /// Roles and scopes are sorted, so that the order in a token never matters.
    ///
    /// # Errors
    /// When a claim cannot be told to an upstream without changing its meaning.
    pub fn new(mut claims: Claims) -> Result<Self, UnfitClaim> {
        claims.roles.sort_unstable();
        claims.roles.dedup();
        claims.scopes.sort_unstable();
        claims.scopes.dedup();
        if claims.subject.is_empty() {
            return Err(UnfitClaim("sub"));
        }
        if claims.roles.iter().any(|role| role.is_empty() || role.contains(',')) {
            return Err(UnfitClaim("roles"));
        }
        if claims.scopes.iter().any(|scope| scope.is_empty() || scope.contains([' ', ','])) {
            return Err(UnfitClaim("scope"));
        }
        let [user, roles, scopes, tenant, client] = IDENTITY_HEADERS;
        let mut headers = vec![(user, header("sub", &claims.subject)?)];
        if !claims.roles.is_empty() {
            headers.push((roles, header("roles", &claims.roles.join(","))?));
        }
        if !claims.scopes.is_empty() {
            headers.push((scopes, header("scope", &claims.scopes.join(" "))?));
        }
        if let Some(value) = &claims.tenant {
            headers.push((tenant, header("tenant", value)?));
        }
        if let Some(value) = &claims.client {
            headers.push((client, header("client_id", value)?));
        }
        let fingerprint = Fingerprint::of(&claims);
        let person = Fingerprint::of(&Claims {
            issuer: claims.issuer.clone(),
            tenant: claims.tenant.clone(),
            subject: claims.subject.clone(),
            ..Claims::default()
        });
        Ok(Self { claims, fingerprint, person, headers })
    }

    /// Who it is (`sub`).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// Everything the credentials prove.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether the subject has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.claims.roles.iter().any(|own| own == role)
    }

    /// Whether the program was granted this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.scopes.iter().any(|own| own == scope)
    }

    /// What tells this identity from every other in a cache key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What all tokens of one subject have in common: a write by one makes old what was told to the others.
    #[must_use]
    pub fn person(&self) -> Fingerprint {
        self.person
    }

    /// The headers that tell upstreams who is asking.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

fn header(claim: &'static str, value: &str) -> Result<HeaderValue, UnfitClaim> {
    if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || value.trim() != value {
        return Err(UnfitClaim(claim));
    }
    HeaderValue::from_str(value).map_err(|_| UnfitClaim(claim))
}

impl Fingerprint {
    /// Writes it in hexadecimal.
    pub fn write_to(self, text: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }

    /// A number for choices that are to stay the same for a person, on every machine and after every start.
    #[must_use]
    pub fn sticky(self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }

    /// Of other things that tell one answer from another. Two rows of fields never share one.
    pub(crate) fn of_fields<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for field in fields {
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        Self::short(&hash.finish())
    }

    fn short(digest: &digest::Digest) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&digest.as_ref()[..16]);
        Self(short)
    }

    fn of(claims: &Claims) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut field = |value: Option<&str>| {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart; u64::MAX is no length.
            let length = value.map_or(u64::MAX, |value| value.len() as u64);
            hash.update(&length.to_be_bytes());
            hash.update(value.unwrap_or_default().as_bytes());
        };
        field(Some(&claims.issuer));
        field(Some(&claims.subject));
        field(claims.tenant.as_deref());
        field(claims.client.as_deref());
        for list in [&claims.roles, &claims.scopes] {
            for entry in list {
                field(Some(entry));
            }
            field(None);
        }
        Self::short(&hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Claims {
        Claims {
            issuer: "https://id.example".into(),
            subject: "ada".into(),
            roles: vec!["user".into(), "admin".into()],
            ..Claims::default()
        }
    }

    #[test]
    fn anything_that_differs_makes_another_fingerprint() {
        let base = Identity::new(ada()).unwrap().fingerprint();
        let others = [
            Claims { issuer: "https://id2.example".into(), ..ada() },
            Claims { subject: "bob".into(), ..ada() },
            Claims { tenant: Some(String::new()), ..ada() },
            Claims { client: Some("app".into()), ..ada() },
            Claims { roles: vec!["user".into()], ..ada() },
            Claims { scopes: vec!["admin".into()], ..ada() },
            Claims { roles: vec![], scopes: vec!["user".into(), "admin".into()], ..ada() },
        ];
        for other in others {
            assert_ne!(Identity::new(other.clone()).unwrap().fingerprint(), base, "{other:?}");
        }
        let turned = Claims { roles: vec!["admin".into(), "user".into()], ..ada() };
        assert_eq!(Identity::new(turned).unwrap().fingerprint(), base);
    }

    #[test]
    fn a_claim_that_would_change_its_meaning_in_a_header_is_refused() {
        let unfit = [
            Claims { subject: String::new(), ..ada() },
            Claims { subject: "ada\r\nx-user-roles: admin".into(), ..ada() },
            Claims { roles: vec!["user,admin".into()], ..ada() },
            Claims { scopes: vec!["a b".into()], ..ada() },
            Claims { tenant: Some(" padded".into()), ..ada() },
        ];
        for claims in unfit {
            assert!(Identity::new(claims.clone()).is_err(), "{claims:?}");
        }
    }
}
