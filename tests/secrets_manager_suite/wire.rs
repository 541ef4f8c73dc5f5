//! The wire, by hand: what no client of AWS's makes would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::token;
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::Server;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20251121/ap-northeast-2/secretsmanager/aws4_request, \
                      SignedHeaders=host, Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Sends a request and returns the head and the body of the answer.
fn send(server: &Server, target: &str, authorization: &str, body: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: aws\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-date: 20251121T192000Z\r\nx-amz-target: {target}\r\n{authorization}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

fn signed(server: &Server, operation: &str, body: &Value) -> (String, Value) {
    let target = format!("secretsmanager.{operation}");
    send(server, &target, &format!("authorization: {SIGNED}\r\n"), &body.to_string())
}

#[test]
fn answers_carry_the_servers_date_and_dates_are_seconds() {
    let server = Server::start();
    server.time().stand_at(Timestamp::from_millisecond(1_763_752_800_125).unwrap());
    server.act(Operation::CreateSecret, json!({ "Name": "s" })).unwrap();
    let (head, body) = signed(&server, "DescribeSecret", &json!({ "SecretId": "s" }));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("date: Fri, 21 Nov 2025 19:20:00 GMT"), "{head}");
    assert!(head.contains("content-type: application/x-amz-json-1.1"), "{head}");
    assert_eq!(body["CreatedDate"], json!(1_763_752_800.125));
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["ARN", "CreatedDate", "LastChangedDate", "Name"]);
}

#[rstest]
#[case("", "MissingAuthenticationTokenException")]
#[case("authorization: Basic YTpi\r\n", "IncompleteSignatureException")]
#[case("authorization: AWS4-HMAC-SHA256 Credential=AKID\r\n", "IncompleteSignatureException")]
#[case(&format!("authorization: {}\r\n", SIGNED.replace("0123", "zzzz")), "IncompleteSignatureException")]
#[case(&format!("authorization: {}\r\n", SIGNED.replace("AKID/", "")), "IncompleteSignatureException")]
#[case(&format!("authorization: {}\r\n", SIGNED.replace("20251121", "20251122")), "InvalidSignatureException")]
#[case(&format!("authorization: {}\r\n", SIGNED.replace("ap-northeast-2", "eu-west-1")), "InvalidSignatureException")]
#[case(&format!("authorization: {}\r\n", SIGNED.replace("secretsmanager", "sts")), "InvalidSignatureException")]
fn a_request_that_is_not_signed_in_the_right_form_is_refused(#[case] authorization: &str, #[case] code: &str) {
    let server = Server::start();
    let (head, body) = send(&server, "secretsmanager.ListSecrets", authorization, "{}");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert_eq!(body["__type"], code);
}

/// By hand, since the SDK signs by the clock of the last answer's date.
#[test]
fn a_request_signed_too_far_from_the_servers_clock_is_refused_where_that_is_asked_for() {
    let server = Server::start();
    let signed_at = Timestamp::from_second(1_763_752_800).unwrap();
    let code = |seconds| {
        server.time().stand_at(signed_at + SignedDuration::from_secs(seconds));
        signed(&server, "ListSecrets", &json!({})).1["__type"].clone()
    };
    assert_eq!(code(301), Value::Null);
    server.behave(|behaviour| behaviour.signing_skew = Some(SignedDuration::from_mins(5)));
    let codes = [-301, -300, 300, 301].map(code);
    assert_eq!(
        codes,
        [json!("InvalidSignatureException"), Value::Null, Value::Null, json!("InvalidSignatureException")]
    );
}

#[rstest]
#[case("RotateSecret", json!({}), "UnknownOperationException")]
#[case("DescribeSecret", json!({}), "SerializationException")]
#[case("CreateSecret", json!({ "Name": "t", "AddReplicaRegions": [] }), "SerializationException")]
#[case("CreateSecret", json!({ "Name": "t", "SecretString": "x" }), "InvalidRequestException")]
#[case("PutSecretValue", json!({ "SecretId": "s", "SecretString": "x" }), "InvalidRequestException")]
#[case("UpdateSecret", json!({ "SecretId": "s", "SecretString": "x" }), "InvalidRequestException")]
#[case("PutSecretValue", json!({ "SecretId": "s", "ClientRequestToken": token(7) }), "InvalidRequestException")]
#[case("PutSecretValue",
    json!({ "SecretId": "s", "ClientRequestToken": token(7), "SecretString": "x", "SecretBinary": "eA==" }),
    "InvalidParameterException")]
#[case("PutSecretValue",
    json!({ "SecretId": "s", "ClientRequestToken": token(7), "SecretString": "x", "VersionStages": [] }),
    "ValidationException")]
#[case("ListSecrets", json!({ "NextToken": "?" }), "InvalidNextTokenException")]
#[case("ListSecrets", json!({ "MaxResults": 0 }), "ValidationException")]
#[case("BatchGetSecretValue", json!({}), "InvalidParameterException")]
#[case("BatchGetSecretValue", json!({ "SecretIdList": [] }), "ValidationException")]
#[case("BatchGetSecretValue", json!({ "SecretIdList": ["s"], "MaxResults": 3 }), "InvalidParameterException")]
fn a_request_that_makes_no_sense_is_refused(#[case] operation: &str, #[case] body: Value, #[case] code: &str) {
    let server = Server::start();
    server.act(Operation::CreateSecret, json!({ "Name": "s" })).unwrap();
    let (head, answer) = signed(&server, operation, &body);
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert_eq!(answer["__type"], code);
    assert_eq!(server.secrets().len(), 1);
    assert_eq!(server.secrets()[0].versions, []);
}

#[test]
fn a_secret_is_found_by_its_name_and_by_its_arn_whole_or_not() {
    let server = Server::start();
    server.act(Operation::CreateSecret, json!({ "Name": "s/t" })).unwrap();
    server.act(Operation::CreateSecret, json!({ "Name": "s/t-abcdef" })).unwrap();
    let secret = server.secret("s/t").unwrap();
    let partial = secret.arn.rsplit_once('-').unwrap().0;
    assert!(partial.ends_with(":secret:s/t"), "{partial}");
    for id in [&secret.arn, partial, "s/t"] {
        assert_eq!(signed(&server, "DescribeSecret", &json!({ "SecretId": id })).1["Name"], "s/t", "{id}");
    }
    for id in [&format!("{partial}-aaaaaa"), &secret.arn.replace(Server::ACCOUNT, "1"), "s", "arn:x"] {
        let answer = signed(&server, "DescribeSecret", &json!({ "SecretId": id })).1;
        assert_eq!(answer["__type"], "ResourceNotFoundException", "{id}");
    }
}

#[test]
fn what_a_secret_is_made_with_is_told() {
    let server = Server::start();
    let create = json!({
        "Name": "s", "Description": "d", "KmsKeyId": "alias/k", "ClientRequestToken": token(1), "SecretBinary": "AP8=",
        "Tags": [{ "Key": "a", "Value": "b" }],
    });
    assert_eq!(signed(&server, "CreateSecret", &create).1["VersionId"], token(1));
    let described = signed(&server, "DescribeSecret", &json!({ "SecretId": "s" })).1;
    assert_eq!((&described["Description"], &described["KmsKeyId"]), (&json!("d"), &json!("alias/k")));
    assert_eq!(described["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(signed(&server, "GetSecretValue", &json!({ "SecretId": "s" })).1["SecretBinary"], "AP8=");
    signed(&server, "UntagResource", &json!({ "SecretId": "s", "TagKeys": ["a"] }));
    let update = json!({ "SecretId": "s", "ClientRequestToken": token(2), "KmsKeyId": "alias/l" });
    assert_eq!(signed(&server, "UpdateSecret", &update).1["VersionId"], Value::Null);
    let secret = server.secret("s").unwrap();
    assert_eq!((secret.kms_key_id.as_deref(), secret.tags.len()), (Some("alias/l"), 0));
    assert_eq!(secret.at("AWSCURRENT").unwrap().id, token(1));
    assert!(!secret.is_scheduled_for_deletion);
}

#[test]
fn filters_are_prefixes_that_must_all_fit() {
    let server = Server::start();
    for (name, team) in [("a/1", "red"), ("a/2", "blue"), ("b/1", "red")] {
        let tags = json!([{ "Key": "team", "Value": team }]);
        server.act(Operation::CreateSecret, json!({ "Name": name, "Tags": tags })).unwrap();
    }
    let listed = |filters: Value, order: &str| {
        let body = json!({ "Filters": filters, "SortOrder": order });
        let answer = signed(&server, "ListSecrets", &body).1;
        let names = answer["SecretList"].as_array().unwrap().iter().map(|entry| entry["Name"].as_str().unwrap());
        names.collect::<Vec<_>>().join(" ")
    };
    let name = json!({ "Key": "name", "Values": ["a/"] });
    let team = json!({ "Key": "tag-value", "Values": ["red", "green"] });
    assert_eq!(listed(json!([name]), "asc"), "a/1 a/2");
    assert_eq!(listed(json!([name]), "desc"), "a/2 a/1");
    assert_eq!(listed(json!([name, team]), "asc"), "a/1");
    assert_eq!(listed(json!([{ "Key": "name", "Values": ["!a/"] }]), "asc"), "b/1");
    assert_eq!(listed(json!([{ "Key": "name", "Values": ["a/2", "b"] }]), "asc"), "a/2 b/1");
    let batch = json!({ "Filters": [name], "MaxResults": 1 });
    let first = signed(&server, "BatchGetSecretValue", &batch).1;
    assert_eq!(first["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
    let batch = json!({ "Filters": [name], "MaxResults": 1, "NextToken": first["NextToken"] });
    let second = signed(&server, "BatchGetSecretValue", &batch).1;
    assert_ne!(second["Errors"][0]["SecretId"], first["Errors"][0]["SecretId"]);
    assert_eq!(second["NextToken"], Value::Null);
}
