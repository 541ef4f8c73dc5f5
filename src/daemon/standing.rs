//! Where the daemon stands, in one line: what `systemctl status` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::account::AccountName;
use crate::domain::schedule::pause::Target;
use crate::ports::observer::Fact;

/// How long a trouble is told without being heard of again: what another process has settled is no news here. An account in
/// trouble gets another turn at least every quarter of an hour.
const STALE: SignedDuration = SignedDuration::from_mins(30);
/// How many are named before the rest is only counted.
const NAMED: usize = 3;
/// The longest line, in bytes. The service manager drops what is longer than 4096.
const LONGEST: usize = 1024;

/// What facts have told so far.
#[derive(Debug, Default)]
pub(super) struct Standing {
    looked: Option<Looked>,
    troubles: BTreeMap<String, Trouble>,
    stopped: BTreeMap<String, String>,
    unlisted: BTreeSet<String>,
    paused: BTreeSet<Target>,
    /// Passwords that expire soon, and that have expired.
    expiring: (usize, usize),
    /// Why the file as it is now is not in force.
    pub(super) refused: bool,
    /// Asked to end.
    pub(super) ending: bool,
}

/// The end of a look.
#[derive(Debug)]
struct Looked {
    accounts: usize,
    next: Option<(Timestamp, String)>,
}

#[derive(Debug)]
struct Trouble {
    kind: Kind,
    why: String,
    until: Timestamp,
}

/// The gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    OnlyCopy,
    Operator,
    Unfinished,
}

impl Standing {
    /// Takes note of a fact that was told at `now`.
    pub(super) fn note(&mut self, fact: &Fact<'_>, now: Timestamp) {
        match *fact {
            Fact::Next { accounts, at, account, .. } => {
                self.looked = Some(Looked { accounts, next: at.zip(account.map(ToString::to_string)) });
                self.troubles.retain(|_, trouble| trouble.until.duration_since(now) > -STALE);
            }
            Fact::Discovered { tenant, kind, .. } => {
                self.unlisted.remove(&format!("{tenant}/{kind}"));
            }
            Fact::NotDiscovered { tenant, kind, .. } => {
                self.unlisted.insert(format!("{tenant}/{kind}"));
            }
            Fact::Expiring { soon, expired } => self.expiring = (soon, expired),
            Fact::TenantStopped { tenant, why } => {
                self.stopped.insert(tenant.to_owned(), why.to_string());
            }
            Fact::TenantReleased { tenant, .. } => {
                self.stopped.remove(tenant);
            }
            Fact::Paused { pause } => {
                self.paused.insert(pause.target.clone());
            }
            Fact::Resumed { target } => {
                self.paused.remove(target);
            }
            Fact::Staged { account, .. } | Fact::Rotated { account, .. } => {
                self.troubles.remove(&account.to_string());
            }
            Fact::Waits { account, why, until, .. } => {
                self.trouble(account, Kind::Unfinished, format!("waits for {why}"), until.max(now));
            }
            Fact::Unfinished { account, why, .. } => {
                let until = self.troubles.get(&account.to_string()).map_or(now, |trouble| trouble.until);
                self.trouble(account, Kind::Unfinished, why.to_owned(), until.max(now));
            }
            Fact::OnlyCopy { account, .. } => self.trouble(account, Kind::OnlyCopy, String::new(), Timestamp::MAX),
            Fact::Frozen { account, why, .. } => self.trouble(account, Kind::Operator, why.to_string(), now),
            Fact::RollbackStopped { account, why, .. } => self.trouble(account, Kind::Operator, why.to_string(), now),
            Fact::Held { account, .. } => {
                self.trouble(account, Kind::Operator, "too many passwords were refused".to_owned(), now);
            }
            Fact::Failed { account, why, .. } => self.trouble(account, Kind::Operator, why.to_owned(), now),
            Fact::VaultUnreadable { account, .. } => {
                self.trouble(account, Kind::Operator, "the vault cannot tell its state".to_owned(), now);
            }
            _ => {}
        }
    }

    fn trouble(&mut self, account: &AccountName, kind: Kind, why: String, until: Timestamp) {
        let entry = self.troubles.entry(account.to_string()).or_insert(Trouble { kind, why: String::new(), until });
        // An only copy stays one until a vault has taken it, whatever it waits for meanwhile.
        let kind = if entry.kind == Kind::OnlyCopy { Kind::OnlyCopy } else { kind };
        *entry = Trouble { kind, why, until: if kind == Kind::OnlyCopy { Timestamp::MAX } else { until } };
    }

    /// Whether a password is nowhere but in this process.
    pub(super) fn holds_only_copy(&self) -> bool {
        self.troubles.values().any(|trouble| trouble.kind == Kind::OnlyCopy)
    }

    /// The line. Names come from outside: nothing in it ends it, and it is never longer than fits.
    pub(super) fn line(&self, zone: &TimeZone) -> String {
        let mut parts = Vec::new();
        if self.ending {
            parts.push("ending; what is unfinished goes on with the next start".to_owned());
        }
        parts.extend(self.told(Kind::OnlyCopy, "DO NOT END THIS PROCESS: no vault holds the live password of"));
        parts.extend(match self.expiring {
            (0, 0) => None,
            (soon, 0) => Some(format!("passwords that expire soon: {soon}")),
            (0, expired) => Some(format!("EXPIRED PASSWORDS: {expired}")),
            (soon, expired) => Some(format!("EXPIRED PASSWORDS: {expired}, and soon: {soon}")),
        });
        parts.push(match &self.looked {
            None => "taking the first look at the accounts".to_owned(),
            Some(Looked { accounts, next: None }) => format!("{accounts} accounts; none is due by itself"),
            Some(Looked { accounts, next: Some((at, account)) }) => {
                let at = at.to_zoned(zone.clone());
                format!("{accounts} accounts; next is {account} at {}", at.strftime("%Y-%m-%d %H:%M %:z"))
            }
        });
        parts.extend(self.told(Kind::Unfinished, "unfinished:"));
        parts.extend(self.told(Kind::Operator, "an operator is needed for"));
        parts.extend(self.stopped.iter().map(|(tenant, why)| format!("tenant {tenant} stands still: {why}")));
        parts.extend(self.unlisted.iter().map(|kind| format!("{kind} cannot be listed")));
        parts.extend(self.told_paused());
        if self.refused {
            parts.push("the changed configuration file is refused, the earlier one in force".to_owned());
        }
        bounded(&parts.join("; "))
    }

    fn told_paused(&self) -> Option<String> {
        // The widest stand last in their order, and say most.
        let named: Vec<String> = self.paused.iter().rev().take(NAMED).map(ToString::to_string).collect();
        match self.paused.len().saturating_sub(NAMED) {
            _ if named.is_empty() => None,
            0 => Some(format!("paused: {}", named.join(", "))),
            more => Some(format!("paused: {} and {more} more", named.join(", "))),
        }
    }

    fn told(&self, kind: Kind, words: &str) -> Option<String> {
        let mut of_kind = self.troubles.iter().filter(|(_, trouble)| trouble.kind == kind).peekable();
        of_kind.peek()?;
        let mut text = words.to_owned();
        for (at, (account, trouble)) in of_kind.by_ref().take(NAMED).enumerate() {
            text.push_str(if at == 0 { " " } else { ", " });
            text.push_str(account);
            if !trouble.why.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(text, " ({})", trouble.why);
            }
        }
        let more = of_kind.count();
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
        Some(text)
    }
}

fn bounded(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() <= LONGEST { line } else { format!("{}…", &line[..line.floor_char_boundary(LONGEST)]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account;
    use crate::domain::due::Reason;
    use crate::domain::rotation::{Block, Freeze, Waiting};
    use crate::domain::schedule::pause::Paused;
    use crate::domain::secret::SecretName;
    use crate::domain::token::Token;
    use crate::ports::observer::Backlog;
    use crate::ports::provider::ProviderError;

    const NOON: i64 = 1_760_000_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(NOON + minutes * 60).unwrap()
    }

    fn account(name: &str) -> AccountName {
        AccountName { tenant: "main".to_owned(), kind: account::Kind::SubAccount, name: name.to_owned() }
    }

    fn secret() -> SecretName {
        "a".parse().unwrap()
    }

    fn line(standing: &Standing) -> String {
        standing.line(&TimeZone::UTC)
    }

    fn next(standing: &mut Standing, minutes: i64) {
        let account = account("svc-a");
        let fact = Fact::Next { accounts: 7, at: Some(at(0)), account: Some(&account), reason: Some(Reason::Expires) };
        standing.note(&fact, at(minutes));
    }

    #[test]
    fn it_tells_the_accounts_and_what_comes_next() {
        let mut standing = Standing::default();
        assert_eq!(line(&standing), "taking the first look at the accounts");
        next(&mut standing, 0);
        assert_eq!(line(&standing), "7 accounts; next is main/sub-account/svc-a at 2025-10-09 08:53 +00:00");
        standing.note(&Fact::Next { accounts: 0, at: None, account: None, reason: None }, at(0));
        assert_eq!(line(&standing), "0 accounts; none is due by itself");
        standing.ending = true;
        assert!(line(&standing).starts_with("ending; "));
    }

    #[test]
    fn troubles_are_told_until_they_are_over_or_not_heard_of() {
        let (a, secret) = (account("a"), secret());
        let waits = |until| Fact::Waits { account: &a, secret: &secret, why: Waiting::Fence, until, detail: None };
        let mut standing = Standing::default();
        standing.note(&waits(at(60)), at(0));
        standing.note(&Fact::Unfinished { account: &a, secret: &secret, why: "it waits" }, at(1));
        assert!(line(&standing).contains("unfinished: main/sub-account/a (it waits)"), "{}", line(&standing));
        for (minutes, told) in [(89, true), (91, false)] {
            next(&mut standing, minutes);
            assert_eq!(line(&standing).contains("unfinished"), told, "{minutes}");
        }
        standing.note(&waits(at(60)), at(0));
        standing.note(
            &Fact::Rotated { account: &a, secret: &secret, token: Token::placeholder(), elsewhere: false },
            at(0),
        );
        assert!(!line(&standing).contains("unfinished"));
        standing.note(&Fact::Frozen { account: &a, secret: &secret, why: Freeze::ForeignPending }, at(0));
        assert!(line(&standing).contains("an operator is needed for main/sub-account/a"), "{}", line(&standing));
    }

    #[test]
    fn an_only_copy_is_told_first_and_until_a_vault_has_it() {
        let (a, secret) = (account("a"), secret());
        let mut standing = Standing::default();
        let waits = Fact::Waits { account: &a, secret: &secret, why: Waiting::Provider, until: at(1), detail: None };
        standing.note(&Fact::OnlyCopy { account: &a, secret: &secret }, at(0));
        standing.note(&waits, at(0));
        next(&mut standing, 600);
        assert!(standing.holds_only_copy());
        assert!(line(&standing).starts_with("DO NOT END THIS PROCESS"), "{}", line(&standing));
        let token = Token::placeholder();
        let staged =
            Fact::Staged { account: &a, secret: &secret, token, candidate: None, repeats: None, superseding: false };
        standing.note(&staged, at(600));
        assert!(!standing.holds_only_copy());
    }

    #[test]
    fn passwords_that_expire_are_told_as_long_as_they_do() {
        let mut standing = Standing::default();
        for (soon, expired, told) in [
            (2, 0, "passwords that expire soon: 2; "),
            (1, 3, "EXPIRED PASSWORDS: 3, and soon: 1; "),
            (0, 1, "EXPIRED PASSWORDS: 1; "),
            (0, 0, ""),
        ] {
            standing.note(&Fact::Expiring { soon, expired }, at(0));
            assert_eq!(line(&standing), format!("{told}taking the first look at the accounts"));
        }
    }

    #[test]
    fn tenants_kinds_and_the_configuration_are_told_as_long_as_it_is_so() {
        let mut standing = Standing::default();
        let kind = account::Kind::DataForest;
        let error = ProviderError::Keys("none".to_owned());
        standing.note(&Fact::TenantStopped { tenant: "main", why: Block::Authentication }, at(0));
        standing.note(&Fact::NotDiscovered { tenant: "main", kind, error: &error }, at(0));
        standing.refused = true;
        for told in [
            "tenant main stands still: ",
            "main/data-forest cannot be listed",
            "the changed configuration file is refused",
        ] {
            assert!(line(&standing).contains(told), "{}", line(&standing));
        }
        standing.note(&Fact::TenantReleased { tenant: "main", backlog: Backlog::default() }, at(0));
        standing.note(&Fact::Discovered { tenant: "main", kind, listed: 1, matched: 1 }, at(0));
        standing.refused = false;
        assert_eq!(line(&standing), "taking the first look at the accounts");
    }

    #[test]
    fn what_is_paused_is_told_until_it_is_resumed_the_widest_first() {
        let tenant = |name: &str| Target::Tenant { tenant: name.to_owned() };
        let mut standing = Standing::default();
        for target in [tenant("a"), tenant("b"), tenant("c"), Target::Everything] {
            let pause = Paused { target, since: at(0), until: None, cause: serde_json::Value::Null };
            standing.note(&Fact::Paused { pause: &pause }, at(0));
        }
        assert!(
            line(&standing).ends_with("; paused: everything, tenant c, tenant b and 1 more"),
            "{}",
            line(&standing)
        );
        for target in [Target::Everything, tenant("b"), tenant("c")] {
            standing.note(&Fact::Resumed { target: &target }, at(0));
        }
        assert!(line(&standing).ends_with("; paused: tenant a"), "{}", line(&standing));
        standing.note(&Fact::Resumed { target: &tenant("a") }, at(0));
        assert!(!line(&standing).contains("paused"), "{}", line(&standing));
    }

    /// A name with a line break in it could tell the service manager something else.
    #[test]
    fn it_is_one_line_that_fits_whatever_the_names_are() {
        let mut standing = Standing::default();
        for number in 0..500 {
            let odd = account(&format!("{number}\nSTOPPING=1\n{}", "가".repeat(200)));
            standing.note(&Fact::Unfinished { account: &odd, secret: &secret(), why: "it waits" }, at(0));
        }
        let line = line(&standing);
        assert!(!line.contains('\n') && line.len() <= LONGEST + '…'.len_utf8(), "{} bytes: {line}", line.len());
        let short = account("short");
        standing.troubles.clear();
        for name in ["a", "b", "c", "d", "e"] {
            standing.note(&Fact::Held { account: &account(name), secret: &secret() }, at(0));
        }
        assert!(standing.line(&TimeZone::UTC).contains(" and 2 more"), "{short}");
    }
}
