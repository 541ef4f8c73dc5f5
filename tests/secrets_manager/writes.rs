//! The operations that change something.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reads::seconds;
use super::refusal::Refusal;
use super::secret::{CURRENT, Content, Deletion, Secret, Version};
use super::store::{Done, Sight, Store};

/// The most bytes of a value.
const VALUE_LIMIT: usize = 65_536;

type Outcome = Result<Done, Refusal>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateSecret {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    tags: Option<Vec<Tag>>,
}

pub(crate) fn create(store: &mut Store, now: Timestamp, request: CreateSecret) -> Outcome {
    check_name(&request.name)?;
    let content = content(request.secret_string, request.secret_binary)?;
    let token = token(request.client_request_token, content.is_some())?;
    if let Some(secret) = store.find(&request.name, Sight { now, lag: SignedDuration::ZERO }) {
        if secret.deletion.is_some() {
            return Err(Refusal::request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        let version = content.as_ref().and(token.as_deref()).and_then(|token| secret.version(token));
        return match version {
            Some(version) if version.content == content => Ok(Done::unchanged(named(&secret, Some(&version.id)))),
            Some(version) => Err(Refusal::token_used(&version.id, &secret.arn)),
            None => Err(Refusal::exists(&secret.name)),
        };
    }
    let tags = tags(request.tags.unwrap_or_default())?;
    let mut secret = store.fresh(&request.name, now);
    secret.description = request.description.filter(|description| !description.is_empty());
    secret.kms_key_id = request.kms_key_id;
    secret.tags = tags;
    let id = content.is_some().then_some(token).flatten();
    if let Some(id) = &id {
        secret.put(Version { id: id.clone(), content, created: now }, &[CURRENT.to_owned()]);
    }
    let answer = named(&secret, id.as_deref());
    store.insert(secret, now);
    Ok(Done::changed(answer))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

pub(crate) fn put(store: &mut Store, now: Timestamp, request: PutSecretValue) -> Outcome {
    let content = content(request.secret_string, request.secret_binary)?
        .ok_or_else(|| Refusal::request("You must provide either SecretString or SecretBinary."))?;
    let Some(token) = token(request.client_request_token, true)? else { return Err(no_token()) };
    let labels = request.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if labels.is_empty() || labels.len() > 20 {
        return Err(Refusal::validation("'versionStages' failed to satisfy constraint: 1 to 20 members"));
    }
    labels.iter().try_for_each(|label| check_label(label))?;
    store.edit(&request.secret_id, now, |secret, limits| {
        let told = |secret: &Secret, id: &str| {
            let mut answer = named(secret, Some(id));
            answer["VersionStages"] = json!(secret.labels_of(id));
            answer
        };
        if let Some(there) = secret.version(&token).and_then(|version| version.content.as_ref()) {
            if *there != content {
                return Err(Refusal::token_used(&token, &secret.arn));
            }
            return Ok(Done::unchanged(told(secret, &token)));
        }
        secret.put(Version { id: token.clone(), content: Some(content), created: now }, &labels);
        secret.check(limits)?;
        secret.prune(limits, now);
        Ok(Done::changed(told(secret, &token)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateSecretVersionStage {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

/// Looks at everything before it touches anything.
pub(crate) fn update_stage(store: &mut Store, now: Timestamp, request: &UpdateSecretVersionStage) -> Outcome {
    let UpdateSecretVersionStage { secret_id, version_stage: label, .. } = request;
    let (from, to) = (request.remove_from_version_id.as_deref(), request.move_to_version_id.as_deref());
    check_label(label)?;
    store.edit(secret_id, now, |secret, limits| {
        for id in [from, to].into_iter().flatten() {
            if secret.version(id).is_none() {
                return Err(Refusal::parameter(format!("Not a valid version: {id}")));
            }
        }
        let holder = secret.holder(label).map(str::to_owned);
        if let Some(from) = from
            && holder.as_deref() != Some(from)
        {
            return Err(Refusal::parameter(format!("Version stage {label} not found in version {from}")));
        }
        let answer = named(secret, None);
        let Some(to) = to else {
            if from.is_none() {
                return Err(Refusal::parameter("You must provide MoveToVersionId or RemoveFromVersionId."));
            }
            if label == CURRENT {
                return Err(Refusal::parameter("You can only move staging label AWSCURRENT to a different version."));
            }
            secret.detach(label);
            return Ok(Done::changed(answer));
        };
        if holder.as_deref() == Some(to) {
            return Ok(Done::unchanged(answer));
        }
        if let (None, Some(holder)) = (from, &holder) {
            return Err(Refusal::parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version \
                 {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        if label == CURRENT {
            secret.move_current(to);
        } else {
            secret.attach(label, to);
        }
        secret.check(limits)?;
        Ok(Done::changed(answer))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateSecret {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

pub(crate) fn update(store: &mut Store, now: Timestamp, request: UpdateSecret) -> Outcome {
    let content = content(request.secret_string, request.secret_binary)?;
    let Some(token) = token(request.client_request_token, true)? else { return Err(no_token()) };
    store.edit(&request.secret_id, now, |secret, limits| {
        let id = content.is_some().then_some(token.as_str());
        if let Some(id) = id {
            if secret.version(id).is_some_and(|version| version.content.is_some()) {
                return Err(Refusal::token_used(id, &secret.arn));
            }
            secret.put(Version { id: id.to_owned(), content, created: now }, &[CURRENT.to_owned()]);
        }
        secret.description = request.description.or_else(|| secret.description.take());
        secret.kms_key_id = request.kms_key_id.or_else(|| secret.kms_key_id.take());
        secret.check(limits)?;
        secret.prune(limits, now);
        Ok(Done::changed(named(secret, id)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DeleteSecret {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

pub(crate) fn delete(store: &mut Store, now: Timestamp, request: &DeleteSecret) -> Outcome {
    let is_forced = request.force_delete_without_recovery == Some(true);
    let told = |arn: &str, name: &str, at| json!({ "ARN": arn, "Name": name, "DeletionDate": seconds(at) });
    if is_forced && request.recovery_window_in_days.is_some() {
        return Err(Refusal::parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let days = request.recovery_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(Refusal::parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
    }
    let Some(secret) = store.find(&request.secret_id, Sight { now, lag: SignedDuration::ZERO }) else {
        if is_forced {
            let secret = store.fresh(&request.secret_id, now);
            return Ok(Done::unchanged(told(&secret.arn, &secret.name, now)));
        }
        return Err(Refusal::no_secret());
    };
    if secret.deletion.is_some() && !is_forced {
        return Err(Refusal::marked_for_deletion());
    }
    let after = if is_forced { store.deletion_takes } else { SignedDuration::from_hours(24 * days) };
    let deletion = Deletion { asked: now, at: now + after, recoverable: !is_forced };
    if after.is_zero() {
        store.remove(&secret.name, now);
    } else {
        store.insert(secret.with_deletion(Some(deletion), now), now);
    }
    Ok(Done::changed(told(&secret.arn, &secret.name, deletion.at)))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RestoreSecret {
    secret_id: String,
}

pub(crate) fn restore(store: &mut Store, now: Timestamp, request: &RestoreSecret) -> Outcome {
    let secret = store.view(&request.secret_id, Sight { now, lag: SignedDuration::ZERO })?;
    let answer = named(&secret, None);
    match secret.deletion {
        None => Ok(Done::unchanged(answer)),
        Some(deletion) if !deletion.recoverable => Err(Refusal::marked_for_deletion()),
        Some(_) => {
            store.insert(secret.with_deletion(None, now), now);
            Ok(Done::changed(answer))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    secret_id: String,
    tags: Vec<Tag>,
}

pub(crate) fn tag(store: &mut Store, now: Timestamp, request: TagResource) -> Outcome {
    let added = tags(request.tags)?;
    store.edit(&request.secret_id, now, |secret, _| {
        secret.tags.extend(added);
        check_tags(&secret.tags)?;
        Ok(Done::changed(json!({})))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UntagResource {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(crate) fn untag(store: &mut Store, now: Timestamp, request: &UntagResource) -> Outcome {
    store.edit(&request.secret_id, now, |secret, _| {
        secret.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(Done::changed(json!({})))
    })
}

fn named(secret: &Secret, version: Option<&str>) -> Value {
    let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
    if let Some(version) = version {
        answer["VersionId"] = json!(version);
    }
    answer
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_valid = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-!".contains(letter);
    if name.is_empty() || name.len() > 512 || !name.chars().all(is_valid) {
        return Err(Refusal::validation(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), Refusal> {
    if label.is_empty() || label.chars().count() > 256 {
        return Err(Refusal::validation("'versionStage' failed to satisfy constraint: 1 to 256 characters"));
    }
    Ok(())
}

fn no_token() -> Refusal {
    Refusal::request("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
}

fn token(token: Option<String>, is_needed: bool) -> Result<Option<String>, Refusal> {
    match token {
        None if is_needed => Err(no_token()),
        Some(token) if !(32..=64).contains(&token.chars().count()) => {
            Err(Refusal::parameter("ClientRequestToken must be 32-64 characters long."))
        }
        token => Ok(token),
    }
}

fn content(text: Option<String>, binary: Option<String>) -> Result<Option<Content>, Refusal> {
    let content = match (text, binary) {
        (Some(_), Some(_)) => {
            return Err(Refusal::parameter("You can't specify both a binary secret value and a string secret value."));
        }
        (None, None) => return Ok(None),
        (Some(text), None) => Content::Text(text),
        (None, Some(binary)) => {
            let bytes = BASE64_STANDARD.decode(binary);
            Content::Binary(bytes.map_err(|_| Refusal::new("SerializationException", "SecretBinary is not base64"))?)
        }
    };
    let size = match &content {
        Content::Text(text) => text.len(),
        Content::Binary(bytes) => bytes.len(),
    };
    match size {
        0 => Err(Refusal::validation("'secretString' failed to satisfy constraint: Minimum length of 1")),
        1..=VALUE_LIMIT => Ok(Some(content)),
        _ => Err(Refusal::validation("'secretString' failed to satisfy constraint: Maximum length of 65536")),
    }
}

fn tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Refusal> {
    let tags = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    check_tags(&tags)?;
    Ok(tags)
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let is_valid = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256 && !key.starts_with("aws:")
    };
    if tags.len() > 50 || !tags.iter().all(is_valid) {
        return Err(Refusal::parameter("A tag is not valid, or there are more than 50."));
    }
    Ok(())
}
