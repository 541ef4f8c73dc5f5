use proptest::prelude::*;

use super::*;
use crate::domain::account::Standing;
use crate::domain::policy::tests::plain;

fn globs(patterns: &[&str]) -> Globs {
    Globs::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).unwrap()
}

fn rule(line: usize, names: &[&str], except: &[&str], ids: &[&str]) -> Rule {
    Rule {
        tenant: "main".into(),
        kind: Kind::SubAccount,
        names: globs(names),
        ids: ids.iter().map(|&id| AccountId(id.into())).collect(),
        except: globs(except),
        include_people: false,
        policy: Arc::new(plain()),
        vault: "local".into(),
        secret: "ncloud/{tenant}/{kind}/{name}".parse().unwrap(),
        priority: 0,
        line,
    }
}

fn account(name: &str, id: &str) -> Account {
    Account { id: AccountId(id.into()), name: name.into(), standing: Standing::Active, created_at: None }
}

fn named(tenant: &str, kind: Kind, name: &str) -> AccountName {
    AccountName { tenant: tenant.into(), kind, name: name.into() }
}

#[test]
fn names_ids_and_exceptions_narrow_each_other() {
    let cases: [(Rule, &[&str], &[&str]); 6] = [
        (rule(1, &["svc-*"], &["svc-legacy"], &[]), &["svc-a", "svc-"], &["svc-legacy", "Svc-a", "minji"]),
        (rule(1, &["svc-?"], &[], &[]), &["svc-a"], &["svc-ab", "svc-"]),
        (rule(1, &["a/b*"], &[], &[]), &["a/b", "a/b/c"], &["a"]),
        (rule(1, &["svc-{a,b}"], &[], &[]), &["svc-a", "svc-b"], &["svc-c"]),
        (rule(1, &[], &["svc-b"], &["id of svc-a", "id of svc-b"]), &["svc-a"], &["svc-b", "svc-c"]),
        (rule(1, &["*"], &[], &["id of svc-a"]), &["svc-a"], &["minji"]),
    ];
    for (rule, taken, left) in cases {
        for name in taken {
            assert!(rule.matches(&account(name, &format!("id of {name}"))), "{rule:?} left {name}");
        }
        for name in left {
            assert!(!rule.matches(&account(name, &format!("id of {name}"))), "{rule:?} took {name}");
        }
    }
    assert!(!rule(1, &[], &[], &[]).matches(&account("svc-a", "1")), "a rule that says nothing took an account");
}

#[test]
fn overlaps_are_seen_where_the_rules_alone_can_tell() {
    let (none, some) = (None, Some);
    let cases = [
        (rule(1, &["svc-a"], &[], &[]), rule(2, &["svc-a"], &[], &[]), some("svc-a")),
        (rule(1, &["svc-a", "svc-b"], &[], &[]), rule(2, &["svc-c", "svc-b"], &[], &[]), some("svc-b")),
        (rule(1, &["svc-a"], &[], &[]), rule(2, &["svc-*"], &[], &[]), some("svc-a")),
        (rule(1, &["svc-a"], &[], &[]), rule(2, &["svc-*"], &["svc-a"], &[]), none),
        (rule(1, &["svc-*"], &[], &[]), rule(2, &["svc-*"], &[], &[]), some("svc-x")),
        (rule(1, &["svc-*"], &["svc-x"], &[]), rule(2, &["svc-*"], &["svc-y"], &[]), some("svc-7")),
        (rule(1, &["svc-*"], &["svc-*"], &[]), rule(2, &["svc-*"], &[], &[]), none),
        (rule(1, &["*"], &[], &[]), rule(2, &["*"], &[], &[]), some("x")),
        (rule(1, &["*"], &["svc-*"], &[]), rule(2, &["svc-*"], &[], &[]), none),
        (rule(1, &["*"], &["svc-*"], &[]), rule(2, &["svc-b*"], &[], &[]), none),
        (rule(1, &["svc-*"], &[], &[]), rule(2, &["*-batch"], &[], &[]), none),
        (rule(1, &["svc-[ab]*"], &[], &[]), rule(2, &["svc-a*"], &[], &[]), some("svc-ax")),
        (rule(1, &[], &[], &["u1", "u2"]), rule(2, &[], &[], &["u2"]), some("u2")),
        (rule(1, &[], &[], &["u1"]), rule(2, &[], &[], &["u2"]), none),
        (rule(1, &["*"], &[], &[]), rule(2, &[], &[], &["u2"]), some("u2")),
        (rule(1, &["svc-*"], &[], &[]), rule(2, &[], &[], &["u2"]), none),
    ];
    for (first, second, expected) in cases {
        assert_eq!(first.overlap(&second).as_deref(), expected, "{first:?}\n{second:?}");
        assert_eq!(second.overlap(&first).is_some(), expected.is_some(), "not symmetric: {first:?}\n{second:?}");
    }
    let elsewhere = Rule { tenant: "other".into(), ..rule(1, &["*"], &[], &[]) };
    let other_kind = Rule { kind: Kind::DataForest, ..rule(1, &["*"], &[], &[]) };
    assert_eq!(rule(1, &["*"], &[], &[]).overlap(&elsewhere), None);
    assert_eq!(rule(1, &["*"], &[], &[]).overlap(&other_kind), None);
}

#[test]
fn a_secret_that_two_rules_would_surely_write_is_seen() {
    let with = |secret: &str, rule: Rule| Rule { secret: secret.parse().unwrap(), ..rule };
    let fixed = |name: &str| with("team/login", rule(1, &[name], &[], &[]));
    assert_eq!(fixed("svc-a").shared_secret(&fixed("svc-b")).unwrap().as_str(), "team/login");
    let other_vault = Rule { vault: "else".into(), ..fixed("svc-b") };
    assert_eq!(fixed("svc-a").shared_secret(&other_vault), None);

    let short = with("x/{name}", rule(1, &["svc-a"], &[], &[]));
    let forest = Rule { kind: Kind::DataForest, ..short.clone() };
    assert_eq!(short.shared_secret(&forest).unwrap().as_str(), "x/svc-a");
    let apart = with("x/{kind}/{name}", forest);
    assert_eq!(short.shared_secret(&apart), None);
    let pattern = Rule { kind: Kind::DataForest, ..with("x/{name}", rule(1, &["*"], &[], &[])) };
    assert_eq!(short.shared_secret(&pattern), None, "only discovery can tell");
}

#[test]
fn conflicts_among_found_accounts_name_both_rules() {
    let rules = [
        rule(10, &["svc-*"], &[], &[]),
        rule(20, &[], &[], &["1"]),
        Rule { secret: "all/{name}".parse().unwrap(), kind: Kind::DataForest, ..rule(30, &["*"], &[], &[]) },
        Rule { secret: "all/{name}".parse().unwrap(), tenant: "dev".into(), ..rule(40, &["df*"], &[], &[]) },
    ];
    let accounts = [
        (named("main", Kind::SubAccount, "svc-a"), account("svc-a", "1")),
        (named("main", Kind::SubAccount, "svc-b"), account("svc-b", "2")),
        (named("main", Kind::SubAccount, "minji"), account("minji", "3")),
        (named("main", Kind::DataForest, "df001"), account("df001", "4")),
        (named("dev", Kind::SubAccount, "df001"), account("df001", "5")),
        (named("main", Kind::DataForest, ""), account("", "6")),
    ];
    let found = conflicts(&rules.iter(), accounts.iter().map(|(name, account)| (name, account)));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "main/sub-account/svc-a belongs to two rules, at line 10 and line 20; leave it out of one with `except`",
            "main/data-forest/df001 (rule at line 30) and dev/sub-account/df001 (rule at line 40) would share the secret \
             all/df001; tell them apart with {tenant}, {kind} or {id} in `secret`",
            "the rule at line 30 cannot name a secret for main/data-forest/: the secret name \"all/\" has an empty part; \
             write parts with one `/` between them",
        ]
    );
}

#[test]
fn one_account_under_two_tenants_is_a_conflict_of_both() {
    let rules =
        [rule(10, &["svc-*"], &[], &[]), Rule { tenant: "dev".into(), ..rule(20, &["svc-a", "svc-c"], &[], &[]) }];
    let one = |tenant: &str, name: &str, id: &str| (named(tenant, Kind::SubAccount, name), account(name, id));
    let accounts = [
        one("main", "svc-a", "1"),
        one("main", "svc-b", "2"),
        one("dev", "svc-a", "1"),
        one("dev", "svc-b", "2"),
        one("dev", "svc-c", "3"),
    ];
    let of = |site| {
        let found = shared_accounts(&rules.iter(), accounts.iter().map(|(name, account)| (site, name, account)));
        found.iter().flat_map(|conflict| conflict.accounts().map(ToString::to_string)).collect::<Vec<_>>()
    };
    assert_eq!(of(Site::Public), ["main/sub-account/svc-a", "dev/sub-account/svc-a"], "svc-b has one owner");
    assert_eq!(of(Site::Emulator), [""; 0], "emulators are tenants apart");
}

#[test]
fn templates_know_four_placeholders_and_nothing_else() {
    let bad = |text: &str| text.parse::<Template>().unwrap_err().to_string();
    assert!(bad("a/{nmae}").starts_with("{nmae} is no placeholder"));
    assert!(bad("a/{Name}").starts_with("{Name} is no placeholder"));
    for text in ["a/{name", "a/name}", "a/{{name}}", "{", "}", "a}{b", "{{name}"] {
        assert_eq!(text.parse::<Template>(), Err(BadTemplate::Braces), "{text}");
    }
    for text in ["", "/{name}", "{name}/", "a//{name}", ".{name}", "a b/{name}"] {
        assert!(matches!(text.parse::<Template>(), Err(BadTemplate::Name(_))), "{text}");
    }
}

#[test]
fn odd_account_names_are_encoded() {
    let template: Template = "n/{tenant}/{kind}/{name}/{id}".parse().unwrap();
    let render = |name: &str| template.render(&named("main", Kind::DataForest, name), &AccountId("i=1".into()));
    for (name, expected) in [
        ("df001", "df001"),
        ("minji.kim@example.com", "minji.kim@example.com"),
        ("minji/dev", "minji=2Fdev"),
        (".hidden", "=2Ehidden"),
        ("..", "=2E."),
        ("a=b", "a=3Db"),
        ("김", "=EA=B9=80"),
        ("a b%", "a=20b=25"),
    ] {
        assert_eq!(render(name).unwrap().as_str(), format!("n/main/data-forest/{expected}/i=3D1"));
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('=') {
        bytes.extend(plain.bytes());
        bytes.push(u8::from_str_radix(&tail[..2], 16).unwrap());
        rest = &tail[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn every_name_can_be_read_back_from_its_secret(name in "\\PC{1,20}|[=./]{1,6}") {
        let template: Template = "n/{name}".parse().unwrap();
        let secret = template.render(&named("main", Kind::SubAccount, &name), &AccountId(String::new())).unwrap();
        prop_assert_eq!(decode(secret.segments().nth(1).unwrap()), name);
        prop_assert_eq!(secret.segments().count(), 2);
    }

    #[test]
    fn an_overlap_that_is_claimed_is_real(
        a in "[ab*?]{1,4}", b in "[ab*?]{1,4}", except in "[ab*]{1,3}",
    ) {
        let (first, second) = (rule(1, &[&a], &[&except], &[]), rule(2, &[&b], &[], &[]));
        if let Some(name) = first.overlap(&second) {
            let account = account(&name, "1");
            prop_assert!(first.matches(&account) && second.matches(&account));
        }
    }
}
