//! W3C Trace Context (level 1): taken from the client or begun here, passed on to every upstream.

use http::HeaderValue;

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
        Self { trace: fastrand::u128(1..), span: fastrand::u64(1..), flags: 0 }
    }

    /// Our own span in the trace that `traceparent` names; `None` where it is not well-formed (§3.2.2).
    #[must_use]
    pub fn follow(traceparent: &str) -> Option<Self> {
        let mut fields = traceparent.split('-');
        let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let known = version == "00" && fields.next().is_none();
        if version == "ff" || version.len() != 2 || !(known || version != "00") {
            return None;
        }
        let trace = hex(trace, 32).filter(|&trace| trace != 0)?;
        hex(version, 2)?;
        hex(parent, 16).filter(|&parent| parent != 0)?;
        let flags = u8::try_from(hex(flags, 2)?).ok()? & 1;
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
}
