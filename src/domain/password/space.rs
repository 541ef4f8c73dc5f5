//! The set of passwords of one length over one alphabet that hold every class and no run: its size, and drawing from it.

use rand::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::rules::{Class, Step, has_run, missing_class};

/// A set of passwords. It knows no login id: that one is excluded while drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    alphabet: Vec<u8>,
    length: usize,
}

/// The classes seen so far, one bit each.
type Mask = usize;

const ALL_CLASSES: Mask = 0b1111;

/// How many strings end in one character: by the step that led to it, then by the classes seen.
type Endings = [[u128; ALL_CLASSES + 1]; 4];

impl Space {
    /// A set over distinct ASCII characters.
    pub(super) const fn new(alphabet: Vec<u8>, length: usize) -> Self {
        Self { alphabet, length }
    }

    /// How many characters a password of the set has.
    #[cfg(test)]
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// The first class of which the alphabet has no character.
    pub(super) fn empty_class(&self) -> Option<Class> {
        missing_class(&self.alphabet)
    }

    /// Exactly how many passwords there are, by counting from left to right how many strings without a run end in which
    /// character, by which step, with which classes seen. Data Forest's longest passwords, 75²⁰ strings, fit in 125 bits.
    pub(super) fn count(&self) -> u128 {
        let mut endings: Vec<Endings> = self.alphabet.iter().map(|character| first(*character)).collect();
        for _ in 1..self.length {
            endings = self.extend(&endings);
        }
        endings.iter().flatten().map(|by_mask| by_mask[ALL_CLASSES]).sum()
    }

    fn extend(&self, endings: &[Endings]) -> Vec<Endings> {
        let all: [u128; ALL_CLASSES + 1] = std::array::from_fn(|mask| endings.iter().map(|e| any_step(e, mask)).sum());
        let extend_by = |last: u8| {
            let mut next = Endings::default();
            for mask in 0..=ALL_CLASSES {
                let seen = mask | bit(last);
                let mut unrelated = all[mask];
                for (before, ending) in self.alphabet.iter().zip(endings) {
                    let step = Step::between(*before, last);
                    if step != Step::Other {
                        let any = any_step(ending, mask);
                        unrelated -= any;
                        next[step as usize][seen] += any - ending[step as usize][mask];
                    }
                }
                next[Step::Other as usize][seen] += unrelated;
            }
            next
        };
        self.alphabet.iter().map(|last| extend_by(*last)).collect()
    }

    /// A string of the set's length, each character drawn with the same chance as any other: a member of the set, or not.
    /// Its memory is wiped when it is dropped.
    pub(super) fn draw_string<R: TryCryptoRng>(&self, rng: &mut R) -> Result<Zeroizing<String>, R::Error> {
        let mut text = Zeroizing::new(String::with_capacity(self.length));
        let mut bytes = Zeroizing::new([0_u8; 32]);
        while text.len() < self.length {
            rng.try_fill_bytes(&mut *bytes)?;
            let missing = self.length - text.len();
            let picked = bytes.iter().filter_map(|byte| pick(*byte, &self.alphabet)).take(missing);
            text.extend(picked.map(char::from));
            bytes.zeroize();
        }
        Ok(text)
    }
}

/// Whether a string of a set's length and over its alphabet is in the set: it holds every class, and no run.
pub(super) fn is_mixed(text: &[u8]) -> bool {
    missing_class(text).is_none() && !has_run(text)
}

/// The character that a random byte stands for. The bytes above the last whole multiple of the alphabet's size stand for
/// none, or the first characters would be likelier than the rest.
fn pick(byte: u8, alphabet: &[u8]) -> Option<u8> {
    let (byte, size) = (usize::from(byte), alphabet.len());
    (byte < 256 - 256 % size).then(|| alphabet[byte % size])
}

fn first(character: u8) -> Endings {
    let mut endings = Endings::default();
    endings[Step::Other as usize][bit(character)] = 1;
    endings
}

fn any_step(endings: &Endings, mask: Mask) -> u128 {
    endings.iter().map(|by_mask| by_mask[mask]).sum()
}

const fn bit(character: u8) -> Mask {
    1 << Class::of(character) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::domain::password::testing::SplitMix;

    fn space(alphabet: &str, length: usize) -> Space {
        Space::new(alphabet.bytes().collect(), length)
    }

    /// Every string over the alphabet, the slow way.
    fn strings(space: &Space) -> Vec<Vec<u8>> {
        let longer = |strings: Vec<Vec<u8>>| {
            let append = |text: &Vec<u8>, last: u8| [text.as_slice(), &[last]].concat();
            strings.iter().flat_map(|text| space.alphabet.iter().map(move |last| append(text, *last))).collect()
        };
        (0..space.length).fold(vec![vec![]], |strings, _| longer(strings))
    }

    /// The set, the slow way.
    fn members(space: &Space) -> Vec<Vec<u8>> {
        strings(space).into_iter().filter(|text| is_mixed(text)).collect()
    }

    #[rstest]
    #[case("aA0-", 3)]
    #[case("aA0-", 4)]
    #[case("aA0-", 7)]
    #[case("abcA0-", 6)]
    #[case("abA12-_", 5)]
    #[case("abcAB0()*", 5)]
    #[case("abA012345-", 5)]
    #[case("ZA@[a0", 5)]
    #[case("abc", 4)]
    fn the_count_is_that_of_a_full_enumeration(#[case] alphabet: &str, #[case] length: usize) {
        let space = space(alphabet, length);
        assert_eq!(space.count(), members(&space).len() as u128);
    }

    #[test]
    fn the_count_sees_runs_in_every_direction() {
        let ways = |alphabet: &str| space(alphabet, 6).count();
        assert!(ways("abcA0-") < ways("acfA0-"), "abc or cba was counted");
        assert!(strings(&space("aA0-", 6)).len() as u128 > ways("aA0-"));
    }

    #[test]
    fn no_set_that_the_rules_know_overflows_the_count() {
        let alphabet: String = ('0'..='9').chain('A'..='Z').chain('a'..='z').chain("!@#$%^*()-_=+".chars()).collect();
        let count = space(&alphabet, 20).count();
        assert!(count < 75_u128.pow(20) && count > 75_u128.pow(20) / 4, "{count}");
    }

    #[test]
    fn every_character_stands_for_equally_many_bytes() {
        for size in 1..=75_u8 {
            let alphabet: Vec<u8> = (1..=size).collect();
            let mut hits = BTreeMap::<u8, usize>::new();
            for character in (0..=u8::MAX).filter_map(|byte| pick(byte, &alphabet)) {
                *hits.entry(character).or_default() += 1;
            }
            assert_eq!(hits.len(), alphabet.len());
            assert!(hits.values().all(|count| *count == 256 / alphabet.len()), "{hits:?}");
        }
    }

    #[test]
    fn draws_are_uniform_over_the_whole_set() {
        let (space, mut rng) = (space("abA1-", 6), SplitMix(2));
        let draw = || {
            loop {
                let text = space.draw_string(&mut rng).unwrap();
                if is_mixed(text.as_bytes()) {
                    return text.as_bytes().to_vec();
                }
            }
        };
        let excess = chi_square_excess(&space, draw);
        assert!(excess.abs() < 4.0, "{excess} standard deviations from what a uniform draw gives");
    }

    /// The negative control: what the tests above would miss if they could not fail.
    #[test]
    fn picking_one_of_each_class_and_shuffling_is_not_uniform_and_is_seen() {
        let (space, mut rng) = (space("abA1-", 6), SplitMix(2));
        let draw = || {
            loop {
                let mut extra = || b"abA1-"[rng.below(5)];
                let mut text = vec![b'A', b'1', b'-', extra(), extra()];
                text.push(b"ab"[rng.below(2)]);
                for place in (1..text.len()).rev() {
                    text.swap(place, rng.below(place + 1));
                }
                if is_mixed(&text) {
                    return text;
                }
            }
        };
        let excess = chi_square_excess(&space, draw);
        assert!(excess > 20.0, "the test does not tell this from uniform: {excess}");
    }

    /// Draws 40 times the size of the set; tells by how many standard deviations chi-square exceeds its expectation.
    fn chi_square_excess(space: &Space, mut draw: impl FnMut() -> Vec<u8>) -> f64 {
        let mut hits: BTreeMap<Vec<u8>, u32> = members(space).into_iter().map(|member| (member, 0)).collect();
        let expected = 40.0;
        for _ in 0..hits.len() * 40 {
            *hits.get_mut(&draw()).expect("a draw from outside of the set") += 1;
        }
        let chi_square: f64 = hits.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        let freedom = f64::from(u32::try_from(hits.len()).unwrap() - 1);
        (chi_square - freedom) / (2.0 * freedom).sqrt()
    }
}
