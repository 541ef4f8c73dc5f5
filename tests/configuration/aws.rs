//! `kind = "aws-secrets-manager"`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::SignedDuration;
use ncloud_rotator::config::{AwsSecretsManager, Code, Endpoint, Store};

use super::{Case, parse, rendered, with};

/// The good configuration with a vault in AWS.
fn aws(lines: &str) -> String {
    with("kind     = \"age-directory\"\npath     = \"vault\"\nidentity = { file = \"identity.txt\" }\n", "KIND")
        .replace("KIND", &format!("kind = \"aws-secrets-manager\"\n{lines}"))
}

fn adding(line: &str) -> String {
    aws(&format!("region = \"ap-northeast-2\"\n{line}\n"))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("AWS nowhere", aws(""), &[(Code::MissingKey, "[vaults.local]")]),
        ("AWS in a city", aws("region = \"Seoul\"\n"), &[(Code::BadValue, "region")]),
        (
            "AWS in a directory",
            adding("path = \"vault\"\nidentity = { file = \"identity.txt\" }"),
            &[(Code::Misplaced, "path"), (Code::Misplaced, "identity")],
        ),
        (
            "a directory in AWS",
            with("path     = \"vault\"", "path = \"vault\"\nregion = \"eu-west-1\"\nsole = true\nsettle = \"1s\""),
            &[(Code::Misplaced, "region"), (Code::Misplaced, "sole"), (Code::Misplaced, "settle")],
        ),
        ("AWS by plain http", adding("endpoint_url = \"http://aws.example\""), &[(Code::PlainHttp, "endpoint_url")]),
        (
            "AWS at an address with a password",
            adding("endpoint_url = \"https://me:HUNTER2@aws.example\""),
            &[(Code::BadEndpoint, "endpoint_url")],
        ),
        ("AWS at a path", adding("endpoint_url = \"https://aws.example/x\""), &[(Code::BadEndpoint, "endpoint_url")]),
        ("a KMS key with a space", adding("kms_key_id = \"my key\""), &[(Code::BadValue, "kms_key_id")]),
        (
            "tags that AWS refuses",
            adding("tags = { \"aws:x\" = \"1\", team = \"a;b\", \"\" = \"1\" }"),
            &[(Code::BadValue, "tags"), (Code::BadValue, "tags"), (Code::BadValue, "tags")],
        ),
        ("a tag of a number", adding("tags = { team = 1 }"), &[(Code::WrongType, "tags")]),
        ("a role by its name", adding("role_arn = \"rotator\""), &[(Code::BadValue, "role_arn")]),
        ("no time to settle", adding("settle = \"0s\""), &[(Code::BadDuration, "settle")]),
        ("no writes", adding("writes = \"0/s\""), &[(Code::BadRate, "writes")]),
        ("a sole that is a word", adding("sole = \"yes\""), &[(Code::WrongType, "sole")]),
        (
            "a network to AWS that is none",
            adding("proxy = \"proxy.example\"\nca_file = \"~/ca.pem\"\nrequest_timeout = \"6m\""),
            &[(Code::BadEndpoint, "proxy"), (Code::BadValue, "ca_file"), (Code::BadDuration, "request_timeout")],
        ),
        (
            "AWS twice",
            adding("").replace(
                "[policies.default]",
                "[vaults.other]\nkind = \"aws-secrets-manager\"\nregion = \"ap-northeast-2\" # again\n[policies.default]",
            ),
            &[(Code::SharedPath, "# again")],
        ),
    ]
}

#[track_caller]
fn vault(text: &str) -> AwsSecretsManager {
    let config = parse(text).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let Store::AwsSecretsManager(vault) = &config.vaults["local"].store else { panic!("not AWS") };
    vault.clone()
}

#[test]
fn silence_of_an_aws_vault_means_the_defaults() {
    let vault = vault(&adding(""));
    assert_eq!(vault.region, "ap-northeast-2");
    assert_eq!((&vault.endpoint_url, &vault.kms_key_id, &vault.role_arn), (&None, &None, &None));
    assert_eq!((vault.settle, vault.writes.to_string()), (SignedDuration::from_secs(30), "40/s".to_owned()));
    assert!(!vault.sole && vault.tags.is_empty());
    assert_eq!((vault.network.request_timeout, &vault.network.proxy), (SignedDuration::from_secs(30), &None));
}

#[test]
fn every_key_of_an_aws_vault_means_what_it_says() {
    let vault = vault(&adding(
        "endpoint_url = \"https://vpce.example:8443\"\nkms_key_id = \"alias/rotator\"\ntags = { team = \"a b\" }\n\
         role_arn = \"arn:aws-cn:iam::123456789012:role/path/rotator\"\nsettle = \"1m\"\nwrites = \"10/s\"\nsole = true\n\
         request_timeout = \"5s\"\nproxy = \"http://proxy.example:3128\"\nproxy_credentials = { env = \"P\" }\n\
         ca_file = \"ca.pem\"",
    ));
    assert_eq!(vault.endpoint_url.as_ref().map(Endpoint::as_str), Some("https://vpce.example:8443"));
    assert_eq!(vault.kms_key_id.as_deref(), Some("alias/rotator"));
    assert_eq!(vault.tags, BTreeMap::from([("team".to_owned(), "a b".to_owned())]));
    assert_eq!(vault.role_arn.as_deref(), Some("arn:aws-cn:iam::123456789012:role/path/rotator"));
    assert_eq!((vault.settle, vault.writes.to_string()), (SignedDuration::from_mins(1), "10/s".to_owned()));
    assert!(vault.sole);
    assert_eq!(vault.network.request_timeout, SignedDuration::from_secs(5));
    assert_eq!(vault.network.proxy.map(|proxy| proxy.to_string()), Some("http://proxy.example:3128".to_owned()));
    assert_eq!(vault.network.ca_file.as_deref(), Some(Path::new("/etc/rotator/ca.pem")));
}
