//! The proof: the real `step` under every interleaving of two replicas, crashes, delays, ambiguous answers and arbitrary
//! refusals, over two kinds of vault, within the bounds of each [`Config`]. Every rule whose removal a model can show is
//! also taken away, and the loss of a password found.
//!
//! Seconds here stand for minutes there: a signature lives 4 s and the gateway works on a request for 1 s at the most, so
//! that a fence over exact clocks is 5 s.

#[path = "model/acts.rs"]
mod acts;
#[path = "model/aws.rs"]
mod aws;
#[path = "model/cas.rs"]
mod cas;
#[path = "model/completion.rs"]
mod completion;
#[path = "model/config.rs"]
mod config;
#[path = "model/turns.rs"]
mod turns;
#[path = "model/world.rs"]
mod world;
#[path = "model/worlds.rs"]
mod worlds;

use rstest::rstest;
use stateright::{Checker, HasDiscoveries, Model, Path};

use aws::Aws;
use cas::Cas;
use config::{Config, Faults, Flaw};
use world::{Protocol, Turn, Vault, World};
use worlds::{
    ADOPT, DUE, REFUSAL_AND_DOUBT, RESUME, ROLLBACK, ROTATE, adoption, block, crash, deleted, doubt, drifted, dropped,
    edit, edit_of_a_stranger, lag, late_reads, next_generation, provider, provider_in_doubt, resumed, rollback,
    rollback_again, skew, skew_in_doubt, sole, spaced, strange, three_candidates, twice, twice_in_doubt, vault_clock,
    wrong_wall_clock,
};

#[rstest]
#[case::adoption(adoption())]
#[case::doubt(doubt())]
#[case::twice(twice_in_doubt())]
#[case::crash(crash())]
#[case::block(block())]
#[case::skew(skew())]
#[case::drifted(drifted())]
#[case::wrong_wall_clock(wrong_wall_clock())]
#[case::lag(lag())]
#[case::resumed(resumed())]
#[case::rollback(rollback())]
#[case::rollback_again(rollback_again())]
#[case::rollback_twice(Config { asks: [&[ROLLBACK], &[ROLLBACK]], ..rollback() })]
#[case::dropped(dropped())]
#[case::deleted(deleted())]
#[case::provider(provider())]
#[case::provider_in_doubt(provider_in_doubt())]
fn the_promise_holds_over_a_vault_that_compares_and_counts(#[case] config: Config) {
    holds::<Cas>(config);
}

#[rstest]
#[case::adoption(adoption())]
#[case::doubt(doubt())]
#[case::twice(twice_in_doubt())]
#[case::crash(crash())]
#[case::late_reads(late_reads())]
#[case::next_generation(next_generation())]
#[case::resumed(resumed())]
#[case::spaced(spaced())]
#[case::rollback(rollback())]
#[case::rollback_again(rollback_again())]
#[case::rollback_twice(Config { asks: [&[ROLLBACK], &[ROLLBACK]], ..rollback() })]
#[case::dropped(dropped())]
#[case::deleted(deleted())]
#[case::provider(provider())]
#[case::edit(edit())]
#[case::edit_under_a_rollback(Config { horizon: 5, asks: [&[ROLLBACK], &[RESUME]], starts: rollback().starts, ..edit() })]
#[case::strange(strange())]
#[case::sole(sole())]
#[case::vault_clock_behind(vault_clock(-1))]
fn the_promise_holds_over_a_vault_like_that_of_aws(#[case] config: Config) {
    holds::<Aws>(config);
}

#[rstest]
#[case::adoption(Config { horizon: 7, faults: Faults { blocks: 1, ..REFUSAL_AND_DOUBT }, ..adoption() })]
#[case::twice(Config { passwords: 3, faults: REFUSAL_AND_DOUBT, ..twice() })]
#[case::crash(Config { faults: Faults { crashes: 1, journals: 1, ..REFUSAL_AND_DOUBT }, ..adoption() })]
#[case::wrong_wall_clock(Config { horizon: 6, ..wrong_wall_clock() })]
#[case::lag(Config { faults: REFUSAL_AND_DOUBT, ..lag() })]
#[case::skew(Config { horizon: 8, ..skew_in_doubt() })]
#[case::three_candidates(three_candidates())]
#[case::spaced(spaced())]
#[case::spaced_and_adopted(Config { asks: [&[DUE], &[ADOPT]], ..spaced() })]
#[case::dropped(Config { horizon: 5, faults: REFUSAL_AND_DOUBT, ..dropped() })]
#[ignore = "minutes; run with `cargo test --test model -- --ignored --test-threads 1`"]
fn the_promise_holds_in_larger_worlds_over_a_vault_that_compares_and_counts(#[case] config: Config) {
    holds::<Cas>(config);
}

#[rstest]
#[case::adoption(Config { horizon: 7, faults: Faults { blocks: 1, ..REFUSAL_AND_DOUBT }, ..adoption() })]
#[case::late_reads(Config { faults: REFUSAL_AND_DOUBT, ..late_reads() })]
#[case::next_generation(Config { faults: REFUSAL_AND_DOUBT, ..next_generation() })]
#[case::three_candidates(three_candidates())]
#[case::spaced(spaced())]
#[case::spaced_and_adopted(Config { asks: [&[DUE], &[ADOPT]], ..spaced() })]
#[case::vault_clock_ahead(vault_clock(1))]
#[case::edit_and_rotate(Config { asks: [&[ROTATE, RESUME], &[ROTATE]], ..edit() })]
#[case::edit_in_doubt(Config { asks: [&[RESUME], &[RESUME, RESUME]], faults: REFUSAL_AND_DOUBT, ..edit() })]
#[case::edit_of_a_stranger(edit_of_a_stranger())]
#[case::provider_in_doubt(provider_in_doubt())]
#[case::strange_in_doubt(Config { horizon: 5, asks: [&[ROTATE], &[RESUME, ADOPT]], faults: REFUSAL_AND_DOUBT, ..strange() })]
#[case::sole(Config { horizon: 8, faults: Faults { blocks: 1, ..sole().faults }, ..sole() })]
#[ignore = "minutes; run with `cargo test --test model -- --ignored --test-threads 1`"]
fn the_promise_holds_in_larger_worlds_over_a_vault_like_that_of_aws(#[case] config: Config) {
    holds::<Aws>(config);
}

#[rstest]
#[case(Flaw::NoFence, adoption())]
#[case(Flaw::ShortFence, adoption())]
#[case(Flaw::SignsLate, adoption())]
#[case(Flaw::OriginIsCreation, adoption())]
#[case(Flaw::SupersededDropped, adoption())]
#[case(Flaw::PermitsUncounted, adoption())]
#[case(Flaw::DoubtIsRefusal, doubt())]
#[case(Flaw::ClocksUnguarded, drifted())]
#[case(Flaw::StampsUnheard, wrong_wall_clock())]
#[case(Flaw::ProviderGone, adoption())]
#[case(Flaw::RollbackForgotten, rollback_again())]
#[case(Flaw::TokensTakenForCandidates, deleted())]
fn a_rule_taken_away_is_missed_over_a_vault_that_compares_and_counts(#[case] flaw: Flaw, #[case] config: Config) {
    breaks::<Cas>(flaw, config);
}

#[rstest]
#[case(Flaw::NoFence, adoption())]
#[case(Flaw::ShortFence, adoption())]
#[case(Flaw::SignsLate, adoption())]
#[case(Flaw::OriginIsCreation, adoption())]
#[case(Flaw::NoGenerations, next_generation())]
#[case(Flaw::TwoReads, adoption())]
#[case(Flaw::UsedTokenTrusted, adoption())]
#[case(Flaw::SettleForgotten, late_reads())]
#[case(Flaw::RollbackForgotten, rollback_again())]
#[case(Flaw::TokensTakenForCandidates, deleted())]
#[case(Flaw::WriteIsRead, Config { asks: [&[ROTATE, RESUME], &[RESUME]], ..edit() })]
#[case(Flaw::FirstForgets, edit_of_a_stranger())]
#[case(Flaw::AnswerPutBlindly, provider())]
#[case(Flaw::JournalTrusted, sole())]
#[case(Flaw::VaultClockTrusted, vault_clock(-4))]
fn a_rule_taken_away_is_missed_over_a_vault_like_that_of_aws(#[case] flaw: Flaw, #[case] config: Config) {
    breaks::<Aws>(flaw, config);
}

#[test]
#[ignore = "half a minute; run with `cargo test --test model -- --ignored`"]
fn a_fence_that_forgets_a_second_is_missed_where_clocks_are_as_far_apart_as_they_may_be() {
    breaks::<Cas>(Flaw::ShortFence, skew_in_doubt());
}

/// Comparing the whole secret makes these rules unnecessary there: no write passes over what it did not see.
#[rstest]
#[case(Flaw::NoGenerations, adoption())]
#[case(Flaw::TwoReads, adoption())]
#[case(Flaw::UsedTokenTrusted, adoption())]
fn a_vault_that_compares_everything_forgives(#[case] flaw: Flaw, #[case] config: Config) {
    holds::<Cas>(Config { flaw: Some(flaw), complete_one_in: 0, ..config });
}

fn holds<V: Vault>(config: Config) {
    let checker = Protocol::<V>::new(config).checker().finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    report(checker.unique_state_count(), checker.max_depth());
    let found: Vec<_> = checker.discoveries().into_iter().map(|(name, path)| [name.to_owned(), told(path)]).collect();
    assert!(found.is_empty(), "not so: {}", found.concat().join("\n"));
    assert!(checker.is_done(), "the search ended early");
}

fn breaks<V: Vault>(flaw: Flaw, config: Config) {
    let config = Config { flaw: Some(flaw), complete_one_in: u64::from(flaw == Flaw::ProviderGone), ..config };
    let checker = Protocol::<V>::new(config).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    report(checker.unique_state_count(), checker.max_depth());
    let seen =
        checker.discoveries().keys().any(|name| (flaw == Flaw::ProviderGone) == name.starts_with("when faults stop"));
    assert!(seen, "the checker did not miss the rule that {flaw:?} takes away");
}

/// The trace as a list of turns, with the second in which each was taken.
fn told<V: Vault>(path: Path<World<V>, Turn>) -> String {
    let line = |(world, turn): (World<V>, Option<Turn>)| {
        let turn = turn?;
        let asked = match turn {
            Turn::Perform(who, _) | Turn::PerformUnheard(who) => format!("{:?}", world.replicas[who].todo),
            _ => String::new(),
        };
        Some(format!("{:3} s  {turn:?} {asked}\n", world.now))
    };
    path.into_vec().into_iter().filter_map(line).collect()
}

#[expect(clippy::print_stderr, reason = "the size of what was searched is half of what a proof by search says")]
fn report(states: usize, depth: usize) {
    let thread = std::thread::current();
    eprintln!("{states:>9} states, depth {depth:>2}: {}", thread.name().unwrap_or("search"));
}
