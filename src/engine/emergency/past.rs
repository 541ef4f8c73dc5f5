//! What the chain of events tells of an emergency that was begun before.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::audit::Row;
use crate::domain::emergency::{Ledger, Told, Wave};

/// An emergency of which nothing was heard for so long is over: the same command is then about another one, and whoever was
/// rotated in the meantime is rotated again.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// An emergency that was begun and not ended.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its id.
    pub id: Uuid,
    /// The one tenant that it is about.
    pub tenant: Option<String>,
    /// When it began, by this machine's clock.
    pub began: Timestamp,
    /// When it was last heard of.
    pub last: Timestamp,
    /// The number of its first row.
    pub seq: i64,
    /// Who began it and went on with it, in their order.
    pub calls: Vec<Call>,
    /// The waves of all its runs.
    pub waves: Vec<Wave>,
    /// Who has had a new password since.
    pub ledger: Ledger,
}

/// Who asked for a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Call {
    /// When.
    pub at: Timestamp,
    /// Who or what, and what for.
    pub cause: Value,
}

/// A row, as far as it matters here.
#[derive(Deserialize)]
struct Entry {
    at: Timestamp,
    what: String,
    account: Option<String>,
    #[serde(default)]
    detail: Detail,
    #[serde(default)]
    cause: Value,
}

#[derive(Deserialize, Default)]
struct Detail {
    token: Option<String>,
    repeats: Option<String>,
    emergency: Option<Which>,
    wave: Option<Wave>,
}

#[derive(Deserialize)]
struct Which {
    id: Uuid,
    tenant: Option<String>,
}

impl Past {
    /// Takes note of the next row about emergencies. `past` is the emergency of this tenant (or of all) that is not ended, if there
    /// is one.
    pub fn note(past: &mut Option<Self>, tenant: Option<&str>, row: &Row) {
        // A row that cannot be read tells nothing; `audit verify` names it.
        let Ok(Entry { at, what, detail, cause, .. }) = serde_json::from_str(&row.text) else { return };
        let Some(which) = detail.emergency.filter(|which| which.tenant.as_deref() == tenant) else { return };
        if what == "emergency-began" {
            let (calls, waves, ledger) = (vec![Call { at, cause }], Vec::new(), Ledger::default());
            let Which { id, tenant } = which;
            *past = Some(Self { id, tenant, began: at, last: at, seq: row.seq, calls, waves, ledger });
            return;
        }
        let Some(known) = past.as_mut().filter(|known| known.id == which.id) else { return };
        known.last = at;
        match what.as_str() {
            "emergency-resumed" => known.calls.push(Call { at, cause }),
            "emergency-wave" => known.waves.extend(detail.wave),
            "emergency-ended" => *past = None,
            _ => {}
        }
    }

    /// Takes note of the next row behind the first of the emergency.
    pub fn note_account(&mut self, row: &Row) {
        let Ok(Entry { what, account: Some(account), detail, .. }) = serde_json::from_str(&row.text) else { return };
        let told = match (what.as_str(), detail.token.as_deref()) {
            ("staged" | "superseded", Some(token)) => Told::Staged(token, detail.repeats.as_deref()),
            ("rotated" | "rotated-elsewhere", Some(token)) => Told::Rotated(token),
            ("unfinished" | "failed" | "frozen" | "held", _) => Told::Failed,
            _ => return,
        };
        self.ledger.note(&account, told);
    }

    /// Whether it was given up: nothing was heard of it for a day.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) > OVER_AFTER
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "11111111-1111-4111-8111-111111111111";
    const TWO: &str = "22222222-2222-4222-8222-222222222222";

    fn row(seq: i64, what: &str, detail: &Value) -> Row {
        let text = json!({ "seq": seq, "at": "2026-01-01T00:00:00.000Z", "what": what, "account": null, "detail": detail,
                           "cause": { "by": "command", "user": "minji" } });
        Row { seq, text: text.to_string(), hash: String::new() }
    }

    fn about(id: &str, tenant: Option<&str>) -> Value {
        json!({ "emergency": { "id": id, "tenant": tenant, "canary": 1, "halt_at": "5%" } })
    }

    fn found(rows: &[Row], tenant: Option<&str>) -> Option<Past> {
        let mut past = None;
        for row in rows {
            Past::note(&mut past, tenant, row);
        }
        past
    }

    #[test]
    fn an_emergency_is_unended_from_its_beginning_to_its_end_for_the_same_tenants() {
        let rows = [
            row(1, "emergency-began", &about(ONE, None)),
            row(2, "emergency-halted", &about(ONE, None)),
            row(3, "emergency-began", &about(TWO, Some("main"))),
            row(4, "emergency-resumed", &about(ONE, None)),
            row(5, "emergency-ended", &about(ONE, None)),
        ];
        for (rows, tenant, id) in [
            (&rows[..0], None, None),
            (&rows[..1], None, Some(ONE)),
            (&rows[..1], Some("main"), None),
            (&rows[..4], None, Some(ONE)),
            (&rows[..4], Some("main"), Some(TWO)),
            (&rows[..5], None, None),
            (&rows[..5], Some("main"), Some(TWO)),
            (&rows[..5], Some("other"), None),
        ] {
            let past = found(rows, tenant);
            assert_eq!(past.map(|past| past.id.to_string()).as_deref(), id, "{} rows, {tenant:?}", rows.len());
        }
        let past = found(&rows[..4], None).unwrap();
        assert_eq!((past.seq, past.calls.len(), &past.calls[0].cause["user"]), (1, 2, &json!("minji")));
    }

    #[test]
    fn a_row_that_is_broken_or_another_programs_tells_nothing() {
        let broken = Row { seq: 1, text: "{".to_owned(), hash: String::new() };
        let strange = row(2, "emergency-began", &json!({ "emergency": "all" }));
        assert!(found(&[broken.clone(), strange], None).is_none());
        let mut past = found(&[row(1, "emergency-began", &about(ONE, None))], None).unwrap();
        past.note_account(&broken);
    }

    #[test]
    fn a_day_after_it_was_last_heard_of_it_is_over() {
        let mut past = found(&[row(1, "emergency-began", &about(ONE, None))], None).unwrap();
        let hours = |hours| past.began.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let (day, later, before) = (hours(24), hours(25), hours(-9));
        assert!(!past.is_over(day) && past.is_over(later) && !past.is_over(before));
        past.last = later;
        assert!(!past.is_over(later));
    }
}
