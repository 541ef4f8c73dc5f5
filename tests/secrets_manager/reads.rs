//! The operations that change nothing. They see what their [`Sight`] shows, which may be late.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::secret::{CURRENT, Content, Secret, Version};
use super::store::{Sight, Store};

type Answer = Result<Value, Refusal>;

/// A date as the protocol writes it: seconds since 1970, with milliseconds.
pub(crate) fn seconds(at: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of our age need 41 bits of the 53")]
    let seconds = at.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

pub(crate) fn get(store: &Store, sight: Sight, request: &GetSecretValue) -> Answer {
    let secret = store.view(&request.secret_id, sight)?;
    value(&secret, request.version_id.as_deref(), request.version_stage.as_deref())
}

fn value(secret: &Secret, id: Option<&str>, label: Option<&str>) -> Answer {
    if secret.deletion.is_some() {
        return Err(Refusal::marked_for_deletion());
    }
    let missing = || match (id, label) {
        (Some(id), _) => Refusal::no_value("VersionId", id),
        (None, label) => Refusal::no_value("staging label", label.unwrap_or(CURRENT)),
    };
    let version = match id {
        Some(id) => secret.version(id),
        None => secret.holder(label.unwrap_or(CURRENT)).and_then(|holder| secret.version(holder)),
    };
    let version = version.ok_or_else(missing)?;
    if label.is_some_and(|label| secret.holder(label) != Some(&version.id)) {
        return Err(Refusal::request("You provided a VersionStage that is not associated to the provided VersionId."));
    }
    entry(secret, version).ok_or_else(missing)
}

/// A version with its value, if it has one.
fn entry(secret: &Secret, version: &Version) -> Option<Value> {
    let mut answer = json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "CreatedDate": seconds(version.created),
    });
    let labels = secret.labels_of(&version.id);
    if !labels.is_empty() {
        answer["VersionStages"] = json!(labels);
    }
    match version.content.as_ref()? {
        Content::Text(text) => answer["SecretString"] = json!(text),
        Content::Binary(bytes) => answer["SecretBinary"] = json!(BASE64_STANDARD.encode(bytes)),
    }
    Some(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct BatchGetSecretValue {
    secret_id_list: Option<Vec<String>>,
    filters: Option<Vec<Filter>>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(crate) fn batch(store: &Store, sight: Sight, request: &BatchGetSecretValue) -> Answer {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    let mut take = |id: &str, found: Answer| match found {
        Ok(value) => values.push(value),
        Err(refusal) => {
            errors.push(json!({ "SecretId": id, "ErrorCode": refusal.code, "Message": refusal.message }));
        }
    };
    let mut next = None;
    match (&request.secret_id_list, &request.filters) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refusal::parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both."));
        }
        (Some(ids), None) => {
            if request.max_results.is_some() || request.next_token.is_some() {
                return Err(Refusal::parameter("'Filters' must be specified when 'MaxResults' or 'NextToken' is."));
            }
            if ids.is_empty() || ids.len() > 20 {
                return Err(Refusal::validation("'secretIdList' failed to satisfy constraint: 1 to 20 members"));
            }
            for id in ids {
                take(id, store.view(id, sight).and_then(|secret| value(&secret, None, None)));
            }
        }
        (None, Some(filters)) => {
            let mut secrets = store.all(sight);
            secrets.retain(|secret| secret.deletion.is_none() && filters.iter().all(|filter| filter.fits(secret)));
            let page = Page { most: request.max_results, limit: 20, after: request.next_token.as_deref() };
            let (page, token) = page.cut(secrets, |secret| secret.name.clone())?;
            for secret in &page {
                take(&secret.arn, value(secret, None, None));
            }
            next = token;
        }
    }
    let mut answer = json!({ "SecretValues": values, "Errors": errors });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DescribeSecret {
    secret_id: String,
}

pub(crate) fn describe(store: &Store, sight: Sight, request: &DescribeSecret) -> Answer {
    Ok(description(&*store.view(&request.secret_id, sight)?, "VersionIdsToStages"))
}

/// What is told of a secret without its value. Members that say nothing are left out, as AWS does.
fn description(secret: &Secret, labels_member: &str) -> Value {
    let mut answer = json!({
        "ARN": secret.arn, "Name": secret.name,
        "CreatedDate": seconds(secret.created), "LastChangedDate": seconds(secret.last_changed),
    });
    put(&mut answer, "Description", secret.description.clone());
    put(&mut answer, "KmsKeyId", secret.kms_key_id.clone());
    put(&mut answer, "OwningService", secret.owning_service.clone());
    put(&mut answer, "RotationEnabled", secret.rotation_enabled);
    put(&mut answer, "DeletedDate", secret.deletion.map(|deletion| seconds(deletion.asked)));
    let tags: Vec<_> = secret.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    put(&mut answer, "Tags", Some(tags).filter(|tags| !tags.is_empty()));
    let labelled = secret.versions.iter().map(|version| (version.id.clone(), json!(secret.labels_of(&version.id))));
    let labelled: Map<_, _> = labelled.filter(|(_, labels)| *labels != json!([])).collect();
    put(&mut answer, labels_member, Some(labelled).filter(|labelled| !labelled.is_empty()));
    answer
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListSecretVersionIds {
    secret_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
    include_deprecated: Option<bool>,
}

pub(crate) fn list_versions(store: &Store, sight: Sight, request: &ListSecretVersionIds) -> Answer {
    let secret = store.view(&request.secret_id, sight)?;
    let with_all = request.include_deprecated == Some(true);
    let mut versions = secret.versions.clone();
    versions.retain(|version| with_all || !secret.labels_of(&version.id).is_empty());
    let page = Page { most: request.max_results, limit: 100, after: request.next_token.as_deref() };
    let (page, next) = page.cut(versions, |version| version.id.clone())?;
    let told = page.iter().map(|version| {
        let mut told = json!({ "VersionId": version.id, "CreatedDate": seconds(version.created) });
        told["KmsKeyIds"] = json!([secret.kms_key_id.as_deref().unwrap_or("DefaultEncryptionKey")]);
        let labels = secret.labels_of(&version.id);
        put(&mut told, "VersionStages", Some(labels).filter(|labels| !labels.is_empty()));
        told
    });
    let versions: Vec<_> = told.collect();
    let mut answer = json!({ "ARN": secret.arn, "Name": secret.name, "Versions": versions });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListSecrets {
    filters: Option<Vec<Filter>>,
    include_planned_deletion: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
    sort_order: Option<SortOrder>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SortOrder {
    Asc,
    Desc,
}

pub(crate) fn list(store: &Store, sight: Sight, request: &ListSecrets) -> Answer {
    let with_deleted = request.include_planned_deletion == Some(true);
    let filters = request.filters.as_deref().unwrap_or_default();
    let mut secrets = store.all(sight);
    secrets.retain(|secret| {
        (with_deleted || secret.deletion.is_none()) && filters.iter().all(|filter| filter.fits(secret))
    });
    secrets.sort_by_key(|secret| secret.created);
    if request.sort_order == Some(SortOrder::Desc) {
        secrets.reverse();
    }
    let page = Page { most: request.max_results, limit: 100, after: request.next_token.as_deref() };
    let (page, next) = page.cut(secrets, |secret| secret.arn.clone())?;
    let told: Vec<_> = page.iter().map(|secret| description(secret, "SecretVersionsToStages")).collect();
    let mut answer = json!({ "SecretList": told });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

/// A condition on secrets. Values are prefixes, one of which has to fit; `!` before one turns it round.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Filter {
    key: FilterKey,
    values: Vec<String>,
}

/// The keys that this server knows; AWS has more.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FilterKey {
    Name,
    TagKey,
    TagValue,
    OwningService,
}

impl Filter {
    fn fits(&self, secret: &Secret) -> bool {
        let subjects: Vec<&str> = match self.key {
            FilterKey::Name => vec![&secret.name],
            FilterKey::TagKey => secret.tags.keys().map(String::as_str).collect(),
            FilterKey::TagValue => secret.tags.values().map(String::as_str).collect(),
            FilterKey::OwningService => secret.owning_service.as_deref().into_iter().collect(),
        };
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !subjects.iter().any(|subject| subject.starts_with(unwanted)),
            None => subjects.iter().any(|subject| subject.starts_with(value.as_str())),
        })
    }
}

/// Which part of a list is asked for. A token says the last entry that was told.
struct Page<'a> {
    most: Option<usize>,
    limit: usize,
    after: Option<&'a str>,
}

impl Page<'_> {
    fn cut<T>(self, mut all: Vec<T>, key: impl Fn(&T) -> String) -> Result<(Vec<T>, Option<String>), Refusal> {
        let most = self.most.unwrap_or(self.limit);
        if !(1..=self.limit).contains(&most) {
            let message = format!("'maxResults' failed to satisfy constraint: 1 to {}", self.limit);
            return Err(Refusal::validation(message));
        }
        if let Some(token) = self.after {
            let last = BASE64_STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let last = last.ok_or_else(Refusal::next_token)?;
            let told = all.iter().position(|entry| key(entry) == last).ok_or_else(Refusal::next_token)?;
            all.drain(..=told);
        }
        let is_rest = all.len() <= most;
        all.truncate(most);
        let next = all.last().filter(|_| !is_rest).map(|entry| BASE64_STANDARD.encode(key(entry)));
        Ok((all, next))
    }
}

fn put(answer: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        answer[member] = value.into();
    }
}
