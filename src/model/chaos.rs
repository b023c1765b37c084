//! What a run does to its own workers, as the world would: `kill=2/s,stop=0.5/s,segv=0.1/s,slow=20%..200ms,hang=1%,torn=1%`.
//!
//! KILL, STOP and SEGV come by chance, at a rate. What happens to an item is a hash of the seed, the item and the attempt, so
//! that it is the same whatever worker gets the item, and another at its next attempt.
//!
//! Invariant: a plan that is printed and read again is the same plan. Every error names the part and the remedy.

#![deny(missing_docs)]

use super::durations::{self, DurationError};
use super::ids::{Attempt, ItemId};
use super::numbers::{self, Decimal};
use super::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The exit code of a worker that is made to tear its result: EX_SOFTWARE of `sysexits.h`.
pub const TORN_CODE: u8 = 70;

/// Most times a second that one part may come: above it a run does little else than start workers.
const RATE_MAX: u64 = 1_000;
/// The longest time that an item may be slow for.
const SLOW_MAX: Duration = Duration::from_secs(3600);
/// A rate is kept in thousandths, and a share in thousandths of a percent.
const THOUSANDTHS: u64 = 1_000;
const WHOLE: u32 = 100 * THOUSANDTHS as u32;

/// A part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChaosKind {
    /// A worker gets KILL.
    Kill,
    /// A worker gets STOP, and CONT a moment later.
    Stop,
    /// A worker gets SEGV.
    Segv,
    /// An item takes longer.
    Slow,
    /// An item is never answered for.
    Hang,
    /// The result of an item ends in its middle, and so does its worker.
    Torn,
}

impl ChaosKind {
    /// Every part, in the order in which a plan is printed.
    pub const ALL: [Self; 6] = [Self::Kill, Self::Stop, Self::Segv, Self::Slow, Self::Hang, Self::Torn];

    /// As a plan spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Segv => "segv",
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::Torn => "torn",
        }
    }
}

/// How often something happens, on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChaosRate {
    /// At least 1.
    thousandths: u32,
    /// In a minute, not in a second.
    per_minute: bool,
}

impl ChaosRate {
    /// The time between two, on average. At least a millisecond.
    #[must_use]
    pub const fn mean(self) -> Duration {
        let period_ns = if self.per_minute { 60_000_000_000_000 } else { 1_000_000_000_000 };
        Duration(period_ns / self.thousandths as u64)
    }
}

/// A share of the attempts at items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChaosShare {
    /// Of a percent; from 1 to 100,000.
    thousandths: u32,
}

/// How many attempts are slow, and how much longer they take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChaosSlow {
    /// How many.
    pub share: ChaosShare,
    /// The longest delay, more than 0.
    pub longest: Duration,
}

/// What happens to an attempt at an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemChaos {
    /// It takes so much longer.
    Slow(Duration),
    /// It is never answered for.
    Hang,
    /// Its result ends in its middle.
    Torn,
}

/// What a run does to its own workers. At least one part is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChaosPlan {
    /// Workers get KILL.
    pub kill: Option<ChaosRate>,
    /// Workers get STOP, and CONT a moment later.
    pub stop: Option<ChaosRate>,
    /// Workers get SEGV.
    pub segv: Option<ChaosRate>,
    /// Attempts take longer.
    pub slow: Option<ChaosSlow>,
    /// Attempts are never answered for.
    pub hang: Option<ChaosShare>,
    /// Results end in their middle.
    pub torn: Option<ChaosShare>,
    /// What chance follows; `None`: it is drawn when the run starts.
    pub seed: Option<u64>,
}

/// Why a text is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChaosError {
    /// It has no part.
    #[error("give at least one of kill, stop, segv, slow, hang and torn, such as kill=2/s")]
    Empty,
    /// A part is not `NAME=...`.
    #[error("{part:?} is no part; write it as NAME=..., such as kill=2/s or hang=1%")]
    NoPart {
        /// The part.
        part: String,
    },
    /// No part has this name.
    #[error("no part is called {name:?}; there are kill, stop, segv, slow, hang, torn and seed")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A part is there twice.
    #[error("{name} is there twice; leave one of them out")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// What follows the name is no rate.
    #[error("{name} takes a rate; write it as {name}=2/s or {name}=0.5/s or {name}=10/m (a minute)")]
    NoRate {
        /// The part.
        name: &'static str,
    },
    /// A rate is 0, or above its bound.
    #[error("{name} comes at least 0.001 times a minute and at most {RATE_MAX} times a second; give a rate between")]
    RateRange {
        /// The part.
        name: &'static str,
    },
    /// What follows the name is no share.
    #[error("{name} takes a share of the items; write it as {name}=1%")]
    NoShare {
        /// The part.
        name: &'static str,
    },
    /// A share is 0, or above 100 percent.
    #[error("{name} is a share of the items; give from 0.001% to 100%")]
    ShareRange {
        /// The part.
        name: &'static str,
    },
    /// The parts for items are more than all items.
    #[error("slow, hang and torn are more than 100% together, and an item has one of them; give less")]
    Shares,
    /// `slow` has no longest time.
    #[error("slow takes a share of the items and the longest delay; write it as slow=20%..200ms")]
    NoDelay,
    /// The longest delay is no duration.
    #[error("the delay of slow: {0}")]
    Delay(#[from] DurationError),
    /// It is longer than an hour.
    #[error("the delay of slow is longer than an hour; give less")]
    DelayRange,
    /// The seed is no number.
    #[error("seed takes a whole number, from 0 to {}", u64::MAX)]
    Seed,
}

impl ChaosPlan {
    /// What happens to this attempt at this item.
    #[must_use]
    pub fn of_item(&self, item: ItemId, attempt: Attempt) -> Option<ItemChaos> {
        let (torn, hang) = (share_of(self.torn), share_of(self.hang));
        let slow = share_of(self.slow.map(|slow| slow.share));
        if torn + hang + slow == 0 {
            return None;
        }
        let hash = mix(mix(self.seed.unwrap_or_default() ^ mix(item.0)) ^ u64::from(attempt.0));
        let place = (hash % u64::from(WHOLE)) as u32;
        match self.slow {
            _ if place < torn => Some(ItemChaos::Torn),
            _ if place < torn + hang => Some(ItemChaos::Hang),
            Some(slow_by) if place < torn + hang + slow => {
                Some(ItemChaos::Slow(Duration(mix(hash) % slow_by.longest.0.max(1) + 1)))
            }
            _ => None,
        }
    }

    /// Whether something happens to items.
    #[must_use]
    pub const fn is_about_items(&self) -> bool {
        self.slow.is_some() || self.hang.is_some() || self.torn.is_some()
    }

    /// Whether processes are stopped, or get signals that end them.
    #[must_use]
    pub const fn is_about_processes(&self) -> bool {
        self.kill.is_some() || self.stop.is_some() || self.segv.is_some()
    }

    /// The rate of a signal.
    #[must_use]
    pub const fn rate(&self, kind: ChaosKind) -> Option<ChaosRate> {
        match kind {
            ChaosKind::Kill => self.kill,
            ChaosKind::Stop => self.stop,
            ChaosKind::Segv => self.segv,
            ChaosKind::Slow | ChaosKind::Hang | ChaosKind::Torn => None,
        }
    }

    /// Whether this part is set.
    #[must_use]
    pub fn has(&self, kind: ChaosKind) -> bool {
        match kind {
            ChaosKind::Slow => self.slow.is_some(),
            ChaosKind::Hang => self.hang.is_some(),
            ChaosKind::Torn => self.torn.is_some(),
            kind => self.rate(kind).is_some(),
        }
    }

    /// The parts, as they are typed, without the seed.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        ChaosKind::ALL.into_iter().filter_map(|kind| self.part(kind)).collect()
    }

    fn part(&self, kind: ChaosKind) -> Option<String> {
        let name = kind.name();
        match kind {
            ChaosKind::Slow => self.slow.map(|slow| format!("{name}={}..{}", slow.share, Length(slow.longest))),
            ChaosKind::Hang => self.hang.map(|share| format!("{name}={share}")),
            ChaosKind::Torn => self.torn.map(|share| format!("{name}={share}")),
            kind => self.rate(kind).map(|rate| format!("{name}={rate}")),
        }
    }

    fn set(&mut self, kind: ChaosKind, value: &str) -> Result<(), ChaosError> {
        match kind {
            ChaosKind::Kill => self.kill = Some(rate(kind, value)?),
            ChaosKind::Stop => self.stop = Some(rate(kind, value)?),
            ChaosKind::Segv => self.segv = Some(rate(kind, value)?),
            ChaosKind::Slow => {
                let (part, longest) = value.split_once("..").ok_or(ChaosError::NoDelay)?;
                let longest = durations::parse_limit(longest)?;
                if longest > SLOW_MAX {
                    return Err(ChaosError::DelayRange);
                }
                self.slow = Some(ChaosSlow { share: share(kind, part)?, longest });
            }
            ChaosKind::Hang => self.hang = Some(share(kind, value)?),
            ChaosKind::Torn => self.torn = Some(share(kind, value)?),
        }
        Ok(())
    }
}

/// In thousandths of a percent.
fn share_of(share: Option<ChaosShare>) -> u32 {
    share.map_or(0, |share| share.thousandths)
}

/// The last steps of splitmix64 (Steele, Lea, Flood 2014).
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in thousandths, and what follows it.
fn thousandths(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = Decimal::split(text)?;
    // What does not fit is above every bound.
    Some((number.times(THOUSANDTHS).unwrap_or(u64::MAX), rest))
}

fn rate(kind: ChaosKind, text: &str) -> Result<ChaosRate, ChaosError> {
    let name = kind.name();
    let (thousandths, unit) = thousandths(text).ok_or(ChaosError::NoRate { name })?;
    let (per_minute, most) = match unit {
        "/s" => (false, RATE_MAX * THOUSANDTHS),
        "/m" => (true, 60 * RATE_MAX * THOUSANDTHS),
        _ => return Err(ChaosError::NoRate { name }),
    };
    let in_range = (1..=most).contains(&thousandths);
    let thousandths = u32::try_from(thousandths).ok().filter(|_| in_range);
    thousandths.map(|thousandths| ChaosRate { thousandths, per_minute }).ok_or(ChaosError::RateRange { name })
}

fn share(kind: ChaosKind, text: &str) -> Result<ChaosShare, ChaosError> {
    let name = kind.name();
    let (thousandths, unit) = thousandths(text).ok_or(ChaosError::NoShare { name })?;
    if unit != "%" {
        return Err(ChaosError::NoShare { name });
    }
    let thousandths = u32::try_from(thousandths).ok().filter(|it| (1..=WHOLE).contains(it));
    thousandths.map(|thousandths| ChaosShare { thousandths }).ok_or(ChaosError::ShareRange { name })
}

impl FromStr for ChaosPlan {
    type Err = ChaosError;

    fn from_str(text: &str) -> Result<Self, ChaosError> {
        let mut plan = Self::default();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| ChaosError::NoPart { part: part.to_owned() })?;
            if name == "seed" {
                let seed = numbers::whole(value, 0, u64::MAX).map_err(|_| ChaosError::Seed)?;
                if plan.seed.replace(seed).is_some() {
                    return Err(ChaosError::Twice { name: "seed" });
                }
                continue;
            }
            let kind = ChaosKind::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| ChaosError::Unknown { name: name.to_owned() })?;
            if plan.has(kind) {
                return Err(ChaosError::Twice { name: kind.name() });
            }
            plan.set(kind, value)?;
        }
        let shares = share_of(plan.torn) + share_of(plan.hang) + share_of(plan.slow.map(|slow| slow.share));
        match () {
            () if !plan.is_about_items() && !plan.is_about_processes() => Err(ChaosError::Empty),
            () if shares > WHOLE => Err(ChaosError::Shares),
            () => Ok(plan),
        }
    }
}

impl fmt::Display for ChaosPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().join(","))?;
        self.seed.map_or(Ok(()), |seed| write!(f, ",seed={seed}"))
    }
}

impl fmt::Display for ChaosRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_thousandths(f, self.thousandths)?;
        f.write_str(if self.per_minute { "/m" } else { "/s" })
    }
}

impl fmt::Display for ChaosShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_thousandths(f, self.thousandths)?;
        f.write_str("%")
    }
}

impl fmt::Display for ChaosKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `2`, `0.5`, `0.001`.
fn write_thousandths(f: &mut fmt::Formatter<'_>, thousandths: u32) -> fmt::Result {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    let digits = format!("{rest:03}");
    match digits.trim_end_matches('0') {
        "" => write!(f, "{whole}"),
        fraction => write!(f, "{whole}.{fraction}"),
    }
}

/// A duration as it is typed, in the largest unit in which it is whole.
struct Length(Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
        let whole = units.into_iter().find(|(_, unit)| self.0.0.is_multiple_of(*unit));
        let (unit, length) = whole.unwrap_or(("ns", 1));
        write!(f, "{}{unit}", self.0.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChaosPlan, ChaosError> {
        text.parse()
    }

    #[test]
    fn a_plan_that_is_printed_and_read_again_is_the_same() {
        for text in [
            "kill=2/s,stop=0.5/s,segv=0.1/s,slow=20%..200ms,hang=1%,torn=1%,seed=42",
            "kill=1000/s",
            "stop=0.001/m",
            "segv=60000/m",
            "slow=0.125%..1s",
            "slow=100%..1500us",
            "hang=50%,torn=50%",
            "torn=100%,seed=18446744073709551615",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("torn=1%,kill=.50/s,seed=007").unwrap().to_string(), "kill=0.5/s,torn=1%,seed=7");
        assert_eq!(read("slow=1%..1m").unwrap().to_string(), "slow=1%..60s");
    }

    #[test]
    fn each_error_names_the_part_and_the_remedy() {
        let refused = |text: &str| read(text).unwrap_err();
        assert_eq!(refused(""), ChaosError::Empty);
        assert_eq!(refused("seed=1"), ChaosError::Empty);
        for part in ["kill", "", " "] {
            assert_eq!(refused(&format!("hang=1%,{part}")), ChaosError::NoPart { part: part.to_owned() });
        }
        assert_eq!(refused("kil=1/s"), ChaosError::Unknown { name: "kil".to_owned() });
        assert_eq!(refused("kill=1/s,kill=2/s"), ChaosError::Twice { name: "kill" });
        assert_eq!(refused("hang=1%,seed=1,seed=1"), ChaosError::Twice { name: "seed" });
        for value in ["", "1", "1%", "-1/s", "x/s", "1/h", "1/s/s"] {
            assert_eq!(refused(&format!("stop={value}")), ChaosError::NoRate { name: "stop" }, "{value}");
        }
        for value in ["0/s", "0.0001/s", "1000.001/s", "60001/m", "99999999999999999999999999/s"] {
            assert_eq!(refused(&format!("segv={value}")), ChaosError::RateRange { name: "segv" }, "{value}");
        }
        for value in ["", "1", "1/s", "-1%", "x%"] {
            assert_eq!(refused(&format!("hang={value}")), ChaosError::NoShare { name: "hang" }, "{value}");
        }
        for value in ["0%", "0.0001%", "100.001%", "101%"] {
            assert_eq!(refused(&format!("torn={value}")), ChaosError::ShareRange { name: "torn" }, "{value}");
        }
        assert_eq!(refused("hang=60%,torn=41%"), ChaosError::Shares);
        assert_eq!(refused("slow=20%"), ChaosError::NoDelay);
        assert_eq!(refused("slow=20%..0"), ChaosError::Delay(DurationError::Zero));
        assert_eq!(refused("slow=20%..2h"), ChaosError::DelayRange);
        assert_eq!(refused("slow=20..1s"), ChaosError::NoShare { name: "slow" });
        for seed in ["", "-1", "x", "18446744073709551616"] {
            assert_eq!(refused(&format!("kill=1/s,seed={seed}")), ChaosError::Seed);
        }
        assert_eq!(
            refused("kill=5000/s").to_string(),
            "kill comes at least 0.001 times a minute and at most 1000 times a second; give a rate between"
        );
    }

    #[test]
    fn rates_are_times_and_shares_are_shares() {
        let mean = |text: &str| read(text).unwrap().kill.unwrap().mean();
        assert_eq!(mean("kill=2/s"), Duration::from_millis(500));
        assert_eq!(mean("kill=0.1/s"), Duration::from_secs(10));
        assert_eq!(mean("kill=30/m"), Duration::from_secs(2));
        let plan = read("slow=20%..200ms,hang=1%,torn=5%,seed=7").unwrap();
        let all = |attempt| (0..100_000).map(move |item| plan.of_item(ItemId(item), Attempt(attempt)));
        let share = |wanted: fn(&ItemChaos) -> bool| all(1).flatten().filter(wanted).count();
        let slow = share(|chaos| matches!(chaos, ItemChaos::Slow(_)));
        assert!((19_000..21_000).contains(&slow), "{slow}");
        let (hang, torn) = (share(|chaos| *chaos == ItemChaos::Hang), share(|chaos| *chaos == ItemChaos::Torn));
        assert!((800..1_200).contains(&hang) && (4_500..5_500).contains(&torn), "{hang}, {torn}");
        for chaos in all(1).flatten() {
            let ItemChaos::Slow(delay) = chaos else { continue };
            assert!(delay > Duration::ZERO && delay <= Duration::from_millis(200));
        }
        // The next attempt has a draw of its own, and so has another seed.
        let same = all(1).zip(all(2)).filter(|(first, second)| first.is_some() && first == second).count();
        assert!(same < 1_000, "{same}");
        assert!(all(1).eq(all(1)));
        let other = ChaosPlan { seed: Some(8), ..plan };
        assert!(!all(1).eq((0..100_000).map(|item| other.of_item(ItemId(item), Attempt::FIRST))));
        assert_eq!(read("kill=1/s").unwrap().of_item(ItemId(0), Attempt::FIRST), None);
    }
}
