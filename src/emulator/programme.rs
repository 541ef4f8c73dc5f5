//! What goes wrong on purpose: an ordered programme of rules, each good for some requests.
//!
//! A rule is used up by requests as they arrive, whatever becomes of them. The first rule that fits a request and is
//! neither skipping nor used up has it; a rule that skips lets later rules have the request.

use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::book::Named;
use super::call::{Call, CallPattern};
use super::fault::Fault;

/// The rules that are left.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    /// Adds rules at the end.
    pub(super) fn append(&self, rules: Vec<Rule>) {
        self.rules().extend(rules);
    }

    pub(super) fn clear(&self) {
        self.rules().clear();
    }

    /// The rules as they are now, with what is left of them.
    pub(super) fn left(&self) -> Vec<Rule> {
        self.rules().clone()
    }

    /// The fault for a request that arrives, which counts as one of its rule's times.
    pub(super) fn take(&self, call: Call, account: Option<&Named>) -> Option<Fault> {
        let mut rules = self.rules();
        let position = rules.iter_mut().position(|rule| {
            if !rule.fits(call, account) {
                return false;
            }
            let skips = rule.skip > 0;
            rule.skip = rule.skip.saturating_sub(1);
            !skips
        })?;
        let fault = rules[position].fault.clone();
        if let Times::Count(left) = &mut rules[position].times {
            match NonZeroU64::new(left.get() - 1) {
                Some(fewer) => *left = fewer,
                None => drop(rules.remove(position)),
            }
        }
        Some(fault)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of the programme.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    call: CallPattern,
    /// Only requests about this account, named by its id, login id or name.
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    times: Times,
    /// How many fitting requests pass first.
    #[serde(default)]
    skip: u64,
    fault: Fault,
}

impl Rule {
    fn fits(&self, call: Call, account: Option<&Named>) -> bool {
        let account_fits = self
            .account
            .as_ref()
            .is_none_or(|wanted| account.is_some_and(|account| *wanted == account.id || *wanted == account.name));
        self.call.fits(call) && account_fits
    }
}

/// How many requests a rule is good for: a number, or `"always"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Times {
    Count(NonZeroU64),
    Always(Always),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Always {
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Self::Count(NonZeroU64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::account::Kind;

    fn programme(rules: serde_json::Value) -> Faults {
        let faults = Faults::default();
        faults.append(serde_json::from_value(rules).unwrap());
        faults
    }

    fn labels(faults: &Faults, call: Call, account: Option<&Named>, requests: usize) -> Vec<&'static str> {
        (0..requests).map(|_| faults.take(call, account).map_or("-", |fault| fault.label())).collect()
    }

    #[test]
    fn rules_apply_in_order_until_they_are_used_up() {
        let faults = programme(json!([
            { "call": "password", "skip": 2, "fault": "drop-after" },
            { "call": "*", "times": 2, "fault": { "429": 410 } },
            { "call": "password", "times": "always", "fault": "refuse" },
        ]));
        let seen = labels(&faults, Call::Password, None, 5);
        assert_eq!(seen, ["429", "429", "drop-after", "refuse", "refuse"]);
        assert_eq!(labels(&faults, Call::GetList, None, 1), ["-"]);
        assert_eq!(faults.left().len(), 1);
        faults.clear();
        assert_eq!(labels(&faults, Call::Password, None, 1), ["-"]);
    }

    #[test]
    fn the_example_of_the_rooms_doc_does_what_it_says() {
        let faults = programme(json!([
            { "call": "password", "account": "svc-batch", "skip": 1, "fault": "drop-after" },
            { "call": "*", "skip": 1, "times": 2, "fault": { "429": 410 } },
        ]));
        let batch = Named { kind: Kind::SubAccount, id: "1".into(), name: "svc-batch".into() };
        assert_eq!(labels(&faults, Call::Password, Some(&batch), 5), ["-", "drop-after", "429", "429", "-"]);
    }

    #[test]
    fn a_rule_for_an_account_takes_its_name_or_id_and_nothing_else() {
        let named = |id: &str| Named { kind: Kind::DataForest, id: id.into(), name: format!("df-{id}") };
        for wanted in ["1", "df-1"] {
            let rules = json!([{ "call": "resetPassword", "account": wanted, "fault": "forbid" }]);
            let faults = programme(rules);
            assert_eq!(labels(&faults, Call::ResetPassword, None, 1), ["-"]);
            assert_eq!(labels(&faults, Call::ResetPassword, Some(&named("2")), 1), ["-"]);
            assert_eq!(labels(&faults, Call::GetDetail, Some(&named("1")), 1), ["-"]);
            assert_eq!(labels(&faults, Call::ResetPassword, Some(&named("1")), 2), ["forbid", "-"]);
        }
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        for rule in [
            json!({ "call": "reset", "fault": "refuse" }),
            json!({ "call": "*", "fault": "explode" }),
            json!({ "call": "*", "fault": { "5xx-after": 501 } }),
            json!({ "call": "*", "fault": { "429": 430 } }),
            json!({ "call": "*", "fault": "refuse", "times": 0 }),
            json!({ "call": "*", "fault": "refuse", "times": "often" }),
            json!({ "call": "*", "fault": "refuse", "name": "x" }),
            json!({ "call": "*", "fault": { "delay": { "checked-at": "arrival" } } }),
            json!({ "call": "*", "fault": { "error-body": { "shape": "soap", "status": 400 } } }),
            json!({ "call": "*", "fault": { "error-body": { "shape": "flat", "status": 204 } } }),
            json!({ "call": "*", "fault": { "error-body": { "shape": "flat" } } }),
        ] {
            assert!(serde_json::from_value::<Rule>(rule.clone()).is_err(), "{rule} was accepted");
        }
    }
}
