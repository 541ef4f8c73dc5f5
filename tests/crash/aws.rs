//! The strict Secrets Manager as a vault: what its owner reads is looked up within it, not asked for.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation as Asked;
use crate::secrets_manager::server::{Server, VersionSeen};
use crate::shelf::{Failure, Held, Operation, Shelf, Trouble};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

pub(crate) struct AwsShelf(Server);

impl AwsShelf {
    pub(crate) fn new() -> Self {
        Self(Server::start())
    }
}

impl Shelf for AwsShelf {
    fn servers(&self) -> Vec<SocketAddr> {
        vec![self.0.address()]
    }

    fn table(&self, servers: &[SocketAddr]) -> String {
        let (region, server) = (Server::REGION, servers[0]);
        format!(
            "kind = \"aws-secrets-manager\"\nregion = \"{region}\"\nendpoint_url = \"http://{server}\"\nsettle = \"1s\"\n"
        )
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()), ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI".into())]
    }

    fn read(&self, secret: &str) -> Held {
        let Some(seen) = self.0.secret(secret) else { return Held { idle: true, ..Held::default() } };
        let password = |version: &VersionSeen| {
            let value: Value = serde_json::from_str(version.text.as_deref()?).ok()?;
            value["password"].as_str().map(str::to_owned)
        };
        let current = seen.at(CURRENT);
        // On the current version it means nothing: it stays there after a promotion.
        let pending = seen.at(PENDING).filter(|pending| Some(&pending.id) != current.map(|current| &current.id));
        // A version without a label is not described, and may go.
        let labelled = seen.versions.iter().filter(|version| !version.labels.is_empty());
        Held {
            current: current.and_then(password),
            pending: pending.and_then(password),
            readable: labelled.filter_map(password).collect(),
            idle: pending.is_none(),
        }
    }

    fn trouble(&self, trouble: Trouble) {
        let operation = match trouble.operation {
            Operation::Create => Asked::CreateSecret,
            Operation::Stage => Asked::PutSecretValue,
            Operation::Promote => Asked::UpdateSecretVersionStage,
            Operation::Read => Asked::DescribeSecret,
        };
        let fault = match trouble.failure {
            Failure::DropBefore => Fault::DropBefore,
            Failure::DropAfter => Fault::DropAfter,
            Failure::ErrorBefore => Fault::ServerErrorBefore(503),
            Failure::ErrorAfter => Fault::ServerErrorAfter(500),
            Failure::Throttled => Fault::Throttled,
            Failure::Delayed => Fault::Delay(Duration::from_millis(700)),
            Failure::Garbage => Fault::Garbage,
            Failure::HeldBefore => Fault::Hold,
            Failure::HeldAfter => Fault::HoldAfter,
        };
        self.0.fault(Rule::on(operation, fault).skip(trouble.skip.into()));
    }

    fn release(&self) {
        self.0.release();
    }

    fn clear_trouble(&self) {
        self.0.clear_faults();
    }
}
