//! `sole = true` (rule 7): what is before a candidate is known by name, so that its answers can be looked up.

use ncloud_rotator::domain::rotation::snapshot::{Predecessor, Snapshot};

use crate::room::{Room, at};

fn before(seen: &Snapshot) -> Predecessor {
    seen.pending.as_ref().unwrap().predecessor
}

#[tokio::test]
async fn a_sole_writer_knows_the_candidate_before() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let mut settings = room.settings();
    settings.sole = true;
    let vault = room.vault_of(settings);
    let idle = room.read(&*vault).await;
    assert!(idle.sole);
    let first = room.stage(&*vault, &idle, 0).await.unwrap();
    let candidate = first.pending.as_ref().unwrap().candidate;
    room.later(10);
    let second = room.stage(&*vault, &first, 1).await.unwrap();
    let known = Predecessor::Ended { candidate: Some(candidate), at: Some(at(3610)), permits: None };
    assert_eq!(before(&second), known);
    assert_eq!(before(&room.read(&*vault).await), known, "after a probe, too");
    let shared = room.vault();
    let read = room.read(&*shared).await;
    assert!(!read.sole);
    assert_eq!(before(&read), Predecessor::Ended { candidate: None, at: Some(at(3610)), permits: None });
    assert_ne!(Some(current), second.pending.map(|pending| pending.version.token));
}
