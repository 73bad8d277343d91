//! Paths under an observer who copies packets and forges their source.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use sortie_sealed::{AMPLIFICATION_LIMIT, CHANGE_INTERVAL, Challenge, Path};

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 4000))
}

/// An authentic packet arrives from one of four addresses, or the server wants to send.
#[derive(Debug, Clone)]
enum Step {
    Arrives { from: u8, newest: bool, bytes: usize, echo: Echo },
    Sends { bytes: usize },
    Passes { milliseconds: u64 },
}

#[derive(Debug, Clone, Copy)]
enum Echo {
    None,
    Right,
    Wrong,
}

fn steps() -> impl Strategy<Value = Step> {
    let echo = prop_oneof![3 => Just(Echo::None), 1 => Just(Echo::Right), 1 => Just(Echo::Wrong)];
    prop_oneof![
        (0..4u8, any::<bool>(), 25..200usize, echo).prop_map(|(from, newest, bytes, echo)| {
            Step::Arrives { from, newest, bytes, echo }
        }),
        (25..1200usize).prop_map(|bytes| Step::Sends { bytes }),
        (0..400u64).prop_map(|milliseconds| Step::Passes { milliseconds }),
    ]
}

/// Bytes received from and sent to an address while it was not proven.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    received: u64,
    sent: u64,
}

proptest! {
    #[test]
    fn an_unproven_address_gets_at_most_three_times_what_it_sent(steps in vec(steps(), 1..300)) {
        let mut now = Instant::now();
        let mut path = Path::new(address(0));
        let mut accounts: BTreeMap<SocketAddr, Account> = BTreeMap::new();
        let mut proven = address(0);
        let mut changed_at: Option<Instant> = None;
        let mut drawn = 0u64;
        for step in steps {
            match step {
                Step::Passes { milliseconds } => now += Duration::from_millis(milliseconds),
                Step::Sends { bytes } => {
                    let Some(to) = path.may_send(bytes) else { continue };
                    prop_assert_eq!(to, path.address());
                    if to != proven {
                        let account = accounts.entry(to).or_default();
                        account.sent += bytes as u64;
                        prop_assert!(account.sent <= AMPLIFICATION_LIMIT * account.received);
                    }
                }
                Step::Arrives { from, newest, bytes, echo } => {
                    let from = address(from);
                    let before = path.address();
                    let challenge = path.challenge();
                    let echo: Option<Challenge> = match echo {
                        Echo::None => None,
                        Echo::Right => challenge,
                        Echo::Wrong => Some([0xff; 8]),
                    };
                    accounts.entry(from).or_default().received += bytes as u64;
                    path.on_authenticated(now, from, newest, bytes, echo, || {
                        drawn += 1;
                        drawn.to_le_bytes()
                    });
                    if from == before && challenge.is_some() && echo == challenge {
                        proven = from;
                    }
                    prop_assert_eq!(path.is_proven(), path.address() == proven);
                    prop_assert_eq!(path.challenge().is_none(), path.is_proven());
                    if path.address() != before {
                        prop_assert!(newest && path.address() == from);
                        let rested = changed_at.is_none_or(|at| now - at >= CHANGE_INTERVAL);
                        prop_assert!(rested);
                        changed_at = Some(now);
                    }
                }
            }
        }
        prop_assert_eq!(drawn, path.changes());
    }
}

#[test]
fn a_challenge_serves_one_change_only() {
    let mut now = Instant::now();
    let mut path = Path::new(address(0));
    let mut number = 0u8;
    let mut arrive = |path: &mut Path, now, from, echo| {
        number += 1;
        path.on_authenticated(now, address(from), true, 100, echo, || [number; 8]);
    };
    arrive(&mut path, now, 1, None);
    let first = path.challenge();
    assert!(first.is_some());
    now += CHANGE_INTERVAL;
    arrive(&mut path, now, 2, None);
    assert_ne!(path.challenge(), first);
    arrive(&mut path, now, 2, first);
    assert!(!path.is_proven());
    let second = path.challenge();
    arrive(&mut path, now, 2, second);
    assert!(path.is_proven());
}
