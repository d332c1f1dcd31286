//! The providers that addresses and pages name, by the stable word of their connections.

use crate::domain::connection::Provider;

pub(in crate::web) const TWILIO: Provider = Provider::named("twilio");
pub(in crate::web) const ZOHO: Provider = Provider::named("zoho");

#[cfg(test)]
mod tests {
    #[test]
    fn adapters_call_themselves_so() {
        assert_eq!(super::TWILIO, crate::twilio::PROVIDER);
        assert_eq!(super::ZOHO, crate::zoho::PROVIDER);
    }
}
