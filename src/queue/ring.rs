//! Turns: the ready jobs of a queue in the process, one line per tenant.
//!
//! A tenant stands in the ring exactly as long as it has something ready, so a turn costs the same
//! with one tenant as with a hundred thousand, and an idle tenant costs nothing.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::Lane;

/// While retries wait, so many fresh jobs of the tenant go before one of them.
const FRESH_IN_A_ROW: u8 = 3;

/// The ready items of all tenants.
#[derive(Debug)]
pub(super) struct Ring<T> {
    lines: HashMap<Uuid, Line<T>>,
    order: VecDeque<Uuid>,
}

#[derive(Debug)]
struct Line<T> {
    fresh: VecDeque<T>,
    retry: VecDeque<T>,
    fresh_in_a_row: u8,
}

impl<T> Ring<T> {
    pub(super) fn new() -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Puts `item` at the end of its tenant's lane.
    pub(super) fn push(&mut self, tenant: Uuid, lane: Lane, item: T) {
        let waiting = self.lines.entry(tenant).or_insert_with(|| {
            self.order.push_back(tenant);
            Line {
                fresh: VecDeque::new(),
                retry: VecDeque::new(),
                fresh_in_a_row: 0,
            }
        });
        match lane {
            Lane::Fresh => waiting.fresh.push_back(item),
            Lane::Retry => waiting.retry.push_back(item),
        }
    }

    /// One item of the tenant whose turn it is, who then goes to the end of the ring.
    pub(super) fn next(&mut self) -> Option<T> {
        let tenant = self.order.pop_front()?;
        let line = self.lines.get_mut(&tenant)?;
        let item = line.next();
        if line.fresh.is_empty() && line.retry.is_empty() {
            self.lines.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        item
    }
}

impl<T> Line<T> {
    fn next(&mut self) -> Option<T> {
        let retry_is_due = self.fresh.is_empty() || self.fresh_in_a_row >= FRESH_IN_A_ROW;
        if retry_is_due && let Some(item) = self.retry.pop_front() {
            self.fresh_in_a_row = 0;
            return Some(item);
        }
        self.fresh_in_a_row = if self.retry.is_empty() {
            0
        } else {
            self.fresh_in_a_row + 1
        };
        self.fresh.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant(number: u8) -> Uuid {
        Uuid::from_u128(u128::from(number))
    }

    #[test]
    fn every_fourth_turn_of_a_busy_tenant_is_a_retry() {
        let mut ring = Ring::new();
        for n in 0..7 {
            ring.push(tenant(1), Lane::Fresh, format!("f{n}"));
        }
        for n in 0..3 {
            ring.push(tenant(1), Lane::Retry, format!("r{n}"));
        }
        let served: Vec<_> = std::iter::from_fn(|| ring.next()).collect();
        assert_eq!(
            served,
            ["f0", "f1", "f2", "r0", "f3", "f4", "f5", "r1", "f6", "r2"]
        );
    }

    #[test]
    fn a_served_tenant_leaves_nothing_behind() {
        let mut ring = Ring::new();
        ring.push(tenant(1), Lane::Retry, ());
        assert_eq!(ring.next(), Some(()));
        assert!(ring.is_empty() && ring.lines.is_empty());
        assert_eq!(ring.next(), None);
    }

    #[derive(Debug, Clone)]
    enum Move {
        Push(u8, Lane),
        Next,
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let lane = prop_oneof![Just(Lane::Fresh), Just(Lane::Retry)];
        let one = prop_oneof![
            3 => (0_u8..8, lane).prop_map(|(who, lane)| Move::Push(who, lane)),
            2 => Just(Move::Next),
        ];
        prop::collection::vec(one, 0..400)
    }

    proptest! {
        /// Whoever stands in the ring is served before anyone else is served twice; nothing is
        /// lost, and a lane keeps its order.
        #[test]
        fn whatever_happens_everyone_has_a_turn(moves in moves()) {
            let mut ring = Ring::new();
            let mut waiting: HashMap<u8, (VecDeque<usize>, VecDeque<usize>)> = HashMap::new();
            let mut turns_left: HashMap<u8, usize> = HashMap::new();
            for (number, made) in moves.into_iter().enumerate() {
                match made {
                    Move::Push(who, lane) => {
                        ring.push(tenant(who), lane, (who, lane, number));
                        let lanes = waiting.entry(who).or_default();
                        match lane {
                            Lane::Fresh => lanes.0.push_back(number),
                            Lane::Retry => lanes.1.push_back(number),
                        }
                        let size = turns_left.len() + 1;
                        turns_left.entry(who).or_insert(size);
                    }
                    Move::Next => {
                        let Some((who, lane, number)) = ring.next() else {
                            prop_assert!(turns_left.is_empty());
                            continue;
                        };
                        let lanes = waiting.get_mut(&who).unwrap();
                        let expected = match lane {
                            Lane::Fresh => lanes.0.pop_front(),
                            Lane::Retry => lanes.1.pop_front(),
                        };
                        prop_assert_eq!(expected, Some(number));
                        turns_left.remove(&who);
                        for left in turns_left.values_mut() {
                            *left -= 1;
                            prop_assert!(*left > 0, "somebody waited longer than the ring is long");
                        }
                        if !lanes.0.is_empty() || !lanes.1.is_empty() {
                            turns_left.insert(who, turns_left.len() + 1);
                        }
                    }
                }
            }
            let rest = std::iter::from_fn(|| ring.next()).count();
            let expected: usize = waiting.values().map(|(a, b)| a.len() + b.len()).sum();
            prop_assert_eq!(rest, expected);
        }
    }
}
