//! Clients of the AWS SDK, that say what happened in one word.

use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder as HttpClient;
use jiff::Timestamp;
use serde_json::json;

use crate::script::Player;
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::Server;

/// The access key of every client here.
pub(crate) const KEY: &str = "AKIDEXAMPLE";

/// A server with a secret `s` of one version, and a player for it.
pub(crate) fn start() -> (Server, Player) {
    start_at(None)
}

/// The same with a clock that stands.
pub(crate) fn start_at(time: Option<Timestamp>) -> (Server, Player) {
    let server = Server::start();
    if let Some(time) = time {
        server.time().stand_at(time);
    }
    let create = json!({ "Name": "s", "ClientRequestToken": token(1), "SecretString": "one" });
    server.act(Operation::CreateSecret, create).expect("a first secret can be created");
    let player = Player::new(&client(&server.endpoint()), "");
    (server, player)
}

/// A client that asks once and waits ten seconds for the answer.
pub(crate) fn client(endpoint: &str) -> Client {
    client_that_waits(endpoint, Duration::from_secs(10))
}

pub(crate) fn client_that_waits(endpoint: &str, patience: Duration) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(Server::REGION))
        .credentials_provider(Credentials::new(KEY, "secret", None, None, "the tests"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(patience).build())
        .http_client(HttpClient::new().build_http());
    Client::from_conf(config.build())
}

/// A token, or a version's id, by its number.
pub(crate) fn token(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// "ok", the code of the refusal, or what else went wrong.
pub(crate) fn word<T, E: ProvideErrorMetadata, R>(outcome: &Result<T, SdkError<E, R>>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap_or("an error without a code").to_owned(),
        Err(SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
        Err(SdkError::DispatchFailure(_)) => "no answer".to_owned(),
        Err(SdkError::ResponseError(_)) => "no readable answer".to_owned(),
        Err(_) => "not sent".to_owned(),
    }
}
