//! Who can open a vault, and what happens when the identity is lost, wrong or somebody else's.

use std::fs;
use std::process::Command;

use age::secrecy::ExposeSecret;
use ncloud_rotator::ports::vault::{Vault, VaultError};
use ncloud_rotator::vault::age::{AgeVault, IdentitySource, Settings};
use serde_json::Value;

use crate::room::{ABSENT, Room, decrypt, name};

#[tokio::test]
async fn no_identity_is_made_where_secrets_exist() {
    let room = Room::new();
    let vault = room.vault();
    let promoted = room.rotated_once(&vault).await;
    let identity = fs::read(room.identity()).unwrap();
    let sealed = fs::read(room.file()).unwrap();
    fs::remove_file(room.identity()).unwrap();

    let new = name("another/secret");
    let place = ncloud_rotator::ports::vault::Place { secret: &new, ..room.at() };
    let answers = [
        room.read(&vault).await.err(),
        room.stage(&vault, promoted.revision, room.token(1), &room.value(1)).await.err(),
        vault.place(place, ABSENT, &room.clock).await.err(),
        vault.show(&room.secret).await.err(),
        vault.check().await.err(),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let Some(VaultError::Unreadable(text)) = answer else { panic!("call {index}: {answer:?}") };
        for part in ["identity.txt is missing", "svc-a.age", "restore it", "No new one was made"] {
            assert!(text.contains(part), "call {index}: {text}");
        }
    }
    assert!(!room.identity().exists());
    assert_eq!(fs::read(room.file()).unwrap(), sealed);

    ncloud_rotator::durable::replace(&room.identity(), &identity).unwrap();
    assert_eq!(room.read(&vault).await.unwrap().revision, promoted.revision, "a restored identity helps at once");
}

#[tokio::test]
async fn even_a_damaged_secret_or_one_behind_a_link_keeps_an_identity_from_being_made() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.age"), "").unwrap();
    for behind_link in [false, true] {
        let room = Room::new();
        fs::create_dir(room.root()).unwrap();
        if behind_link {
            std::os::unix::fs::symlink(outside.path(), room.root().join("linked")).unwrap();
        } else {
            fs::write(room.root().join("x.age"), "").unwrap();
        }
        assert!(matches!(room.place(&room.vault(), ABSENT).await, Err(VaultError::Unreadable(_))));
        assert!(!room.identity().exists());
    }
}

#[tokio::test]
async fn a_wrong_identity_opens_nothing_and_founds_nothing() {
    let room = Room::new();
    let vault = room.vault();
    room.rotated_once(&vault).await;
    let sealed = fs::read(room.file()).unwrap();
    let wrong = age::x25519::Identity::generate();
    ncloud_rotator::durable::replace(&room.identity(), wrong.to_string().expose_secret().as_bytes()).unwrap();

    let new = name("another/secret");
    let place = ncloud_rotator::ports::vault::Place { secret: &new, ..room.at() };
    let answers =
        [room.read(&vault).await.err(), vault.place(place, ABSENT, &room.clock).await.err(), vault.check().await.err()];
    for (index, answer) in answers.into_iter().enumerate() {
        let Some(VaultError::Unreadable(text)) = answer else { panic!("call {index}: {answer:?}") };
        for part in ["svc-a.age", "identity.txt", "restore the identity"] {
            assert!(text.contains(part), "call {index}: {text}");
        }
    }
    assert_eq!(fs::read(room.file()).unwrap(), sealed);
    assert!(!room.root().join("another/secret.age").exists());
}

#[tokio::test]
async fn a_new_secret_is_founded_beside_a_damaged_one() {
    let room = Room::new();
    let vault = room.vault();
    room.rotated_once(&vault).await;
    fs::remove_file(room.file()).unwrap();
    fs::write(room.root().join("broken.age"), "").unwrap();
    room.place(&vault, ABSENT).await.unwrap();
}

#[tokio::test]
async fn an_identity_that_others_can_read_is_denied_before_anything_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new();
    let vault = room.vault();
    room.rotated_once(&vault).await;
    fs::set_permissions(room.identity(), fs::Permissions::from_mode(0o644)).unwrap();
    let Err(VaultError::Denied(text)) = room.read(&vault).await else { panic!("it was taken") };
    assert!(text.contains("0644") && text.contains("chmod 600"), "{text}");
}

#[tokio::test]
async fn a_credential_serves_as_identity_and_no_file_is_made() {
    let room = Room::new();
    let (first, second) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let text = format!("# two\n{}\n{}\n", first.to_string().expose_secret(), second.to_string().expose_secret());
    let source =
        || IdentitySource::Bytes { name: "the credential vault".into(), secret: text.clone().into_bytes().into() };
    let vault = AgeVault::new(Settings { identity: source(), ..room.settings() });
    vault.check().await.unwrap();
    room.rotated_once(&vault).await;
    assert!(!room.identity().exists());
    for key in [first, second] {
        assert_eq!(decrypt(&key, &room.file())["current"]["value"]["password"], "password-0");
    }
}

#[tokio::test]
async fn extra_recipients_open_what_is_written_from_then_on() {
    let room = Room::new();
    let promoted = room.rotated_once(&room.vault()).await;
    let escrow = age::x25519::Identity::generate();
    assert!(age::decrypt(&escrow, &fs::read(room.file()).unwrap()).is_err());
    let recipients = vec![escrow.to_public().to_string().parse().unwrap()];
    let vault = AgeVault::new(Settings { recipients, ..room.settings() });
    room.stage(&vault, promoted.revision, room.token(1), &room.value(1)).await.unwrap();
    for key in [escrow, room.key()] {
        assert_eq!(decrypt(&key, &room.file())["pending"]["value"]["password"], "password-1");
    }
    room.read(&room.vault()).await.unwrap();
}

/// The same through the library is what [`Room::document`] does in every other test.
#[tokio::test]
async fn the_ordinary_age_command_opens_a_secret() {
    let room = Room::new();
    room.rotated_once(&room.vault()).await;
    let run = Command::new("age").arg("-d").arg("-i").arg(room.identity()).arg(room.file()).output();
    let output = match run {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return skipped("age"),
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["current"]["value"]["password"], "password-0");
}

/// And the other way round: a file that a person edited with the ordinary tools is a secret like any other.
#[tokio::test]
async fn a_secret_written_with_the_ordinary_age_command_is_read() {
    let room = Room::new();
    if Command::new("age").arg("--version").output().is_err() || Command::new("age-keygen").arg("-h").output().is_err()
    {
        return skipped("age and age-keygen");
    }
    let made = Command::new("age-keygen").arg("-o").arg(room.identity()).output().unwrap();
    assert!(made.status.success());
    let plain = room.dir.path().join("plain.json");
    let token = room.token(0);
    let text =
        format!(r#"{{"format":1,"secret":"x","current":{{"token":"{token}","value":{{"password":"by hand"}}}}}}"#);
    fs::write(&plain, text).unwrap();
    fs::create_dir_all(room.file().parent().unwrap()).unwrap();
    let recipient = room.key().to_public().to_string();
    let sealed = Command::new("age").args(["-r", &recipient, "-o"]).arg(room.file()).arg(&plain).output().unwrap();
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    let value = room.vault().value(&room.secret, token).await.unwrap();
    assert_eq!(value.password().unwrap().expose(), "by hand");
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped(what: &str) {
    eprintln!("skipped, for want of {what} on PATH (Debian's package `age`)");
}
