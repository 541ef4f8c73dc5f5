//! The calls themselves: what goes out and what comes back, in our own terms. What they mean is told elsewhere.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_secretsmanager::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_secretsmanager::config::{ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_secretsmanager::error::BoxError;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry, Tag};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::client::{self, Clients};
use super::content::{Content, Fetched, timestamp};
use super::failure::Failure;
use super::labels::Labels;
use super::settings::{BadSettings, Settings};
use crate::domain::secret::SecretName;
use crate::domain::value::SecretValue;

/// The most secrets that one batch takes.
pub(super) const BATCH: usize = 20;
/// The most secrets on one page of the list.
const PAGE: i32 = 100;
/// The most values that one filter takes.
const FILTER_VALUES: usize = 10;

/// The calls of one vault. Credentials are looked for at the first one.
pub(super) struct Calls {
    settings: Arc<Settings>,
    http: SharedHttpClient,
    clients: OnceCell<Clients>,
}

/// An answer, and AWS's clock as its `Date` header told it.
pub(super) struct Told<T> {
    pub(super) answer: T,
    pub(super) date: Option<Timestamp>,
}

/// What one batch brought.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) values: Vec<(String, Fetched)>,
    pub(super) failures: Vec<(String, Failure)>,
}

/// One page of the list.
pub(super) struct Page {
    pub(super) secrets: Vec<(String, Labels)>,
    pub(super) next: Option<String>,
}

impl Calls {
    pub(super) fn new(settings: Arc<Settings>) -> Result<Self, BadSettings> {
        let http = client::http(&settings)?;
        Ok(Self { settings, http, clients: OnceCell::new() })
    }

    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(|| client::connect(&self.settings, self.http.clone())).await
    }

    /// Both labels of a secret, and all others.
    pub(super) async fn describe(&self, secret: &SecretName) -> Result<Told<Labels>, Failure> {
        let heard = Heard::default();
        let call = self.clients().await.reads.describe_secret().secret_id(secret.as_str());
        let answer = call.customize().interceptor(heard.clone()).send().await.map_err(|error| Failure::of(&error))?;
        let mut labels = Labels {
            arn: answer.arn().unwrap_or_default().to_owned(),
            last_changed: answer.last_changed_date().and_then(timestamp),
            deleted: answer.deleted_date().is_some(),
            managed: answer.rotation_enabled() == Some(true) || answer.owning_service().is_some(),
            ..Labels::default()
        };
        for (id, names) in answer.version_ids_to_stages().into_iter().flatten() {
            labels.add(id, names);
        }
        Ok(Told { answer: labels, date: heard.date() })
    }

    /// One version's value.
    pub(super) async fn get(&self, secret: &str, id: &str) -> Result<Fetched, Failure> {
        let call = self.clients().await.reads.get_secret_value().secret_id(secret).version_id(id);
        let answer = call.send().await.map_err(|error| Failure::of(&error))?;
        let content = Content::read(answer.secret_string(), answer.secret_binary(), answer.created_date());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Fetched { arn: text(answer.arn()), id: text(answer.version_id()), content })
    }

    /// The current values of at most [`BATCH`] secrets, by name.
    pub(super) async fn batch(&self, secrets: &[SecretName]) -> Result<Batch, Failure> {
        let ids = secrets.iter().map(ToString::to_string).collect();
        let call = self.clients().await.reads.batch_get_secret_value().set_secret_id_list(Some(ids));
        let answer = call.send().await.map_err(|error| Failure::of(&error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let mut batch = Batch::default();
        for entry in answer.secret_values() {
            let content = Content::read(entry.secret_string(), entry.secret_binary(), entry.created_date());
            let fetched = Fetched { arn: text(entry.arn()), id: text(entry.version_id()), content };
            batch.values.push((text(entry.name()), fetched));
        }
        for error in answer.errors() {
            let names_kms = error.message().is_some_and(|text| text.contains("KMS"));
            batch.failures.push((text(error.secret_id()), Failure::of_entry(error.error_code(), names_kms)));
        }
        Ok(batch)
    }

    /// One page of all secrets whose names begin as this vault's do, those that are scheduled for deletion left out.
    pub(super) async fn list(&self, next: Option<String>) -> Result<Page, Failure> {
        let prefixes = &self.settings.prefixes;
        let narrow = (1..=FILTER_VALUES).contains(&prefixes.len()) && prefixes.iter().all(|prefix| !prefix.is_empty());
        let filter = Filter::builder().key(FilterNameStringType::Name).set_values(Some(prefixes.clone())).build();
        let call = self.clients().await.reads.list_secrets().max_results(PAGE).set_next_token(next);
        let call = call.set_filters(narrow.then(|| vec![filter]));
        let answer = call.send().await.map_err(|error| Failure::of(&error))?;
        let secrets = answer.secret_list().iter().filter_map(listed).collect();
        Ok(Page { secrets, next: answer.next_token().map(str::to_owned) })
    }

    /// Makes a secret with its first version, which is current.
    pub(super) async fn create(&self, secret: &SecretName, id: &str, value: &SecretValue) -> Result<String, Failure> {
        let tags = self.settings.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags: Vec<Tag> = tags.collect();
        let call = self.clients().await.writes.create_secret().name(secret.as_str()).client_request_token(id);
        let call = call.secret_string(text(value)).set_kms_key_id(self.settings.kms_key_id.clone());
        let call = call.set_tags((!tags.is_empty()).then_some(tags));
        let answer = call.send().await.map_err(|error| Failure::of(&error))?;
        Ok(answer.arn().unwrap_or_default().to_owned())
    }

    /// Puts a version of the secret of this ARN under a label. A secret that was made anew under its name has another ARN.
    pub(super) async fn put(
        &self,
        secret: &str,
        id: &str,
        value: &SecretValue,
        label: &str,
    ) -> Result<Told<()>, Failure> {
        let heard = Heard::default();
        let call = self.clients().await.writes.put_secret_value().secret_id(secret).client_request_token(id);
        let call = call.secret_string(text(value)).version_stages(label);
        call.customize().interceptor(heard.clone()).send().await.map_err(|error| Failure::of(&error))?;
        Ok(Told { answer: (), date: heard.date() })
    }

    /// Moves a label to a version, or off one, or both.
    pub(super) async fn move_label(
        &self,
        secret: &str,
        label: &str,
        to: Option<String>,
        from: Option<String>,
    ) -> Result<Told<()>, Failure> {
        let heard = Heard::default();
        let call = self.clients().await.writes.update_secret_version_stage().secret_id(secret);
        let call = call.version_stage(label).set_move_to_version_id(to).set_remove_from_version_id(from);
        call.customize().interceptor(heard.clone()).send().await.map_err(|error| Failure::of(&error))?;
        Ok(Told { answer: (), date: heard.date() })
    }

    /// Takes a secret back from deletion.
    pub(super) async fn restore(&self, secret: &SecretName) -> Result<(), Failure> {
        let call = self.clients().await.writes.restore_secret().secret_id(secret.as_str());
        call.send().await.map(|_| ()).map_err(|error| Failure::of(&error))
    }
}

fn listed(entry: &SecretListEntry) -> Option<(String, Labels)> {
    let mut labels = Labels {
        arn: entry.arn().unwrap_or_default().to_owned(),
        last_changed: entry.last_changed_date().and_then(timestamp),
        deleted: entry.deleted_date().is_some(),
        managed: entry.rotation_enabled() == Some(true) || entry.owning_service().is_some(),
        ..Labels::default()
    };
    for (id, names) in entry.secret_versions_to_stages().into_iter().flatten() {
        labels.add(id, names);
    }
    Some((entry.name()?.to_owned(), labels))
}

/// A value as it is stored.
fn text(value: &SecretValue) -> String {
    // An object whose keys are texts can always be written.
    serde_json::to_string(value.expose()).unwrap_or_default()
}

/// Hears the `Date` header of the answer.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Option<Timestamp>>>);

impl Heard {
    fn date(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.and_then(|date| Timestamp::try_from(date).ok());
        Ok(())
    }
}
