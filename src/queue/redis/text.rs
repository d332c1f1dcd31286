//! Jobs, instants and tokens as they stand in Redis.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::queue::{Job, Kind, LeaseToken};

/// Scores are floats; beyond this they no longer tell neighbours apart. It is in the year 2255.
const LAST_INSTANT: i64 = (1 << 53) - 1;

/// How many digits of a token say its shard.
const SHARD_BITS: u32 = 16;

/// `<tenant>.<ids>.<kind>`: equal jobs have equal texts. The scripts read the tenant's 32 digits.
pub(super) fn of_job(job: &Job) -> String {
    let mut text = String::with_capacity(34 + 32 * job.ids.len() + job.kind.as_str().len());
    text.push_str(id_text(&job.tenant, &mut Uuid::encode_buffer()));
    text.push('.');
    for id in &job.ids {
        text.push_str(id_text(id, &mut Uuid::encode_buffer()));
    }
    text.push('.');
    text.push_str(job.kind.as_str());
    text
}

fn id_text<'a>(id: &Uuid, buffer: &'a mut [u8; 45]) -> &'a str {
    id.simple().encode_lower(buffer)
}

/// The job of a text; none when something else has written it.
pub(super) fn to_job(text: &str) -> Option<Job> {
    let (tenant, rest) = text.split_once('.')?;
    let (ids, kind) = rest.split_once('.')?;
    let id = |digits: &[u8]| Uuid::try_parse_ascii(digits).ok();
    let ids: Option<Vec<_>> = ids.as_bytes().chunks(32).map(id).collect();
    Some(Job::new(
        Kind::from(kind.to_owned()),
        id(tenant.as_bytes())?,
        ids?,
    ))
}

/// Whole microseconds since 1970.
pub(super) fn of_instant(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros().clamp(0, LAST_INSTANT)
}

/// The instant of so many microseconds.
pub(super) fn to_instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The instant of a score.
pub(super) fn of_score(score: f64) -> DateTime<Utc> {
    to_instant(format!("{score:.0}").parse().unwrap_or(LAST_INSTANT))
}

/// The beginning of the tokens of one call: the shard, and chance. The number of the lease in the
/// call, eight digits, makes it whole.
pub(super) fn new_salt(shard: u16) -> String {
    let chance = Uuid::new_v4().simple().to_string();
    format!("{shard:04x}{}", &chance[12..])
}

/// The tokens that a call with this salt may have made.
pub(super) fn tokens(salt: &str, count: usize) -> impl Iterator<Item = LeaseToken> {
    (0..count).filter_map(move |n| to_token(&format!("{salt}{n:08x}")))
}

pub(super) fn to_token(text: &str) -> Option<LeaseToken> {
    Uuid::try_parse(text).ok().map(LeaseToken)
}

pub(super) fn of_token(token: LeaseToken) -> String {
    token.0.simple().to_string()
}

/// On which shard a token was made.
pub(super) fn shard_of(token: LeaseToken) -> usize {
    usize::try_from(token.0.as_u128() >> (128 - SHARD_BITS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_job_is_equal_to_itself_after_a_journey(
            kind in ".{0,12}", tenant: u128, ids in prop::collection::vec(any::<u128>(), 0..4)
        ) {
            let ids: Vec<_> = ids.into_iter().map(Uuid::from_u128).collect();
            let job = Job::new(Kind::from(kind), Uuid::from_u128(tenant), ids);
            prop_assert_eq!(to_job(&of_job(&job)), Some(job));
        }
    }

    #[test]
    fn what_is_no_job_is_none() {
        let tenant = Uuid::max().simple().to_string();
        for text in ["", "a.b.c", &format!("{tenant}.1.x"), &tenant] {
            assert_eq!(to_job(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_knows_its_shard() {
        let salt = new_salt(513);
        assert!(tokens(&salt, 3).all(|token| shard_of(token) == 513));
        assert_eq!(tokens(&salt, 3).count(), 3);
        assert_ne!(salt, new_salt(513));
    }

    #[test]
    fn an_instant_beyond_the_last_is_the_last() {
        assert_eq!(of_instant(DateTime::<Utc>::MAX_UTC), LAST_INSTANT);
        assert_eq!(of_instant(DateTime::<Utc>::MIN_UTC), 0);
        let now = to_instant(1_795_000_000_123_456);
        assert_eq!(to_instant(of_instant(now)), now);
        assert_eq!(of_score(1_795_000_000_123_456.0), now);
    }
}
