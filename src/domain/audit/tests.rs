use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::account::{AccountName, Kind};
use crate::domain::cause::Cause;
use crate::domain::due::{Reason, Slot, Why};
use crate::domain::plan::Terms;

fn entry(number: u32) -> Entry {
    let mut detail = Map::new();
    detail.insert("number".to_owned(), number.into());
    Entry {
        at: "2026-03-01T00:00:00.25Z".parse().unwrap(),
        gateway: number.is_multiple_of(2).then(|| "2026-03-01T00:00:01Z".parse().unwrap()),
        account: Some(AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: format!("svc-{number}") }),
        secret: "ncloud/main/sub-account/svc".parse().ok(),
        what: What::Staged,
        detail,
        cause: Cause::SCHEDULE,
    }
}

fn chain(rows: u32) -> Vec<Row> {
    let mut chain: Vec<Row> = Vec::new();
    for number in 0..rows {
        let head = chain.last().map(Row::head);
        chain.push(Row::link(head.as_ref(), &entry(number)).unwrap());
    }
    chain
}

fn walk(chain: &[Row], sought: Vec<Hash>) -> Verdict {
    let mut walk = Walk::seeking(sought);
    for row in chain {
        walk.push(row);
    }
    walk.end()
}

/// As someone with the right to write the file would leave it: the numbers without gaps.
fn renumbered(mut chain: Vec<Row>) -> Vec<Row> {
    for (seq, row) in (1..).zip(&mut chain) {
        row.seq = seq;
    }
    chain
}

/// A row whose text was changed, and its hash with it.
fn forged(row: &Row, from: &str, to: &str) -> Row {
    let text = row.text.replacen(from, to, 1);
    assert_ne!(text, row.text);
    Row { seq: row.seq, hash: Hash::of(&text).to_string(), text }
}

#[test]
fn a_row_says_its_number_its_predecessor_and_everything_else() {
    let chain = chain(2);
    let told: Value = serde_json::from_str(&chain[1].text).unwrap();
    assert_eq!(
        told,
        json!({
            "seq": 2, "previous": chain[0].hash, "at": "2026-03-01T00:00:00.250Z", "gateway": null,
            "account": "main/sub-account/svc-1", "secret": "ncloud/main/sub-account/svc", "what": "staged",
            "detail": { "number": 1 }, "cause": { "by": "schedule" },
        })
    );
    assert!(chain[0].text.starts_with(r#"{"seq":1,"previous":null,"at":"2026-03-01T00:00:00.250Z","gateway":"2026-"#));
}

#[test]
fn the_hash_is_what_sha256sum_says_of_the_text() {
    assert_eq!(Hash::of("abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_chain_as_it_was_written_is_whole_and_every_row_of_it_is_found() {
    let chain = chain(6);
    let sought = chain.iter().map(|row| row.hash.to_uppercase().parse().unwrap()).collect();
    let verdict = walk(&chain, sought);
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!((verdict.rows, verdict.head.as_ref()), (6, Some(&chain[5].hash)));
    assert!(!walk(&[], Vec::new()).is_whole(), "a chain always has its first row");
}

#[test]
fn each_way_to_break_it_is_named_with_its_row() {
    let good = chain(7);
    let with = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut chain = good.clone();
        change(&mut chain);
        walk(&chain, Vec::new()).flaws.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (told, expected) in [
        (with(&|chain| chain[2].text = chain[2].text.replace("staged", "rotated")), "row 3 was changed"),
        (with(&|chain| chain[6].hash = chain[5].hash.clone()), "row 7 was changed"),
        (with(&|chain| chain[2].text = "no JSON".to_owned()), "row 3 was changed"),
        (with(&|chain| drop(chain.remove(3))), "row 4 was removed: row 5"),
        (with(&|chain| drop(chain.drain(..3))), "rows 1 to 3 were removed: row 4"),
        (with(&|chain| chain[3] = forged(&chain[3], "staged", "rotated")), "row 5 was inserted, or the row before it"),
        (with(&|chain| chain[0] = forged(&chain[0], "\"previous\":null", "\"previous\":\"\"")), "row 1 was inserted"),
        (with(&|chain| chain.insert(0, Row { seq: 0, ..chain[3].clone() })), "row 0 was inserted"),
        (with(&|chain| chain[6].seq = i64::MAX), "rows 7 to 9223372036854775806 were removed"),
    ] {
        assert!(told[0].starts_with(expected), "{told:?} for {expected:?}");
    }
    let moved = with(&|chain| {
        chain.swap(2, 4);
        *chain = renumbered(chain.clone());
    });
    assert_eq!(moved.len(), 2, "{moved:?}");
    assert!(moved[0].starts_with("row 3 was moved or inserted: it was written as row 5"), "{moved:?}");
    assert!(moved[1].starts_with("row 5 was moved or inserted: it was written as row 3"), "{moved:?}");
}

#[rstest]
#[case("")]
#[case("abc")]
#[case("zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
#[case("+a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
#[case("가가가가가가가가가가가가가가가가가가가가가a")]
fn a_hash_is_64_hexadecimal_digits(#[case] text: &str) {
    assert_eq!(text.parse::<Hash>(), Err(BadHash));
}

proptest! {
    #[test]
    fn a_changed_text_or_hash_is_found(rows in 1_u32..12, which: prop::sample::Index, at: prop::sample::Index, new: char, hash: bool) {
        let mut chain = chain(rows);
        let row = which.get_mut(&mut chain);
        let field = if hash { &mut row.hash } else { &mut row.text };
        let mut letters: Vec<char> = field.chars().collect();
        let old = std::mem::replace(at.get_mut(&mut letters), new);
        prop_assume!(old != new);
        *field = letters.into_iter().collect();
        let (seq, verdict) = (row.seq, walk(&chain, Vec::new()));
        prop_assert_eq!(verdict.flaws, vec![Flawed { row: seq, flaw: Flaw::Changed }]);
    }

    #[test]
    fn a_removed_row_is_found_renumbered_or_not(rows in 2_u32..12, which: prop::sample::Index, renumber: bool) {
        let mut chain = chain(rows);
        let head = vec![chain[chain.len() - 1].hash.parse().unwrap()];
        let removed = which.index(chain.len());
        let was_last = removed == chain.len() - 1;
        chain.remove(removed);
        let chain = if renumber { renumbered(chain) } else { chain };
        prop_assert_eq!(walk(&chain, Vec::new()).is_whole(), was_last);
        prop_assert!(!walk(&chain, head).is_whole());
    }

    #[test]
    fn an_inserted_row_is_found(rows in 1_u32..12, at: prop::sample::Index, copied: prop::sample::Index, forge: bool) {
        let mut chain = chain(rows);
        let at = at.index(chain.len());
        let behind = at.checked_sub(1).map(|before| chain[before].head());
        let new = if forge { Row::link(behind.as_ref(), &entry(99)).unwrap() } else { copied.get(&chain).clone() };
        chain.insert(at, new);
        let verdict = walk(&renumbered(chain), Vec::new());
        prop_assert!(verdict.flaws.iter().any(|flawed| flawed.row == i64::try_from(at).unwrap() + 1 || flawed.row == i64::try_from(at).unwrap() + 2));
    }

    #[test]
    fn reordered_rows_are_found(rows in 2_u32..12, one: prop::sample::Index, other: prop::sample::Index, renumber: bool) {
        let mut chain = chain(rows);
        let (one, other) = (one.index(chain.len()), other.index(chain.len()));
        prop_assume!(one != other);
        let (first, second) = (chain[one].clone(), chain[other].clone());
        chain[one] = Row { seq: first.seq, ..second.clone() };
        chain[other] = Row { seq: second.seq, ..first };
        // Renumbered within their texts too, by someone who knows how the hash is made.
        if renumber {
            for row in &mut chain {
                let mut told: Map<String, Value> = serde_json::from_str(&row.text).unwrap();
                told.insert("seq".to_owned(), row.seq.into());
                row.text = serde_json::to_string(&told).unwrap();
                row.hash = Hash::of(&row.text).to_string();
            }
        }
        prop_assert!(!walk(&chain, Vec::new()).is_whole());
    }

    /// Everything behind a row written anew is a chain of its own; the old one's end is in no row of it.
    #[test]
    fn a_chain_written_anew_is_found_by_an_old_head(rows in 2_u32..12, from: prop::sample::Index) {
        let good = chain(rows);
        let from = from.index(good.len());
        let mut anew = good[..from].to_vec();
        for number in from..good.len() + 3 {
            let head = anew.last().map(Row::head);
            anew.push(Row::link(head.as_ref(), &entry(1000 + u32::try_from(number).unwrap())).unwrap());
        }
        prop_assert!(walk(&anew, Vec::new()).is_whole());
        let verdict = walk(&anew, vec![good[good.len() - 1].hash.parse().unwrap()]);
        prop_assert!(!verdict.is_whole() && verdict.flaws.is_empty());
    }
}

#[test]
fn a_beginning_is_read_as_it_was_written_and_nothing_else_is_one() {
    let why = Why { reason: Reason::Adopted, slot: Slot::NoWindowLeft };
    for (number, first_run, overdue) in [(0, true, false), (1, false, true), (2, true, true), (3, false, false)] {
        let terms = Terms::All { first_run, overdue };
        let detail = Beginning::detail("daily", why, terms);
        assert_eq!((&detail["reason"], &detail["slot"]), (&json!("adopted"), &json!("no-window-left")));
        let entry = Entry { what: Beginning::WHAT, detail, ..entry(number) };
        let text = Row::link(None, &entry).unwrap().text;
        let (account, at) = (entry.account.clone().unwrap(), entry.gateway.unwrap_or(entry.at));
        assert_eq!(Beginning::read(&text), Some(Beginning { account, at, policy: "daily".to_owned(), terms }));
        assert_eq!(Beginning::time(&text), Some(at));
    }
    let asked = Entry { what: Beginning::WHAT, ..entry(0) };
    for other in [entry(0), asked, Entry { detail: Beginning::detail("daily", why, Terms::Rates), ..entry(0) }] {
        assert_eq!(Beginning::read(&Row::link(None, &other).unwrap().text), None, "{other:?}");
    }
    assert_eq!((Beginning::read("{}"), Beginning::time("no JSON")), (None, None));
}
