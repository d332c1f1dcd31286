//! Room for bodies: what they may use together, and how much of it is anybody's.
//!
//! Whoever sends a body need not prove who they are before it is here, so the room is split by what the
//! sender cannot choose: the hook and its tenant, or the client's network. Room is taken as bytes arrive,
//! not as they are announced, or whoever announces and then trickles would keep everybody out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures::{Stream, StreamExt as _};

use crate::domain::ids::{ConnectionId, TenantId};

const KIB: usize = 1024;

/// What a buffer begins with. Beyond it, it is doubled, but never grows by more than [`STEP`] at once.
const FIRST: usize = 16 * KIB;
const STEP: usize = 256 * KIB;

/// Part of the room, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Share {
    /// Every webhook that is read but not yet committed.
    Webhooks,
    Tenant(TenantId),
    Hook(ConnectionId),
    /// Whatever is no webhook: forms, the API, what providers report. Apart, so that people can sign in
    /// while webhooks find no room, and the other way round.
    Others,
    /// Such bodies of one network.
    Network(IpAddr),
}

impl Share {
    const fn most_kib(self) -> usize {
        match self {
            Self::Webhooks => 64 * KIB,
            Self::Tenant(_) => 16 * KIB,
            Self::Hook(_) | Self::Others => 8 * KIB,
            Self::Network(_) => KIB,
        }
    }
}

/// What the bodies that are here may use together. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct IntakeBudget(Arc<Mutex<HashMap<Share, usize>>>);

/// An address's network: whoever has one address of a /64 has all of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl IntakeBudget {
    /// Room for a body that was sent to a hook; none is taken yet.
    pub fn of_hook(&self, tenant: TenantId, connection: ConnectionId) -> Room {
        let shares = [
            Share::Hook(connection),
            Share::Tenant(tenant),
            Share::Webhooks,
        ];
        self.room(shares.map(Some))
    }

    /// Room for any other body of a client; none is taken yet.
    pub fn of_client(&self, client: IpAddr) -> Room {
        let network = Share::Network(network(client));
        self.room([Some(network), Some(Share::Others), None])
    }

    fn room(&self, shares: [Option<Share>; 3]) -> Room {
        Room {
            budget: self.clone(),
            shares,
            kib: 0,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<Share, usize>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What one body uses; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    budget: IntakeBudget,
    shares: [Option<Share>; 3],
    kib: usize,
}

impl Room {
    /// Whether a body of this length would find room now. Nothing is taken for it.
    pub fn is_there_for(&self, bytes: usize) -> bool {
        let more = bytes.div_ceil(KIB).saturating_sub(self.kib);
        self.budget.with(|taken| self.has(taken, more))
    }

    /// Takes what is missing for so many bytes.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes.div_ceil(KIB).saturating_sub(self.kib);
        if more == 0 {
            return Ok(());
        }
        self.budget.with(|taken| {
            if !self.has(taken, more) {
                return Err(NoRoom);
            }
            for share in self.shares.into_iter().flatten() {
                *taken.entry(share).or_default() += more;
            }
            Ok(())
        })?;
        self.kib += more;
        Ok(())
    }

    /// Gives everything back.
    pub fn give_back(&mut self) {
        let kib = std::mem::take(&mut self.kib);
        if kib == 0 {
            return;
        }
        self.budget.with(|taken| {
            for share in self.shares.into_iter().flatten() {
                if let Some(of_it) = taken.get_mut(&share) {
                    *of_it = of_it.saturating_sub(kib);
                    if *of_it == 0 {
                        taken.remove(&share);
                    }
                }
            }
        });
    }

    fn has(&self, taken: &HashMap<Share, usize>, more: usize) -> bool {
        let taken = |share| taken.get(&share).copied().unwrap_or_default();
        let fits = |share: Share| taken(share) + more <= share.most_kib();
        self.shares.into_iter().flatten().all(fits)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    TooLarge,
    NoRoom,
    /// It ended before it was whole.
    Off,
}

impl From<NoRoom> for Broken {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// Reads a body of at most `most` bytes. One that was announced and cannot have room is not read at all.
/// The buffer grows in steps, and room is taken for all of it before it does.
pub async fn read(
    mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    announced: Option<usize>,
    most: usize,
    room: &mut Room,
) -> Result<Bytes, Broken> {
    let whole = announced.unwrap_or(most);
    if whole > most {
        return Err(Broken::TooLarge);
    }
    if announced.is_some_and(|length| !room.is_there_for(length)) {
        return Err(Broken::NoRoom);
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Broken::Off)?;
        let needed = body.len() + chunk.len();
        if needed > most {
            return Err(Broken::TooLarge);
        }
        if needed > body.capacity() {
            let capacity = grown(body.capacity(), needed, whole);
            room.grow_to(capacity)?;
            body.reserve_exact(capacity - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// The next capacity of a buffer for `needed` bytes of a `whole`.
fn grown(capacity: usize, needed: usize, whole: usize) -> usize {
    let step = (capacity * 2).clamp(FIRST, capacity.max(FIRST) + STEP);
    step.min(whole).max(needed)
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use uuid::Uuid;

    use super::*;

    const MIB: usize = KIB * KIB;

    fn hook(budget: &IntakeBudget, tenant: TenantId) -> Room {
        budget.of_hook(tenant, ConnectionId::from_uuid(Uuid::new_v4()))
    }

    fn tenant() -> TenantId {
        TenantId::from_uuid(Uuid::new_v4())
    }

    /// Bodies of a MiB each, until there is no room for another.
    fn filled(mut next: impl FnMut() -> Room) -> Vec<Room> {
        let mut rooms = Vec::new();
        loop {
            let mut room = next();
            if room.grow_to(MIB) == Err(NoRoom) {
                return rooms;
            }
            rooms.push(room);
        }
    }

    #[test]
    fn a_hook_has_8_mib_a_tenant_16_and_all_have_64() {
        let budget = IntakeBudget::default();
        let (acme, first, second) = (tenant(), ConnectionId::from_uuid(Uuid::new_v4()), tenant());
        let one_hook = filled(|| budget.of_hook(acme, first));
        assert_eq!(one_hook.len(), 8);
        let other_hooks = filled(|| hook(&budget, acme));
        assert_eq!(other_hooks.len(), 8);
        assert_eq!(filled(|| hook(&budget, second)).len(), 16);
        assert_eq!(filled(|| hook(&budget, tenant())).len(), 48);
        drop((one_hook, other_hooks));
        assert_eq!(filled(|| hook(&budget, tenant())).len(), 64);
        budget.with(|taken| assert!(taken.is_empty()));
    }

    #[test]
    fn webhooks_and_everything_else_leave_each_other_their_room() {
        let budget = IntakeBudget::default();
        let client = |n: u8| IpAddr::from([192, 0, 2, n]);
        let webhooks = filled(|| hook(&budget, tenant()));
        assert_eq!(webhooks.len(), 64);
        let one = filled(|| budget.of_client(client(1)));
        assert_eq!(one.len(), 1);
        let mut next = 1;
        let others = filled(|| {
            next += 1;
            budget.of_client(client(next))
        });
        assert_eq!(others.len(), 7);
        drop(webhooks);
        assert_eq!(filled(|| hook(&budget, tenant())).len(), 64);
    }

    #[test]
    fn the_addresses_of_one_network_share_its_room() {
        let budget = IntakeBudget::default();
        let at = |text: &str| budget.of_client(text.parse().unwrap());
        let mut first = at("2001:db8::1");
        first.grow_to(MIB).unwrap();
        assert!(!at("2001:db8::2").is_there_for(1));
        assert!(at("2001:db8:0:1::1").is_there_for(MIB));
        drop(first);
        assert!(at("2001:db8::2").is_there_for(MIB));
    }

    #[actix_web::test]
    async fn an_announced_body_without_room_is_not_read() {
        let budget = IntakeBudget::default();
        let (acme, id) = (tenant(), ConnectionId::from_uuid(Uuid::new_v4()));
        let mut held = budget.of_hook(acme, id);
        held.grow_to(7 * MIB + KIB).unwrap();
        let never = stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<Bytes, PayloadError>>> { panic!("it was read") },
        );
        let mut room = budget.of_hook(acme, id);
        let refused = read(never, Some(MIB), MIB, &mut room).await;
        assert_eq!(refused, Err(Broken::NoRoom));
        // Nobody announced this one, so it is read until there is no room.
        let chunks = (0..64).map(|_| Ok(Bytes::from(vec![b' '; 16 * KIB])));
        let refused = read(stream::iter(chunks), None, MIB, &mut room).await;
        assert_eq!(refused, Err(Broken::NoRoom));
        drop((held, room));
        budget.with(|taken| assert!(taken.is_empty()));
    }

    #[actix_web::test]
    async fn a_buffer_is_never_much_larger_than_what_has_arrived() {
        let budget = IntakeBudget::default();
        for announced in [Some(MIB), None] {
            let mut room = hook(&budget, tenant());
            let mut arrived = 0;
            let chunks = (0..700).map(|_| {
                // What was taken until now is for what has arrived until now.
                let taken = budget.with(|t| t.get(&Share::Webhooks).copied().unwrap_or_default());
                let most = (arrived * 2).clamp(FIRST, arrived + STEP + FIRST);
                assert!(taken * KIB <= most, "{taken} KiB for {arrived}");
                arrived += 1460;
                Ok(Bytes::from(vec![b'x'; 1460]))
            });
            let body = read(stream::iter(chunks), announced, MIB, &mut room).await;
            assert_eq!(body.unwrap().len(), 700 * 1460);
        }
        let mut room = hook(&budget, tenant());
        let small = stream::iter([Ok(Bytes::from_static(b"{}"))]);
        read(small, Some(2), MIB, &mut room).await.unwrap();
        assert_eq!(room.kib, 1);
    }
}
