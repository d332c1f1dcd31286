//! Lists of addresses that are searched by a part of one, or by the words beside it.

use sea_orm::Value;

use crate::domain::address::Email;
use crate::domain::address_hash::AddressHash;
use crate::domain::delivery::Channel;
use crate::domain::phone::{CountryCode, to_e164};
use crate::store::engine::keyset::Keyset;
use crate::store::engine::sql::{self, values};
use crate::store::{StoreError, TenantStore};

impl TenantStore {
    /// Keeps the rows that hold a text in their `words`, among which their address is. A whole address is
    /// found in any spelling, and when it was erased.
    pub(in crate::store) async fn search(
        &self,
        list: &mut Keyset<'_>,
        words: &str,
        text: &str,
    ) -> Result<(), StoreError> {
        let text = text.trim();
        let is_of_number = |c: char| c.is_ascii_digit() || " +-()./".contains(c);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let is_number = !digits.is_empty() && text.chars().all(is_of_number);
        let (column, part, hash) = if is_number {
            ("address", &*digits, self.hash_of_number(text).await?)
        } else {
            let email = Email::parse(text).ok();
            let hasher = self.hasher()?;
            let hash = email.map(|email| hasher.hash(Channel::Email, email.as_str()));
            (words, text, hash)
        };
        if part.is_empty() {
            return Ok(());
        }
        let (like, part) = sql::anywhere(self.db(), part);
        let mut such = values![part];
        such.extend(hash.map(Value::from));
        let is_whole = such.len() > 1;
        list.keep(such, |n| {
            if is_whole {
                format!("({column} {like} ${n} OR address_hash = ${})", n + 1)
            } else {
                format!("{column} {like} ${n}")
            }
        });
        Ok(())
    }

    /// The hash of what was typed, where it is a whole number.
    async fn hash_of_number(&self, text: &str) -> Result<Option<AddressHash>, StoreError> {
        let country = self.tenant().await?.map(|t| t.country);
        let country = country.and_then(|c| CountryCode::parse(&c).ok());
        let hasher = self.hasher()?;
        let number = to_e164(text, country).ok();
        Ok(number.map(|number| hasher.hash(Channel::Sms, number.as_str())))
    }
}
