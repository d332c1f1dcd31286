//! Filters that no index knows: so far back and no further, and whatever the case of a letter.

use super::*;
use crate::domain::ids::SuppressionId;
use crate::domain::page::{Cursor, Page};
use crate::domain::suppression::Suppression;
use crate::store::engine::sql::values;

/// More than one page looks at.
const MANY: i64 = 2100;

impl House {
    /// Suppressions of these names, oldest first.
    async fn suppress_all(&self, names: Vec<String>) {
        let tenant = self.tenant.tenant_id().uuid();
        let work = self.writer().edit(work!([names], async |tx| {
                for (n, name) in (0_i64..).zip(names) {
                    let insert = "INSERT INTO suppressions (id, tenant_id, channel, address, address_hash, source, \
                                  name, reason, created_by, created_at, scope) \
                                  VALUES ($1, $2, 'sms', $3, $5, 'hand', $4, '', '', 0, '')";
                    let id = SuppressionId::new(later(n)).uuid();
                    let address = format!("+44{n}");
                    let hash = hasher().hash(Channel::Sms, &address);
                    let row = values![id, tenant, address, name, hash];
                    tx.exec(insert, row).await?;
                }
                Ok(())
            }));
        work.await.unwrap();
    }

    async fn looked_for(&self, text: &str, cursor: Cursor) -> Page<Suppression> {
        let filter = SuppressionFilter {
            text: text.to_owned(),
            source: None,
        };
        let page = self.tenant.suppressions(&filter, cursor, 50);
        page.await.unwrap()
    }
}

#[tokio::test]
async fn a_search_looks_so_far_back_and_goes_on_from_there() {
    let house = House::open().await;
    let others = (0..MANY).map(|n| format!("Nobody {n}"));
    let names = std::iter::once("Bowman".to_owned()).chain(others);
    house.suppress_all(names.collect()).await;
    let first = house.looked_for("bowman", Cursor::Newest).await;
    assert!(first.rows.is_empty());
    let back_to = first.searched_to.expect("it did not look at all of them");
    assert!(back_to > now() && back_to < later(MANY), "{back_to}");
    let next = house.looked_for("bowman", first.older.unwrap()).await;
    assert_eq!(next.rows.len(), 1);
    assert_eq!((next.older, next.searched_to), (None, None));
    // And forward again.
    let newer = house.looked_for("bowman", next.newer.unwrap()).await;
    assert!(newer.rows.is_empty() && newer.newer.is_some());
    // A page that is full needs to look no further.
    let full = house.looked_for("nobody", Cursor::Newest).await;
    assert_eq!((full.rows.len(), full.searched_to), (50, None));
}

#[tokio::test]
async fn a_search_knows_every_letter_in_both_cases_and_takes_signs_as_they_are() {
    let house = House::open().await;
    let name = "Jürgen Ćosić & Söhne [50%_*?.!\\^$]";
    house.suppress_all(vec![name.to_owned()]).await;
    for found in [
        "jürgen",
        "JÜRGEN",
        "ćOSIĆ",
        "SÖHNE [50%",
        "_*?.",
        "!\\^$]",
        "& s",
    ] {
        let page = house.looked_for(found, Cursor::Newest).await;
        assert_eq!(page.rows.len(), 1, "{found}");
    }
    for missing in [
        "jurgen", "J.rgen", "%gen", "_ürgen", "J*n", "[a-z]", "50%_%",
    ] {
        let page = house.looked_for(missing, Cursor::Newest).await;
        assert_eq!(page.rows.len(), 0, "{missing}");
    }
}
