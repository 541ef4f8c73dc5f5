//! Small words for messages: lists, and what somebody may have meant.

/// The candidate that a word is closest to, when it is close enough to have been meant.
pub(super) fn did_you_mean<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let scored = candidates.iter().map(|&candidate| (strsim::jaro_winkler(&word, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= 0.85).map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``.
pub(super) fn list(words: &[&str]) -> String {
    join(words, "and")
}

/// `` `a`, `b` or `c` ``.
pub(super) fn alternatives(words: &[&str]) -> String {
    join(words, "or")
}

fn join(words: &[&str], conjunction: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {conjunction} {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["site", "access_key", "secret_key", "endpoints", "gateway", "rate", "emulator"];
        for (slip, meant) in [("acess_key", "access_key"), ("Site", "site"), ("endpoint", "endpoints"), ("rat", "rate")]
        {
            assert_eq!(did_you_mean(slip, &keys), Some(meant), "{slip}");
        }
        for other in ["colour", "x", ""] {
            assert_eq!(did_you_mean(other, &keys), None, "{other}");
        }
    }
}
