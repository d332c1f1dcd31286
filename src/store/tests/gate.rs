//! The gate's function and the claim's statement agree, whatever stands in the database, and whatever moves
//! between the reading and the claim.

mod scene;
mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use self::scene::Scene;
use self::world::{Change, Flight, World};
use super::*;
use crate::domain::gate::Judgement;

/// How many are tried besides those in which only one thing moves.
const WORLDS: u32 = 300;

/// A message about which one or two things are not as in its kind, and one more that will move.
fn any_world() -> impl Strategy<Value = (World, Change)> {
    let kind = prop::sample::select(World::kinds());
    let is_so = prop::sample::subsequence(Change::ALL.to_vec(), 1..3);
    let moves = prop::sample::select(Change::ALL.to_vec());
    (kind, is_so, moves).prop_map(|(kind, is_so, moves)| {
        let world = is_so.into_iter().fold(kind, World::with);
        (world, moves)
    })
}

/// A thing moves between the reading and the claim, or none; whether the claim was granted.
async fn try_one(scene: &Scene<'_>, world: &World, moves: Option<Change>) -> bool {
    let (judgement, claim) = scene.judge(world).await;
    let context = format!("{world:?} {judgement:?}");
    assert_eq!(judgement == Judgement::Go, world.lets_go(), "{context}");
    if judgement != Judgement::Go {
        let result = scene.tenant.claim(claim).await.unwrap();
        let is_let_by = world.is_barred() && result == ClaimResult::Claimed;
        assert!(!is_let_by, "{context}, and yet: {result:?}");
        return false;
    }
    if world.flight == Flight::Clear {
        assert_eq!(scene.claim_by_stranger().await, ClaimResult::Refused);
    }
    let after = moves.map_or_else(|| world.clone(), |change| world.clone().with(change));
    scene.become_like(&after, Some(world)).await;
    let (again, _) = scene.judge(&after).await;
    let context = format!("{context} then {moves:?} {again:?}");
    assert_eq!(again == Judgement::Go, after.lets_go(), "{context}");
    // A rehearsal is read as it is now before it is claimed, so it never leaves with its commit.
    if !world.is_rehearsal {
        let leaves = scene.leaves_at_once(&after, claim.clone()).await;
        assert_eq!(
            leaves,
            after.as_new(world).grants(world),
            "at once: {context}"
        );
    }
    let result = scene.tenant.claim(claim).await.unwrap();
    let context = format!("{context}: {result:?}");
    let is_claimed = result == ClaimResult::Claimed;
    assert_eq!(is_claimed, after.grants(world), "{context}");
    if is_claimed {
        assert_eq!(scene.sending().await, 1, "others as well: {context}");
    }
    is_claimed
}

/// Each clause is the only one that stands against a message of each kind that it concerns: from the
/// beginning, and only once the message was found fit to go.
#[tokio::test(flavor = "multi_thread")]
async fn the_function_and_the_claim_agree_where_one_thing_is_different() {
    let house = House::open().await;
    let mut n = 0;
    for kind in World::kinds() {
        for change in Change::ALL {
            let world = kind.clone().with(change);
            let scene = Scene::of(&house, n, &world).await;
            try_one(&scene, &world, None).await;
            scene.become_like(&kind, Some(&world)).await;
            try_one(&scene, &kind, Some(change)).await;
            n += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_and_the_claim_agree_in_any_world() {
    let house = House::open().await;
    let mut runner = proptest::test_runner::TestRunner::default();
    let (worlds, mut claimed) = (any_world(), 0);
    for n in 0..WORLDS {
        let (world, moves) = worlds.new_tree(&mut runner).unwrap().current();
        let scene = Scene::of(&house, n, &world).await;
        claimed += u32::from(try_one(&scene, &world, Some(moves)).await);
    }
    assert!(claimed > 10, "{claimed}");
}
