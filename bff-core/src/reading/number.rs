//! Whole numbers, from their decimal text and exactly.
//!
//! JSON has one kind of number, and `11395`, `11395.0` and `1.1395e4` are the same one; JSON Schema 2020-12 and
//! OpenAPI 3.1 call all three integers. Nothing here goes by way of a floating point number, which would round.

/// The most decimal digits that any integer type holds.
const MOST_DIGITS: usize = 39;

/// A whole number that some integer type may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) is_negative: bool,
    pub(super) size: u128,
}

impl Whole {
    /// What a JSON number says, if that is a whole number of at most 128 bits. `-0` is 0.
    pub(super) fn of(number: &str) -> Option<Self> {
        let (is_negative, rest) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (digits, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (before, behind) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        // RFC 8259 §6: a zero in front stands alone.
        let is_number = !before.is_empty() && (before == "0" || !before.starts_with('0'));
        if !is_number || !before.bytes().chain(behind.bytes()).all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let mut all: Vec<u8> = before.bytes().chain(behind.bytes()).skip_while(|digit| *digit == b'0').collect();
        let zeros = all.iter().rev().take_while(|digit| **digit == b'0').count();
        all.truncate(all.len() - zeros);
        if all.is_empty() {
            return Some(Self { is_negative: false, size: 0 });
        }
        // So many zeros stand behind what is left.
        let zeros = i64::try_from(zeros).ok()? - i64::try_from(behind.len()).ok()?;
        let zeros = usize::try_from(zeros.checked_add(exponent)?).ok()?;
        if all.len().checked_add(zeros)? > MOST_DIGITS {
            return None;
        }
        let ten = |size: u128, digit: u8| size.checked_mul(10)?.checked_add(u128::from(digit));
        let digits = all.iter().map(|digit| digit - b'0').chain(std::iter::repeat_n(0, zeros));
        let size = digits.into_iter().try_fold(0_u128, ten)?;
        Some(Self { is_negative, size })
    }

    /// As a type of up to 64 bits is written; `None` for one that fits neither.
    pub(super) fn text(self) -> Option<String> {
        match (u64::try_from(self.size), self.signed()) {
            (Ok(size), _) if !self.is_negative => Some(size.to_string()),
            (_, Some(size)) => Some(size.to_string()),
            _ => None,
        }
    }

    /// With its sign, where 64 bits are enough for that.
    pub(super) fn signed(self) -> Option<i64> {
        i64::try_from(self.signed_long()?).ok()
    }

    /// With its sign, where 128 bits are enough for that.
    pub(super) fn signed_long(self) -> Option<i128> {
        match i128::try_from(self.size) {
            Ok(size) => Some(if self.is_negative { -size } else { size }),
            Err(_) if self.is_negative && self.size == i128::MIN.unsigned_abs() => Some(i128::MIN),
            Err(_) => None,
        }
    }
}

/// An exponent. One that is too large for any number is as good as any other that is.
fn exponent(text: &str) -> Option<i64> {
    const LARGE: i64 = 1 << 40;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 12 {
        return Some(sign * LARGE);
    }
    Some(sign * digits.parse().unwrap_or(0).min(LARGE))
}

/// Whether a number is written in a way that integer types do not read: with a fraction, an exponent, or as `-0`.
pub(super) fn is_unusual(number: &str) -> bool {
    number == "-0" || number.contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(number: &str, whole: Option<i128>) {
        assert_eq!(Whole::of(number).and_then(Whole::signed_long), whole, "{number}");
    }

    #[test]
    fn k04_what_is_a_whole_number() {
        for (number, whole) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("0e999999999999999999999", 0),
            ("0.000e-5", 0),
            ("11395", 11395),
            ("11395.0", 11395),
            ("1.1395e4", 11395),
            ("1.1395E+4", 11395),
            ("1139500e-2", 11395),
            ("113950000.000e-0004", 11395),
            ("-20.00", -20),
            ("1e18", 1_000_000_000_000_000_000),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("9223372036854775807.0", i128::from(i64::MAX)),
            ("-9223372036854775808.0", i128::from(i64::MIN)),
            ("18446744073709551615e0", i128::from(u64::MAX)),
            ("-170141183460469231731687303715884105728", i128::MIN),
        ] {
            check(number, Some(whole));
        }
        let long = format!("1{}e-400", "0".repeat(400));
        check(&long, Some(1));
    }

    #[test]
    fn k04_what_is_none() {
        for number in
            ["0.5", "1.5", "11395.01", "1e-1", "15e-1", "1e400", "1e99999999999999999999", "1e39", "", "-", ".", "x"]
        {
            check(number, None);
        }
        for number in ["1.", "01.0", "-01", "00", "1.e1", "1.x", "1e", "1ex", "--1", "+1", ".5", "1e4x", "0x10", "١"] {
            check(number, None);
        }
    }

    proptest! {
        /// However it is written, it is the same number; and what is a little more is none.
        #[test]
        fn every_way_to_write_a_whole_number_is_read_exactly(whole: i64, shift in 0_usize..30, zeros in 0_usize..30) {
            let (sign, digits) = (if whole < 0 { "-" } else { "" }, whole.unsigned_abs().to_string());
            let point = shift.min(digits.len() - 1);
            let (before, behind) = digits.split_at(digits.len() - point);
            let zeros = "0".repeat(zeros);
            for text in [
                format!("{sign}{digits}.0{zeros}"),
                format!("{sign}{before}.{behind}{zeros}0e{point}"),
                format!("{sign}{digits}{zeros}E-{}", zeros.len()),
                format!("{sign}{digits}e+00"),
            ] {
                prop_assert_eq!(Whole::of(&text).and_then(Whole::signed), Some(whole), "{}", text);
            }
            let more = format!("{sign}{digits}.{zeros}1");
            prop_assert_eq!(Whole::of(&more), None);
        }

        /// It agrees with the standard library on all that is written without fraction and exponent.
        #[test]
        fn plain_integers_are_what_they_always_were(whole: i128) {
            prop_assert_eq!(Whole::of(&whole.to_string()).and_then(Whole::signed_long), Some(whole));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Whole::of(&text);
        }
    }
}
