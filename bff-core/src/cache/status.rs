//! How an answer was come by, told in `Cache-Status` (RFC 9211).

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How an answer was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// From the store. `ttl` is what is left of its time in seconds, below zero for one past it.
    Hit {
        /// RFC 9211 §2.5.
        ttl: i64,
        /// Why something past its time is good enough; RFC 9211 §2.8.
        detail: Option<&'static str>,
    },
    /// From the upstream.
    Forwarded {
        /// Why the store was not enough.
        why: Why,
        /// What the upstream said, where that is not what the client is told.
        status: Option<StatusCode>,
        /// It is in the store now.
        stored: bool,
        /// It was asked for by somebody else at the same time.
        collapsed: bool,
        /// Why something that is kept is served nevertheless; RFC 9211 §2.8.
        detail: Option<&'static str>,
    },
}

/// Why the upstream was asked: RFC 9211 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The answers to this method are not kept.
    Method,
    /// Nothing is kept for this target.
    UriMiss,
    /// Nothing is kept for what this request says in the headers that the answer varies on.
    VaryMiss,
    /// The client does not want what is kept.
    Request,
    /// What is kept is past its time.
    Stale,
    /// Only a part is asked for, of something that is not kept.
    Partial,
    /// It is not looked for: the condition is for the origin to decide.
    Bypass,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
            Self::Bypass => "bypass",
        }
    }
}

impl CacheStatus {
    /// An answer that came from the upstream for `why`, and is no more than that.
    #[must_use]
    pub const fn forwarded(why: Why) -> Self {
        Self::Forwarded { why, status: None, stored: false, collapsed: false, detail: None }
    }

    /// Adds this cache to those that stand in the header already: the last is the one nearest to the client (RFC 9211 §2).
    pub fn append_to(self, headers: &mut HeaderMap) {
        let mut text = String::from("bff");
        // Writing to a string does not fail.
        match self {
            Self::Hit { ttl, detail } => {
                let _ = write!(text, "; hit; ttl={ttl}");
                if let Some(detail) = detail {
                    let _ = write!(text, "; detail={detail}");
                }
            }
            Self::Forwarded { why, status, stored, collapsed, detail } => {
                let _ = write!(text, "; fwd={}", why.as_str());
                if let Some(status) = status {
                    let _ = write!(text, "; fwd-status={}", status.as_u16());
                }
                if stored {
                    text.push_str("; stored");
                }
                if collapsed {
                    text.push_str("; collapsed");
                }
                if let Some(detail) = detail {
                    let _ = write!(text, "; detail={detail}");
                }
            }
        }
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9211_2_the_words() {
        let mut headers = HeaderMap::new();
        CacheStatus::Hit { ttl: -5, detail: Some("refreshing") }.append_to(&mut headers);
        let status = Some(StatusCode::NOT_MODIFIED);
        CacheStatus::Forwarded { why: Why::Stale, status, stored: true, collapsed: true, detail: None }
            .append_to(&mut headers);
        let lines: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(lines, ["bff; hit; ttl=-5; detail=refreshing", "bff; fwd=stale; fwd-status=304; stored; collapsed"]);
        for line in lines {
            let list: sfv::List = sfv::Parser::new(line.as_bytes()).parse().unwrap();
            assert_eq!(list.len(), 1);
        }
    }
}
