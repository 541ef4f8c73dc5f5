//! `"14d"`, `"1h30m"` and `"5/s"`.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::domain::policy::{Per, Rate};

/// Longer than this is a slip of the pen.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

const UNITS: [(char, SignedDuration); 4] = [
    ('d', SignedDuration::from_hours(24)),
    ('h', SignedDuration::from_hours(1)),
    ('m', SignedDuration::from_mins(1)),
    ('s', SignedDuration::from_secs(1)),
];

/// Reads whole days, hours, minutes and seconds, larger units first, each at most once. Zero is refused.
pub(super) fn parse(text: &str) -> Result<SignedDuration, String> {
    let duration = parse_or_none(text)?;
    if duration.is_zero() { Err("a duration is more than nothing".to_owned()) } else { Ok(duration) }
}

/// The same, where no time at all is an answer.
pub(super) fn parse_or_none(text: &str) -> Result<SignedDuration, String> {
    let unreadable = || "a duration is written like \"14d\", \"2h\", \"5m\", \"90s\" or \"1h30m\"".to_owned();
    let too_long = || "a duration is ten years at the most".to_owned();
    let mut units = UNITS.iter();
    let mut total = SignedDuration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0).ok_or_else(unreadable)?;
        let (number, tail) = rest.split_at(digits);
        let mut characters = tail.chars();
        let unit = characters.next();
        let (_, length) = units.find(|(name, _)| Some(*name) == unit).ok_or_else(unreadable)?;
        let number: i32 = number.parse().map_err(|_| too_long())?;
        total = length.checked_mul(number).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
        rest = characters.as_str();
    }
    if text.is_empty() {
        return Err(unreadable());
    }
    if total > LONGEST { Err(too_long()) } else { Ok(total) }
}

/// A duration as it would be written.
pub(super) fn show(duration: SignedDuration) -> String {
    let mut rest = duration.as_secs();
    let parts = UNITS.map(|(name, length)| {
        let count = rest / length.as_secs();
        rest %= length.as_secs();
        if count > 0 { format!("{count}{name}") } else { String::new() }
    });
    parts.concat()
}

/// Reads a rate.
pub(super) fn parse_rate(text: &str) -> Result<Rate, String> {
    let unreadable = || "a rate is written like \"5/s\", \"300/m\" or \"1000/h\", and is more than nothing".to_owned();
    let (count, per) = text.split_once('/').ok_or_else(unreadable)?;
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: NonZeroU32 = count.parse().ok().filter(|_| digits).ok_or_else(unreadable)?;
    let per = Per::ALL.into_iter().find(|candidate| candidate.label() == per).ok_or_else(unreadable)?;
    Ok(Rate { count, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_and_positive() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("2h", 7200),
            ("14d", 1_209_600),
            ("1h30m", 5400),
            ("1d1s", 86401),
            ("3650d", 315_360_000),
        ] {
            assert_eq!(parse(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
            assert_eq!(parse(&show(SignedDuration::from_secs(seconds))), Ok(SignedDuration::from_secs(seconds)));
        }
        for text in [
            "",
            "0s",
            "0d0h",
            "5",
            "m",
            "-5m",
            "+5m",
            "5 m",
            " 5m",
            "1.5h",
            "30m1h",
            "5m5m",
            "5w",
            "3651d",
            "5분",
            "99999999999999999999s",
            "2147483647d",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn rates_are_positive() {
        assert_eq!(parse_rate("5/s").unwrap().to_string(), "5/s");
        assert_eq!(parse_rate("300/m").unwrap().interval(), SignedDuration::from_millis(200));
        for text in ["", "5", "/s", "0/s", "-1/s", "+5/s", "5/", "5/d", "5 / s", "1.5/s", "4294967296/s", "5/s/s"] {
            assert!(parse_rate(text).is_err(), "{text:?} was accepted");
        }
    }
}
