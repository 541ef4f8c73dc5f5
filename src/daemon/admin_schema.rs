//! What the admin socket can be asked for, as an `OpenAPI` document: made from the very types that are read and written.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::ask;
use super::history::HistoryAnswer;
use super::pausing::{PauseAsked, PauseReport, ResumeAsked, ResumeReport};
use super::reload::{ReloadAnswer, ReloadAsked};
use super::rotating::{RotateAsked, Told};
use crate::admin::api::{DAEMON, Greeting, LINES, Refusal, VERSION};
use crate::cli::status::StatusAnswer;
use crate::engine::ahead::{Explanation, PlanReport, PlanRequest};

/// Where schemas are kept within the document.
const SCHEMAS: &str = "/components/schemas";

/// The admin socket's document, as it is published in `docs/admin-api.json`.
#[must_use]
pub fn admin_api() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
        settings.transforms.push(Box::new(RecursiveTransform(in_one_line)));
    });
    let mut paths = Paths { generator: settings.into_generator(), found: Map::new() };
    paths.get::<Greeting>(DAEMON, "Which daemon it is, and what it works on", &json!([]));
    paths.get::<StatusAnswer>(ask::STATUS, "Where every account stands, as `status --json` tells it", &json!([]));
    paths.get::<HistoryAnswer>(
        ask::HISTORY,
        "What happened to one account, as `history --json` tells it",
        &json!([
            parameter("name", true, "A login id, a Data Forest name, tenant/kind/name, or the name of a secret"),
            parameter("since", false, "From when on, such as 2026-03-01T08:00:00+09:00; from the beginning without it"),
        ]),
    );
    paths.post::<PlanRequest, PlanReport>(
        ask::PLAN,
        JSON,
        "What rotates when, as `plan --json` tells it; changes nothing",
    );
    paths.get::<Explanation>(
        ask::EXPLAIN,
        "Why an account rotates when it does, as `explain --json` tells it",
        &json!([parameter("name", true, "A login id, a Data Forest name, tenant/kind/name, or the name of a secret")]),
    );
    paths.get::<PauseReport>(ask::PAUSES, "What is paused, as `pauses --json` tells it", &json!([]));
    paths.post::<RotateAsked, Told>(
        ask::ROTATE,
        LINES,
        "Rotates; an answer comes line by line, its last one is the whole",
    );
    paths.post::<PauseAsked, PauseReport>(
        ask::PAUSE,
        JSON,
        "Has no rotation begin of accounts, a tenant or everything",
    );
    paths.post::<ResumeAsked, ResumeReport>(ask::RESUME, JSON, "Takes a pause back");
    paths.post::<ReloadAsked, ReloadAnswer>(ask::RELOAD, JSON, "Reads the configuration again, and puts it in force");
    let Paths { mut generator, found } = paths;
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The admin socket of ncloud-rotator",
            "version": VERSION,
            "description": "HTTP/1.1 on a Unix socket, one request a connection. docs/admin.md tells who may ask, and how.",
        },
        "servers": [{ "url": "http://localhost" }],
        "paths": found,
        "components": { "schemas": generator.take_definitions(true) },
    })
}

/// The document's text, as it is published.
#[must_use]
pub fn admin_api_text() -> String {
    format!("{:#}\n", admin_api())
}

const JSON: &str = "application/json";

fn parameter(name: &str, required: bool, description: &str) -> Value {
    json!({
        "name": name, "in": "query", "required": required, "description": description, "schema": { "type": "string" },
    })
}

/// The operations, as they are gathered.
struct Paths {
    generator: SchemaGenerator,
    found: Map<String, Value>,
}

impl Paths {
    fn get<Answer: JsonSchema>(&mut self, path: &str, summary: &str, parameters: &Value) {
        let responses = self.responses::<Answer>(JSON);
        let operation = json!({ "get": { "summary": summary, "parameters": parameters, "responses": responses } });
        self.found.insert(path.to_owned(), operation);
    }

    fn post<Asked: JsonSchema, Answer: JsonSchema>(&mut self, path: &str, kind: &str, summary: &str) {
        let asked = self.generator.subschema_for::<Asked>();
        let body = json!({ "content": { JSON: { "schema": asked } } });
        let responses = self.responses::<Answer>(kind);
        let operation = json!({ "post": { "summary": summary, "requestBody": body, "responses": responses } });
        self.found.insert(path.to_owned(), operation);
    }

    fn responses<Answer: JsonSchema>(&mut self, kind: &str) -> Value {
        let (answer, refusal) = (self.generator.subschema_for::<Answer>(), self.generator.subschema_for::<Refusal>());
        json!({
            "200": { "description": "The answer", "content": { kind: { "schema": answer } } },
            "default": { "description": "A refusal", "content": { JSON: { "schema": refusal } } },
        })
    }
}

/// A comment's lines are broken for the source, and not for a reader.
fn in_one_line(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
