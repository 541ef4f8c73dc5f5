//! What is last known of expiries, in a real file.

use ncloud_rotator::domain::account::{AccountName, Kind};
use ncloud_rotator::domain::expiry::{Expiry, Stage, Told};
use ncloud_rotator::ports::expiries::{Change, Expiries as _, Kept};

use super::{folder, now, open, raw};

fn kept(name: &str, told: Option<Stage>) -> Kept {
    let account = AccountName { tenant: "main".to_owned(), kind: Kind::DataForest, name: name.to_owned() };
    let expiry = Expiry { deadline: now(), expires_at: "2026-03-03T12:00:00.5Z".parse().expect("a time") };
    Kept { account, expiry, told: told.map(|stage| Told { at: now(), stage }) }
}

#[tokio::test]
async fn what_is_known_of_expiries_is_read_back_after_a_restart_and_from_beside_whoever_writes() {
    let folder = folder();
    let (journal, beside) = (open(folder.path()), open(folder.path()));
    assert_eq!(journal.expiries().await, Ok(Vec::new()));
    let mut all = [kept("a", None), kept("b", Some(Stage::Soon)), kept("team/c 1", Some(Stage::Expired))].to_vec();
    journal.keep_expiries(all.iter().cloned().map(Change::Keep).collect()).await.unwrap();
    assert_eq!(beside.expiries().await, Ok(all.clone()));
    all[0] = kept("a", Some(Stage::Expired));
    let gone = all.remove(1).account;
    beside.keep_expiries(vec![Change::Forget(gone), Change::Keep(all[0].clone())]).await.unwrap();
    drop((journal, beside));
    assert_eq!(open(folder.path()).expiries().await, Ok(all));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_as_good_as_none_and_hides_no_other() {
    let folder = folder();
    let journal = open(folder.path());
    for (column, nonsense, left) in
        [("expires_at", "soon", None), ("account", "nobody", None), ("told", "once", Some(kept("b", None)))]
    {
        let both = [kept("a", None), kept("b", Some(Stage::Soon))];
        journal.keep_expiries(both.into_iter().map(Change::Keep).collect()).await.unwrap();
        let sql = format!("UPDATE expiries SET {column} = ?1 WHERE account = 'main/data-forest/b'");
        raw(folder.path()).execute(&sql, [nonsense]).unwrap();
        let expected: Vec<Kept> = [Some(kept("a", None)), left].into_iter().flatten().collect();
        assert_eq!(journal.expiries().await, Ok(expected), "{column}");
        raw(folder.path()).execute("DELETE FROM expiries", []).unwrap();
    }
}
