//! A part of a whole, as people write it: `5%`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How many hundredths of a per cent make the whole.
const WHOLE: u32 = 10_000;

/// A part of a whole, in hundredths of a per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// A text that is no part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a part of a hundred such as 5% or 0.5%, from 0% (the first failure halts) to 100% (all of a wave)")]
pub struct BadShare;

impl Share {
    /// Whether `part` of `whole` is as much as this. Nothing never is: a share of 0% is reached by the first one.
    #[must_use]
    pub fn is_reached(self, part: usize, whole: usize) -> bool {
        let (part, whole) = (part as u128, whole as u128);
        part > 0 && part * u128::from(WHOLE) >= whole * u128::from(self.0)
    }
}

impl FromStr for Share {
    type Err = BadShare;

    fn from_str(text: &str) -> Result<Self, BadShare> {
        let number = text.trim().trim_end_matches('%').trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > 2 {
            return Err(BadShare);
        }
        let [whole, part] = [whole.to_owned(), format!("{part:0<2}")].map(|text| text.parse::<u32>());
        let hundredths = whole.ok().and_then(|whole| whole.checked_mul(100)).zip(part.ok());
        let share = hundredths.map(|(whole, part)| whole.saturating_add(part));
        share.filter(|share| *share <= WHOLE).map(Self).ok_or(BadShare)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, format!("{:02}", self.0 % 100));
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            part => write!(f, "{whole}.{part}%"),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("5%", Some("5%"))]
    #[case("5", Some("5%"))]
    #[case(" 12.5 % ", Some("12.5%"))]
    #[case("0.05%", Some("0.05%"))]
    #[case("0%", Some("0%"))]
    #[case("100%", Some("100%"))]
    #[case("100.01%", None)]
    #[case("0.001%", None)]
    #[case("-1%", None)]
    #[case("+1%", None)]
    #[case("1.%", None)]
    #[case("", None)]
    #[case("%", None)]
    #[case("five", None)]
    #[case("99999999999", None)]
    fn it_is_read_as_people_write_it(#[case] text: &str, #[case] shown: Option<&str>) {
        assert_eq!(text.parse::<Share>().ok().map(|share| share.to_string()).as_deref(), shown);
    }

    #[rstest]
    #[case("5%", 1, 1, true)]
    #[case("5%", 1, 20, true)]
    #[case("5%", 1, 21, false)]
    #[case("5%", 0, 0, false)]
    #[case("0%", 0, 10, false)]
    #[case("0%", 1, 10_000, true)]
    #[case("100%", 9, 10, false)]
    #[case("100%", 10, 10, true)]
    fn it_is_reached_by_as_much_or_more(
        #[case] share: &str,
        #[case] part: usize,
        #[case] whole: usize,
        #[case] is_reached: bool,
    ) {
        assert_eq!(share.parse::<Share>().unwrap().is_reached(part, whole), is_reached);
    }
}
