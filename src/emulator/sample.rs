//! The accounts that an emulator starts with, the same on every machine, and further ones in their likeness.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::book::{Book, Credential, DataForest, Quota, Status, SubAccount, Tenant};
use crate::domain::secret::Password;

/// Ids of accounts are made of their names in this namespace, so that restarts agree on them.
const NAMESPACE: Uuid = Uuid::from_u128(0x2b14_1960_7a1d_4f0e_9c35_246e_9659_184c);

/// Services, people, one who has left, and Data Forest accounts of which one is being changed.
pub(super) fn book() -> Book {
    let people = [
        ("svc-batch", "Nightly batch", "Settles the day's orders", true),
        ("svc-report", "Monthly report", "Reads the warehouse", true),
        ("svc-backup", "Backup", "Object storage, twice a day", true),
        ("svc-deploy", "Deployment", "Runs from the build server", true),
        ("svc-legacy", "Old billing", "Password is compiled in; leave it alone", true),
        ("minji.kim", "김민지", "", true),
        ("jisoo.park", "박지수", "", true),
        ("doyun.lee", "이도윤", "Left in spring", false),
    ];
    let mut book = Book {
        tenant: Tenant {
            login_alias: "sample".into(),
            use_password_expiration: true,
            password_expiration_days: Some(90),
        },
        sub_accounts: Vec::new(),
        data_forest: Vec::new(),
    };
    for (login_id, name, memo, active) in people {
        let mut account = sub_account(login_id, book.sub_accounts.len() as u64 + 1001);
        name.clone_into(&mut account.name);
        memo.clone_into(&mut account.memo);
        account.active = active;
        match login_id {
            "svc-deploy" => account.policies = names(["NCP_SERVER_MANAGER", "deploy-from-ci"]),
            "minji.kim" => account.groups = names(["operators"]),
            _ => {}
        }
        book.sub_accounts.push(account);
    }
    for (name, status) in [
        ("df001", Status::Running),
        ("df002", Status::Running),
        ("df003", Status::Running),
        ("df004", Status::Changing),
    ] {
        let position = book.data_forest.len() as u64 + 1;
        let quotas = if name == "df002" { vec![quota("orders", 1, 200), quota("logs", 2, 50)] } else { Vec::new() };
        book.data_forest.push(DataForest { status, quotas, ..forest_account(name, position) });
    }
    book
}

/// An active sub-account with the given login id and number.
pub(super) fn sub_account(login_id: &str, no: u64) -> SubAccount {
    SubAccount {
        id: Uuid::new_v5(&NAMESPACE, format!("sub-account/{login_id}").as_bytes()).to_string(),
        no,
        login_id: login_id.to_owned(),
        name: login_id.to_owned(),
        email: format!("{login_id}@example.com"),
        memo: String::new(),
        active: true,
        groups: Vec::new(),
        policies: Vec::new(),
        created: created(no),
        credential: first_credential(no),
    }
}

/// A running Data Forest account; `position` tells its first password from others'.
pub(super) fn forest_account(name: &str, position: u64) -> DataForest {
    DataForest {
        id: base62(Uuid::new_v5(&NAMESPACE, format!("data-forest/{name}").as_bytes())),
        name: name.to_owned(),
        status: Status::Running,
        disabled: false,
        quotas: Vec::new(),
        created: created(position),
        credential: first_credential(position),
    }
}

/// The id of a group or a policy, which are known by their names here.
pub(super) fn id_of(what: &str, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{what}/{name}").as_bytes()).to_string()
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn quota(namespace: &str, file_count_million: u32, space_tb: u32) -> Quota {
    Quota { namespace: namespace.to_owned(), file_count_million, space_tb }
}

fn first_credential(number: u64) -> Credential {
    Credential::new(Password::new(format!("Start-{:02}x{:02}Q", number / 100 % 100, number % 100)))
}

/// A Monday of March 2024 and the hours after it.
fn created(number: u64) -> Timestamp {
    let hours = i64::try_from(number % 1000).unwrap_or_default();
    Timestamp::constant(1_709_514_000, 0).saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX)
}

fn base62(id: Uuid) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = id.as_u128();
    let mut text = Vec::new();
    while rest > 0 {
        text.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::rules;

    #[test]
    fn the_sample_is_one_that_the_provider_could_have() {
        let book = book();
        assert_eq!(book.contradiction(), None);
        for account in &book.sub_accounts {
            assert_eq!(rules::sub_account(&account.login_id, account.credential.password.0.expose()), Ok(()));
        }
        for account in &book.data_forest {
            assert_eq!(rules::data_forest(account.credential.password.0.expose()), Ok(()));
            assert!((20..=22).contains(&account.id.len()), "{}", account.id);
        }
        assert!(book.sub_accounts.iter().any(|account| !account.active));
        assert!(book.data_forest.iter().any(|account| account.status != Status::Running));
    }

    /// Vaults made against an emulator without a file are found again after a restart and after an upgrade.
    #[test]
    fn sample_ids_never_change() {
        let book = book();
        assert_eq!(book.sub_accounts[0].id, PINNED_SUB_ACCOUNT);
        assert_eq!(book.data_forest[0].id, PINNED_DATA_FOREST);
    }

    const PINNED_SUB_ACCOUNT: &str = "6d14a197-0407-5504-9465-c3d85c33215c";
    const PINNED_DATA_FOREST: &str = "6XMK3LZYZY6ferxkAELmev";
}
