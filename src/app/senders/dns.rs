//! How the DNS records of an e-mail sender's domain stand.

use crate::app::{App, AppError};
use crate::domain::ids::{SenderId, TenantId};
use crate::domain::sender_dns::{Answer, DnsRecord, judge, records};

impl App {
    /// The records that the provider wants of an e-mail sender's domain; looked up where `looks` says so.
    /// `digits` are those of the name for returns, as the provider's page tells them. None where DNS has
    /// nothing to do with it.
    pub async fn sender_dns(
        &self,
        tenant: TenantId,
        id: SenderId,
        (looks, digits): (bool, &str),
    ) -> Result<Vec<DnsRecord>, AppError> {
        let sender = self.sender_profile(tenant, id).await?;
        let kind = self.parts.transports.named(sender.transport);
        let needs = kind.and_then(|kind| kind.dns());
        let (Some(domain), Some(needs)) = (sender.address.domain(), needs) else {
            return Ok(Vec::new());
        };
        let (mut wanted, questions): (Vec<_>, Vec<_>) =
            records(&domain, needs, digits).into_iter().unzip();
        if !looks {
            return Ok(wanted);
        }
        let all: Vec<_> = questions.iter().flatten().cloned().collect();
        let mut answers = self.parts.dns.ask(&all).await.into_iter();
        for (record, asked) in wanted.iter_mut().zip(&questions) {
            let answers: Vec<Answer> = answers.by_ref().take(asked.len()).collect();
            record.state = judge(record, needs, &answers);
        }
        Ok(wanted)
    }
}
