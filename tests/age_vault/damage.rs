//! Files that a power cut, a person or a bad disk left behind.

use std::fs;

use ncloud_rotator::ports::vault::{Vault, VaultError};
use serde_json::json;

use crate::room::{ABSENT, Room, name, password, tree};

/// Every operation says what is wrong and where, and leaves the file as it is.
#[tokio::test]
async fn what_cannot_be_opened_is_named_and_never_overwritten() {
    let room = Room::new();
    let vault = room.vault();
    let promoted = room.rotated_once(&vault).await;
    let good = fs::read(room.file()).unwrap();
    let header = good.windows(3).position(|bytes| bytes == b"---").unwrap();
    let flipped = |index: usize| {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        bytes
    };
    let sealed = |plain: &[u8]| age::encrypt(&room.key().to_public(), plain).unwrap();
    let elsewhere = age::x25519::Identity::generate().to_public();
    let mut newer = room.document();
    newer["format"] = json!(2);
    let mut unknown = room.document();
    unknown["current"]["colour"] = json!("blue");

    let table = [
        ("zero length", Vec::new(), "it is empty"),
        ("header cut", good[..header].to_vec(), "its end is missing"),
        ("payload cut", good[..good.len() - 20].to_vec(), "its end is missing"),
        ("one byte cut", good[..good.len() - 1].to_vec(), "its end is missing"),
        ("payload missing", good[..good.len() - (good.len() - header) / 2].to_vec(), "its end is missing"),
        ("payload flipped", flipped(good.len() - 5), "bytes were changed"),
        ("MAC flipped", flipped(header + 10), "damaged"),
        ("zeroes", vec![0; good.len()], "it is no age file"),
        ("other text", b"{\"password\": \"hunter2\"}".to_vec(), "it is no age file"),
        ("text form", b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec(), "without `-a`"),
        ("sealed to somebody else", age::encrypt(&elsewhere, b"{}").unwrap(), "encrypted to somebody else"),
        ("no JSON inside", sealed(b"hunter2"), "is not JSON"),
        ("nothing inside", sealed(b""), "ends too early"),
        ("another object inside", sealed(b"{\"password\": \"hunter2\"}"), "a key is missing"),
        ("a later format", sealed(newer.to_string().as_bytes()), "format 2"),
        ("an unknown key", sealed(unknown.to_string().as_bytes()), "unknown"),
    ];
    for (what, bytes, expected) in table {
        fs::write(room.file(), &bytes).unwrap();
        let value = room.value(1);
        let answers = [
            room.read(&vault).await.err(),
            room.place(&vault, ABSENT).await.err(),
            room.stage(&vault, promoted.revision, room.token(1), &value).await.err(),
            room.permit(&vault, promoted.revision, room.token(0)).await.err(),
            room.promote(&vault, promoted.revision, room.token(0)).await.err(),
            vault.drop_pending(room.at(), promoted.revision, room.token(0), &room.clock).await.err(),
            vault.value(&room.secret, room.token(0)).await.err(),
            vault.show(&room.secret).await.err(),
            room.status_of(&vault).await.err(),
            vault.check().await.err(),
        ];
        for (index, answer) in answers.into_iter().enumerate() {
            let Some(VaultError::Unreadable(text)) = answer else { panic!("{what}, call {index}: {answer:?}") };
            assert!(text.contains("svc-a.age") && text.contains(expected), "{what}, call {index}: {text}");
            assert!(!text.contains("hunter2") && !text.contains("password-"), "{what}: {text}");
        }
        assert_eq!(fs::read(room.file()).unwrap(), bytes, "{what}");
    }
    fs::write(room.file(), &good).unwrap();
    assert_eq!(room.read(&vault).await.unwrap().revision, promoted.revision);
}

/// Power went after the temporary file was written, and before or during the rename: the old file counts.
#[tokio::test]
async fn temporary_files_count_for_nothing_and_the_next_write_removes_them() {
    let room = Room::new();
    let vault = room.vault();
    let promoted = room.rotated_once(&vault).await;
    let dir = room.file().parent().unwrap().to_owned();
    let staged = room.stage(&vault, promoted.revision, room.token(1), &room.value(1)).await.unwrap();
    let whole = fs::read(room.file()).unwrap();
    fs::write(dir.join(".svc-a.age.aB3xYz.tmp"), &whole).unwrap();
    fs::write(dir.join(".svc-a.age.Trunc8.tmp"), &whole[..40]).unwrap();
    fs::write(dir.join(".svc-a.age.Empty0.tmp"), "").unwrap();
    fs::write(dir.join(".svc-b.age.Other1.tmp"), "").unwrap();

    assert_eq!(room.read(&vault).await.unwrap(), staged);
    vault.check().await.unwrap();
    room.promote(&vault, staged.revision, room.token(1)).await.unwrap();
    assert_eq!(tree(&dir), [".svc-b.age.Other1.tmp", "svc-a.age"]);

    let born = Room { secret: name("ncloud/main/sub-account/svc-b"), ..room };
    assert_eq!(born.read(&vault).await.unwrap().revision, ABSENT, "a leftover is no secret");
    born.place(&vault, ABSENT).await.unwrap();
    assert_eq!(tree(&dir), ["svc-a.age", "svc-b.age"]);
}

#[tokio::test]
async fn an_older_copy_put_back_is_noticed() {
    let room = Room::new();
    let vault = room.vault();
    let promoted = room.rotated_once(&vault).await;
    let backup = fs::read(room.file()).unwrap();
    let staged = room.stage(&vault, promoted.revision, room.token(1), &room.value(1)).await.unwrap();
    fs::write(room.file(), backup).unwrap();
    assert_eq!(room.promote(&vault, staged.revision, room.token(1)).await, Err(VaultError::Moved));
    assert_eq!(room.read(&vault).await.unwrap().revision, promoted.revision);
}

#[tokio::test]
async fn a_check_counts_what_is_bad() {
    let room = Room::new();
    let vault = room.vault();
    room.rotated_once(&vault).await;
    for other in ["svc-b.age", "svc-c.age"] {
        fs::write(room.file().with_file_name(other), "").unwrap();
    }
    let Err(VaultError::Unreadable(text)) = vault.check().await else { panic!("the damage was not seen") };
    assert!(text.starts_with("2 of the vault's 3 secrets") && text.contains("svc-b.age"), "{text}");
    let value = vault.value(&room.secret, room.token(0)).await.unwrap();
    assert_eq!(value.password(), Some(password(0)), "a bad neighbour harms nobody");
}
