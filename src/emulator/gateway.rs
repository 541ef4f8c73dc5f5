//! One request's way: which call is it, what goes wrong with it on purpose, may it, and what does the service say?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::accounts::Accounts;
use super::book::{Named, Plain};
use super::call::{Api, Call, NoRoute, Route, route};
use super::clock::GatewayTime;
use super::data_forest;
use super::fault::{CheckedAt, Delay, Fault, Hold};
use super::format::{Format, Voice};
use super::gate::Gate;
use super::keys::Roles;
use super::log::{Entry, Log, PASSWORD_IN_URL};
use super::programme::Faults;
use super::reply::Reply;
use super::sub_account;
use super::sub_account_v2;
use crate::domain::account::Kind;
use crate::domain::signature::TIMESTAMP_HEADER;
use crate::ports::entropy::Entropy;

/// The provider behind one listener.
pub(super) struct Gateway {
    pub(super) gate: Gate,
    /// The server roles that the test door plays the metadata service for.
    pub(super) roles: Roles,
    pub(super) service: Service,
    pub(super) time: GatewayTime,
    pub(super) faults: Faults,
    /// Kept only while the test door is open.
    pub(super) log: Option<Log>,
    /// The quirk that the password in use is refused like an unsafe one.
    pub(super) refuse_same: AtomicBool,
    /// Its number goes up whenever held requests are released.
    pub(super) released: watch::Sender<u64>,
    /// Ends the waiting of delayed and held requests, which are then dropped.
    pub(super) stop: CancellationToken,
}

/// What the services stand on.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) accounts: Accounts,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Whether old passwords are kept.
    pub(super) remember: bool,
}

/// A request, read whole.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// None if it was larger than a gateway takes.
    pub(super) body: Option<Bytes>,
}

/// What becomes of a request.
enum Ending {
    Answer(Reply),
    /// The connection closes without a byte.
    Hangup,
}

/// A call that was carried out.
pub(super) struct Done {
    reply: Reply,
    changed: bool,
}

impl Done {
    /// The answer to a question.
    pub(super) const fn read(data: Value) -> Self {
        Self { reply: Reply::ok(data), changed: false }
    }

    /// The answer to a change that was made.
    pub(super) const fn changed(data: Value) -> Self {
        Self { reply: Reply::ok(data), changed: true }
    }
}

impl Gateway {
    /// Carries one request out. Without an answer the connection closes without a byte.
    pub(super) async fn answer(&self, asked: &Asked) -> Option<Response> {
        let arrival = Arrival { mark: self.time.mark(), released: self.released.subscribe() };
        let route = route(&asked.method, asked.uri.path());
        let mentioned = Mentioned::by(asked, route.as_ref().ok());
        let account = self.account(&mentioned).await;
        let fault = route.as_ref().ok().and_then(|route| self.faults.take(route.call, account.as_ref()));
        let seq = self
            .log
            .as_ref()
            .map(|log| log.arrived(self.entry(asked, route.as_ref().ok(), &mentioned, account, fault.as_ref())));
        let known = route.as_ref().ok().cloned();
        let (ending, changed) = match route {
            Ok(route) => self.work(asked, arrival, route, fault, &mentioned).await,
            Err(no_route) => (Ending::Answer(unroutable(no_route)), false),
        };
        let voice = || Voice::new(known.as_ref(), &asked.headers, asked.uri.path(), self.time.now());
        let answer = match ending {
            Ending::Answer(reply) => Some(voice().say(reply)),
            Ending::Hangup => None,
        };
        let status = answer.as_ref().map(|answer| answer.status().as_u16());
        if let (Some(log), Some(seq)) = (&self.log, seq) {
            log.ended(seq, changed, status);
        }
        tracing::debug!(
            event = "emulator-answered",
            method = asked.method,
            path = asked.uri.path(),
            status,
            changed,
            "the emulator answered"
        );
        answer
    }

    /// Lets every held request go on.
    pub(super) fn release(&self) {
        self.released.send_modify(|times| *times += 1);
    }

    async fn work(
        &self,
        asked: &Asked,
        arrival: Arrival,
        route: Route,
        fault: Option<Fault>,
        mentioned: &Mentioned,
    ) -> (Ending, bool) {
        let (fault, checked) = match self.wait_out(asked, arrival, route.call, fault).await {
            Ok(waited) => waited,
            Err(ending) => return (ending, false),
        };
        if fault == Some(Fault::DropBefore) {
            return (Ending::Hangup, false);
        }
        let admitted = if checked { Ok(()) } else { self.check(asked, route.call) };
        let submitted = mentioned.password.as_ref().map_or("", |Plain(password)| password.expose());
        let refusal = || refused_password(route.call, submitted);
        let instead = || fault.as_ref().and_then(|fault| fault.instead(refusal, submitted));
        if let Some(reply) = admitted.err().or_else(instead) {
            return (Ending::Answer(reply), false);
        }
        let refuse_same = self.refuse_same.load(Ordering::Relaxed) || fault == Some(Fault::RefuseSame);
        let (reply, changed) = match self.serve(asked, route, refuse_same).await {
            Ok(done) => (done.reply, done.changed),
            Err(refusal) => (refusal, false),
        };
        let said = match &fault {
            Some(fault) => fault.afterwards(reply, submitted),
            None => Some(reply),
        };
        (said.map_or(Ending::Hangup, Ending::Answer), changed)
    }

    /// Waits for as long as the fault asks; returns what goes wrong then, and whether the signature was checked already.
    async fn wait_out(
        &self,
        asked: &Asked,
        mut arrival: Arrival,
        call: Call,
        fault: Option<Fault>,
    ) -> Result<(Option<Fault>, bool), Ending> {
        let mut next = fault;
        let mut checked = false;
        let mut delay = Duration::ZERO;
        loop {
            let (more, checked_at, then) = match next {
                Some(Fault::Delay(Delay { ms, checked_at, then })) => {
                    (Some(Duration::from_millis(ms)), checked_at, then)
                }
                Some(Fault::Hold(Hold { checked_at, then })) => (None, checked_at, then),
                other => return Ok((other, checked)),
            };
            if checked_at == CheckedAt::Arrival && !checked {
                self.check(asked, call).map_err(Ending::Answer)?;
                checked = true;
            }
            delay += more.unwrap_or_default();
            let waited = async {
                match more {
                    Some(_) => self.time.sleep_since(arrival.mark, delay).await,
                    // The sender is the gateway's own, so that this ends with a release only.
                    None => drop(arrival.released.changed().await),
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return Err(Ending::Hangup),
                () = waited => {}
            }
            next = then.map(|fault| *fault);
        }
    }

    fn check(&self, asked: &Asked, call: Call) -> Result<(), Reply> {
        self.gate.check(&asked.method, asked.target(), &asked.headers, self.time.now())?;
        self.gate.rights.check(call)
    }

    async fn serve(&self, asked: &Asked, route: Route, refuse_same: bool) -> Result<Done, Reply> {
        let Some(body) = &asked.body else { return Err(Reply::too_large()) };
        let format = match Format::of_request(&asked.headers, route.api) {
            Some(format) => format,
            None if route.call.has_body() => return Err(Reply::unsupported_media_type()),
            None => Format::Json,
        };
        let (service, accounts) = (&self.service, &self.service.accounts);
        let v2 = route.api == Api::SubAccountV2;
        let id = route.id.unwrap_or_default();
        match route.call {
            Call::SubAccounts if v2 => sub_account_v2::list(accounts, &asked.uri).await,
            Call::SubAccounts => sub_account::list(accounts, &asked.uri).await,
            Call::SubAccount => sub_account::detail(accounts, id).await,
            Call::Password if v2 => sub_account_v2::reset_password(service, id, format, body, refuse_same).await,
            Call::Password => sub_account::set_password(service, id, format, body, refuse_same).await,
            Call::PasswordPolicy if v2 => sub_account_v2::password_policy(accounts).await,
            Call::PasswordPolicy => sub_account::password_policy(accounts).await,
            Call::SetPasswordPolicy if v2 => sub_account_v2::set_password_policy(accounts, format, body).await,
            Call::SetPasswordPolicy => sub_account::set_password_policy(accounts, format, body).await,
            Call::LoginAlias => sub_account::login_alias(accounts).await,
            Call::SetLoginAlias => sub_account::set_login_alias(accounts, format, body).await,
            Call::CheckPassword => sub_account::check_password(&asked.uri),
            Call::GetList => data_forest::list(accounts, format, body).await,
            Call::ResetPassword => data_forest::reset_password(service, format, body, refuse_same).await,
            Call::GetDetail => data_forest::detail(accounts, format, body).await,
        }
    }

    async fn account(&self, mentioned: &Mentioned) -> Option<Named> {
        let (kind, id) = mentioned.account.clone()?;
        self.service.accounts.read(move |book| book.find_by_id(kind, &id)).await.ok().flatten()
    }

    fn entry(
        &self,
        asked: &Asked,
        route: Option<&Route>,
        mentioned: &Mentioned,
        account: Option<Named>,
        fault: Option<&Fault>,
    ) -> Entry {
        let password = mentioned.password.as_ref();
        Entry {
            time: self.time.now(),
            method: asked.method.clone(),
            target: asked.loggable_target(route).to_owned(),
            call: route.map(|route| route.call.label()),
            account: account.map(|account| account.name),
            account_id: mentioned.account.as_ref().map(|(_, id)| id.clone()),
            signed_at: asked.headers.get(TIMESTAMP_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned),
            password_sha256: password.map(|Plain(password)| hex(&Sha256::digest(password.expose().as_bytes()))),
            fault: fault.map(Fault::label),
            flag: route.filter(|route| route.call == Call::CheckPassword).map(|_| PASSWORD_IN_URL),
            ..Entry::default()
        }
    }
}

/// What a request's waiting counts from: taken before anybody can see in the log that it came.
struct Arrival {
    mark: Duration,
    released: watch::Receiver<u64>,
}

impl Asked {
    /// Path and query as they came, which is what was signed.
    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The same without a query that may bring a password.
    fn loggable_target(&self, route: Option<&Route>) -> &str {
        let names_one = self.uri.query().is_some_and(|query| query.to_ascii_lowercase().contains("password"));
        let brings_one = names_one || route.is_some_and(|route| route.call == Call::CheckPassword);
        if brings_one { self.uri.path() } else { self.target() }
    }
}

/// What a request is about, as far as it can be seen before it is understood.
struct Mentioned {
    account: Option<(Kind, String)>,
    password: Option<Plain>,
}

/// The parts of a body that name an account or bring a password, in either service.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    id: Option<String>,
    password: Option<Plain>,
    new_password: Option<Plain>,
}

impl Mentioned {
    fn by(asked: &Asked, route: Option<&Route>) -> Self {
        let Some(route) = route else { return Self { account: None, password: None } };
        let parts: Parts = match (&asked.body, Format::of_request(&asked.headers, route.api)) {
            (Some(body), Some(format)) if route.call.has_body() => format.decode(body).unwrap_or_default(),
            _ => Parts::default(),
        };
        let kind = route.call.kind();
        let (id, password) = match kind {
            Kind::SubAccount => (route.id.clone(), parts.new_password),
            Kind::DataForest => (parts.id, parts.password),
        };
        Self { account: id.map(|id| (kind, id)), password: password.filter(|_| route.call.sets_password()) }
    }
}

fn unroutable(no_route: NoRoute) -> Reply {
    match no_route {
        NoRoute::UnknownPath => Reply::not_found(),
        NoRoute::WrongMethod(allow) => Reply::method_not_allowed(allow),
    }
}

/// The refusal of a password, in its service's words.
fn refused_password(call: Call, submitted: &str) -> Reply {
    match call.kind() {
        _ if !call.sets_password() => Reply::bad_request("Refused by a fault rule."),
        Kind::SubAccount => sub_account::unsafe_password(),
        Kind::DataForest => data_forest::refused_password(submitted),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
