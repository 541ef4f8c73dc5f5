//! One suite against both: the strict server answers as its cases say, and moto as they say or as the table of differences
//! does.

use aws_sdk_secretsmanager::Client;

use crate::bench::client;
use crate::cases::{CASES, Case};
use crate::differences::{DIFFERENCES, Differences};
use crate::moto::Moto;
use crate::script::Player;
use crate::secrets_manager::server::Server;

/// A rule, a line, the strict answer and moto's.
type Row = [String; 4];

#[tokio::test]
async fn both_agree_but_for_the_differences_that_are_named() {
    let (strict, moto) = (Server::start(), Moto::start());
    let (to_strict, to_moto) = (client(&strict.endpoint()), client(moto.endpoint()));
    let mut differences = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let expected: Vec<_> = case.script.iter().map(|(_, answer)| (*answer).to_owned()).collect();
        let answers = play(&to_strict, number, case).await;
        assert_eq!(answers, expected, "strict: {}", case.rule);
        let opinions = play(&to_moto, number, case).await;
        for (((line, _), strict), moto) in case.script.iter().zip(answers).zip(opinions) {
            if strict != moto {
                differences.push([case.rule.to_owned(), (*line).to_owned(), strict, moto]);
            }
        }
    }
    is_as_named(&differences);
}

/// Says which rows are new and which no longer hold. Rows repeat where lines do, so each is counted.
fn is_as_named(seen: &[Row]) {
    let rows = |(rule, rows): &Differences| {
        rows.iter().map(|(line, strict, moto)| [*rule, *line, *strict, *moto].map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut gone: Vec<Row> = DIFFERENCES.iter().flat_map(rows).collect();
    let mut new = Vec::new();
    for row in seen {
        match gone.iter().position(|named| named == row) {
            Some(at) => drop(gone.remove(at)),
            None => new.push(row),
        }
    }
    assert!(
        new.is_empty(),
        "moto differs anew (rule, line, strict, moto): {new:#?}; differences.rs no longer: {gone:#?}"
    );
    assert!(gone.is_empty(), "moto agrees by now; take these out of differences.rs: {gone:#?}");
}

async fn play(aws: &Client, number: usize, case: &Case) -> Vec<String> {
    let player = Player::new(aws, &format!("case{number}/"));
    let mut answers = Vec::new();
    for (line, _) in case.script {
        answers.push(player.play(line).await);
    }
    answers
}
