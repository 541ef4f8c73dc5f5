//! `[[accounts]]`: which accounts are rotated by which policy, and where their secrets go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;
use toml::Spanned;

use super::policies::{self, Entry};
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::tenants::Tenant;
use super::{defaults, duration};
use crate::domain::account::{AccountId, Kind, Site};
use crate::domain::policy::{PasswordExpiration, PasswordSource, Policy};
use crate::domain::rule::{Globs, Rule, Template};

/// What rules refer to. An entry without a value is defined, and has problems of its own.
pub(super) struct Defined {
    pub(super) tenants: BTreeMap<String, Option<Tenant>>,
    pub(super) policies: BTreeMap<String, Option<Entry>>,
    pub(super) vaults: BTreeSet<String>,
}

/// Reads all rules, and what can be told of them together.
pub(super) fn read(reader: &mut Reader<'_>, raw: Vec<Spanned<raw::Accounts>>, defined: &Defined) -> Vec<Rule> {
    if raw.is_empty() {
        let problem =
            Problem::of_file(Code::NoAccounts, "the configuration names no accounts: there is no [[accounts]]");
        reader.report(problem.help("add an [[accounts]] table; config/example.toml shows one"));
    }
    let mut used: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
    let rules: Vec<Read> = raw.into_iter().filter_map(|raw| rule(reader, raw, defined, &mut used)).collect();
    for (name, kinds) in used {
        if let Some(Some(entry)) = defined.policies.get(&name) {
            policies::possible(reader, entry, &kinds);
        }
    }
    one_owner_each(reader, &rules);
    rules.into_iter().map(|read| read.rule).collect()
}

/// A rule, and the places that a problem with it would point at.
struct Read {
    rule: Rule,
    selection: Range<usize>,
    secret: Range<usize>,
}

fn rule(
    reader: &mut Reader<'_>,
    raw: Spanned<raw::Accounts>,
    defined: &Defined,
    used: &mut BTreeMap<String, BTreeSet<Kind>>,
) -> Option<Read> {
    let place = raw.span();
    let line = reader.line(&place);
    let raw = raw.into_inner();

    let kind_help = "write kind = \"sub-account\" or kind = \"data-forest\"";
    let kind_text = reader.needs(raw.kind, "kind", place.clone(), kind_help);
    let kind = kind_text.as_ref().and_then(|text| reader.one_of("kind", text, &Kind::ALL, Kind::label));
    let tenant = tenant(reader, raw.tenant, &place, defined, kind_text.as_ref().zip(kind));
    let vault = vault(reader, raw.vault, &place, defined);
    let policy_place = raw.policy.as_ref().map_or_else(|| place.clone(), Spanned::span);
    let policy = policy(reader, raw.policy, &place, defined, kind, used);
    let selection = selection(reader, &place, kind, raw.names, raw.ids, raw.except, raw.include_people);
    let secret_place = raw.secret.as_ref().map_or_else(|| place.clone(), Spanned::span);
    let secret = template(reader, raw.secret);
    let priority = raw.priority.map_or(Some(defaults::PRIORITY), |number| priority(reader, &number));

    let Selection { names, ids, except, place: selection_place } = selection?;
    let (tenant, kind, policy) = (tenant?, kind?, policy?);
    fits(reader, policy_place, defined.tenants.get(&tenant).and_then(Option::as_ref), kind, &policy)?;
    let rule = Rule {
        tenant,
        kind,
        names,
        ids,
        except,
        include_people: raw.include_people,
        policy,
        vault: vault?,
        secret: secret?,
        priority: priority?,
        line,
    };
    if !rule.is_single() && !rule.secret.uses_name() && !rule.secret.uses_id() {
        let message = "every account of this rule would be kept in the same secret";
        let problem = Problem::at(Code::SharedSecret, secret_place, "the same for all", message);
        reader.report(problem.help("put {name} or {id} into `secret`, or name one single account"));
        return None;
    }
    Some(Read { rule, selection: selection_place, secret: secret_place })
}

fn tenant(
    reader: &mut Reader<'_>,
    name: Option<Text>,
    place: &Range<usize>,
    defined: &Defined,
    kind: Option<(&Text, Kind)>,
) -> Option<String> {
    let name = reader.needs(name, "tenant", place.clone(), "name one of the [tenants.NAME] tables")?;
    let known: Vec<&str> = defined.tenants.keys().map(String::as_str).collect();
    if !reader.refer(Code::UnknownTenant, "tenants", name.get_ref(), name.span(), &known) {
        return None;
    }
    let tenant = defined.tenants.get(name.get_ref()).and_then(Option::as_ref);
    if let Some((tenant, (text, kind))) = tenant.zip(kind).filter(|(tenant, (_, kind))| !tenant.offers(*kind)) {
        let message = format!("it is not documented where {kind} accounts of site \"{}\" are", tenant.site);
        let problem = Problem::at(Code::MissingEndpoint, text.span(), "no known address", message);
        let site = Site::Public;
        reader.report(problem.help(format!(
            "the provider documents them for site \"{site}\" alone; write endpoints = {{ data_forest = \"https://…\" }} in \
             [tenants.{}] if you know the address",
            tenant.name
        )));
        return None;
    }
    Some(name.into_inner())
}

fn vault(reader: &mut Reader<'_>, name: Option<Text>, place: &Range<usize>, defined: &Defined) -> Option<String> {
    let name = reader.needs(name, "vault", place.clone(), "name one of the [vaults.NAME] tables")?;
    let known: Vec<&str> = defined.vaults.iter().map(String::as_str).collect();
    let known = reader.refer(Code::UnknownVault, "vaults", name.get_ref(), name.span(), &known);
    known.then(|| name.into_inner())
}

fn policy(
    reader: &mut Reader<'_>,
    name: Option<Text>,
    place: &Range<usize>,
    defined: &Defined,
    kind: Option<Kind>,
    used: &mut BTreeMap<String, BTreeSet<Kind>>,
) -> Option<Arc<Policy>> {
    let name = name.unwrap_or_else(|| Spanned::new(place.clone(), defaults::POLICY.to_owned()));
    let known: Vec<&str> = defined.policies.keys().map(String::as_str).collect();
    if !reader.refer(Code::UnknownPolicy, "policies", name.get_ref(), name.span(), &known) {
        return None;
    }
    let entry = defined.policies.get(name.get_ref())?.as_ref()?;
    used.entry(name.into_inner()).or_default().extend(kind);
    Some(Arc::clone(&entry.policy))
}

/// Whether a policy can be kept for this kind of account of this tenant.
fn fits(
    reader: &mut Reader<'_>,
    place: Range<usize>,
    tenant: Option<&Tenant>,
    kind: Kind,
    policy: &Policy,
) -> Option<()> {
    let name = &policy.name;
    match (kind, &policy.password, tenant.and_then(|tenant| tenant.expiration.enforced())) {
        (Kind::DataForest, PasswordSource::Provider, _) => {
            let message = format!("the policy `{name}` leaves passwords to the provider, which makes none for {kind}");
            let problem = Problem::at(Code::ImpossiblePassword, place, "not for these accounts", message);
            refuse(reader, problem.help("take a policy with password = { length = 16 } for these accounts"))
        }
        (Kind::SubAccount, _, Some(PasswordExpiration::Days(days)))
            if policy.rotate_before.saturating_add(policy.margin)
                >= SignedDuration::from_hours(24 * i64::from(*days)) =>
        {
            let message = format!(
                "the policy `{name}` rotates {} before the expiry, its margin included, which the tenant has after {days} \
                 days: always due",
                duration::show(policy.rotate_before.saturating_add(policy.margin))
            );
            let problem = Problem::at(Code::BadDuration, place, "always due", message);
            refuse(reader, problem.help("shorten its `rotate_before`, or enforce a longer `expiration` on the tenant"))
        }
        _ => Some(()),
    }
}

fn priority(reader: &mut Reader<'_>, number: &Spanned<i64>) -> Option<i32> {
    let priority = i32::try_from(*number.get_ref()).ok();
    if priority.is_none() {
        let message = format!("`priority` is a whole number from {} to {}", i32::MIN, i32::MAX);
        reader.report(Problem::at(Code::BadValue, number.span(), "this number", message));
    }
    priority
}

struct Selection {
    names: Globs,
    ids: BTreeSet<AccountId>,
    except: Globs,
    place: Range<usize>,
}

type Texts = Option<Spanned<Vec<Text>>>;

fn selection(
    reader: &mut Reader<'_>,
    place: &Range<usize>,
    kind: Option<Kind>,
    names: Texts,
    ids: Texts,
    except: Texts,
    include_people: bool,
) -> Option<Selection> {
    let selection_place = names.as_ref().or(ids.as_ref()).map_or_else(|| place.clone(), Spanned::span);
    let names = globs(reader, names);
    let except = globs(reader, except);
    let ids = identifiers(reader, ids);
    let (names, except, ids) = (names?, except?, ids?);
    if names.is_empty() && ids.is_empty() {
        let message = "the rule says neither `names` nor `ids`, so it owns no account";
        let problem = Problem::at(Code::NoSelection, selection_place, "nothing is selected", message);
        reader.report(problem.help("write names = [\"svc-*\"], or ids = [\"…\"]"));
        return None;
    }
    let unbounded = names.takes_everything() && except.is_empty() && ids.is_empty();
    if kind == Some(Kind::SubAccount) && unbounded && !include_people {
        let message = "the rule takes every sub-account, people's logins among them";
        let problem = Problem::at(Code::CatchesPeople, selection_place, "people as well", message);
        reader.report(problem.help(
            "narrow `names`, leave people out with `except`, list `ids`, or say include_people = true if that is meant",
        ));
        return None;
    }
    Some(Selection { names, ids, except, place: selection_place })
}

fn globs(reader: &mut Reader<'_>, texts: Texts) -> Option<Globs> {
    let texts = texts.map(Spanned::into_inner).unwrap_or_default();
    let bad = match Globs::new(texts.iter().map(|text| text.get_ref().clone()).collect()) {
        Ok(globs) => return Some(globs),
        Err(bad) => bad,
    };
    let place = texts.get(bad.index).map(Spanned::span).unwrap_or_default();
    let problem = Problem::at(Code::BadPattern, place, "this pattern", bad.to_string());
    reader.report(problem.help("`*` takes any characters, `?` one, [ab] one of them, {a,b} either"));
    None
}

fn identifiers(reader: &mut Reader<'_>, texts: Texts) -> Option<BTreeSet<AccountId>> {
    let texts = texts.map(Spanned::into_inner).unwrap_or_default();
    if let Some(bad) = texts.iter().find(|text| text.get_ref().trim().is_empty()) {
        reader.report(Problem::at(Code::BadValue, bad.span(), "empty", "an identifier is not empty"));
        return None;
    }
    Some(texts.into_iter().map(|text| AccountId(text.into_inner())).collect())
}

fn template(reader: &mut Reader<'_>, text: Option<Text>) -> Option<Template> {
    let text = text.unwrap_or_else(|| Spanned::new(0..0, defaults::SECRET.to_owned()));
    let error = match text.get_ref().parse::<Template>() {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let problem = Problem::at(Code::BadSecretName, text.span(), "this name", error.to_string());
    reader.report(problem.help(format!("for example secret = \"{}\"", defaults::SECRET)));
    None
}

fn one_owner_each(reader: &mut Reader<'_>, rules: &[Read]) {
    for (at, second) in rules.iter().enumerate() {
        for first in &rules[..at] {
            let (one, other) = (&first.rule, &second.rule);
            if let Some(account) = one.overlap(other) {
                let message = format!("two rules own one account, such as {}/{}/{account}", one.tenant, one.kind);
                let problem = Problem::at(Code::TwoOwners, second.selection.clone(), "taken again here", message);
                let problem = problem.and(first.selection.clone(), "taken here");
                reader.report(problem.help("leave it out of one of the two with `except`"));
            } else if let Some(secret) = one.shared_secret(other) {
                let message = format!("two rules write one secret, {secret}");
                let problem = Problem::at(Code::SharedSecret, second.secret.clone(), "written again here", message);
                let problem = problem.and(first.secret.clone(), "written here");
                reader.report(problem.help("tell them apart with {tenant}, {kind} or {name} in `secret`"));
            }
        }
    }
}
