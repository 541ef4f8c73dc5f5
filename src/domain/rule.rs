//! stub
use super::account::*;
use super::secret::*;
/// stub
#[derive(Debug, Clone)]
pub struct Rule {
    /// stub
    pub tenant: String,
    /// stub
    pub kind: Kind,
    /// stub
    pub policy: String,
    /// stub
    pub vault: String,
}
impl Rule {
    /// stub
    pub fn matches(&self, _a: &Account) -> bool {
        true
    }
    /// stub
    pub fn secret_for(&self, name: &AccountName, _id: &AccountId) -> Result<SecretName, BadSecretName> {
        name.to_string().parse()
    }
}
