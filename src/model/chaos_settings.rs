//! The plan of chaos of a run: what it needs of the other settings, and its seed.

use super::builder::ConfigBuilder;
use super::chaos::{ChaosKind, ChaosPlan};
use super::config_error::ConfigError;
use super::setting_values::is_set;

/// Seeds that are drawn are below this: a number that is easily typed again.
const DRAWN_SEEDS: u64 = 1_000_000;

impl ConfigBuilder {
    /// The plan with its seed: its own, that of the run, or one that is drawn.
    pub(super) fn chaos_plan(&self) -> Option<ChaosPlan> {
        let seed = self.seed.unwrap_or(self.host.seed % DRAWN_SEEDS);
        self.chaos.map(|plan| ChaosPlan { seed: Some(plan.seed.unwrap_or(seed)), ..plan })
    }

    /// What cannot be done to the workers of this run is refused by name.
    pub(super) fn check_chaos(&self) -> Result<(), ConfigError> {
        let Some(plan) = self.chaos else { return Ok(()) };
        let first = |kinds: &[ChaosKind]| kinds.iter().copied().find(|kind| plan.has(*kind));
        let of_processes =
            first(&[ChaosKind::Kill, ChaosKind::Stop, ChaosKind::Segv, ChaosKind::Hang, ChaosKind::Torn]);
        let stopping = first(&[ChaosKind::Stop, ChaosKind::Slow]);
        match (of_processes, stopping) {
            (Some(kind), _) if is_set(self.threads) => Err(ConfigError::ChaosOfThreads { kind }),
            _ if plan.torn.is_some() && (self.is_per_item() || self.text_protocol().is_some()) => {
                Err(ConfigError::ChaosTorn)
            }
            _ if plan.hang.is_some() && self.timeout.is_none() => Err(ConfigError::ChaosHang),
            (_, Some(kind)) if self.timeout_percent.is_some() => Err(ConfigError::ChaosMedian { kind }),
            _ if is_set(self.terminal) => Err(ConfigError::ChaosTerminal),
            _ if is_set(self.round_robin) => Err(ConfigError::ChaosRoundRobin),
            _ if is_set(self.dry_run) => Err(ConfigError::ChaosOfNothing),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Host;
    use super::super::spec::{ProtocolKind, QueueOrder};
    use super::super::time::Duration;
    use super::*;

    fn builder(plan: &str) -> ConfigBuilder {
        let host = Host { cores: 1, cores_why: None, seed: 12_345_678, run_id: "run".into() };
        ConfigBuilder::new(host).chaos(plan.parse().unwrap())
    }

    fn refused(builder: ConfigBuilder) -> ConfigError {
        builder.build().unwrap_err()
    }

    #[test]
    fn what_cannot_be_done_to_these_workers_is_refused_by_name() {
        for (plan, kind) in [
            ("kill=1/s", ChaosKind::Kill),
            ("stop=1/s", ChaosKind::Stop),
            ("segv=1/s", ChaosKind::Segv),
            ("hang=1%", ChaosKind::Hang),
            ("torn=1%", ChaosKind::Torn),
        ] {
            assert_eq!(refused(builder(plan).threads(true)), ConfigError::ChaosOfThreads { kind });
        }
        assert!(builder("slow=1%..1s").threads(true).build().is_ok());
        assert_eq!(refused(builder("torn=1%").command(["true"])), ConfigError::ChaosTorn);
        let lines = || builder("torn=1%").worker_program(["cat"]).protocol(ProtocolKind::Lines);
        assert_eq!(refused(lines()), ConfigError::ChaosTorn);
        assert!(builder("torn=1%").worker_program(["w"]).queue(QueueOrder::Fifo).build().is_ok());
        assert_eq!(refused(builder("hang=1%")), ConfigError::ChaosHang);
        assert!(builder("hang=1%").timeout(Duration::from_secs(1)).build().is_ok());
        for (plan, kind) in [("stop=1/s", ChaosKind::Stop), ("slow=1%..1s", ChaosKind::Slow)] {
            let percent = builder(plan).command(["true"]).timeout_percent(200);
            assert_eq!(refused(percent), ConfigError::ChaosMedian { kind });
        }
        assert!(builder("kill=1/s").command(["true"]).timeout_percent(200).build().is_ok());
        assert_eq!(refused(builder("kill=1/s").dry_run(true)), ConfigError::ChaosOfNothing);
        let shared = builder("kill=1/s").command(["cat"]).pipe(true).round_robin(true);
        assert_eq!(refused(shared), ConfigError::ChaosRoundRobin);
    }

    #[test]
    fn the_seed_is_that_of_the_plan_or_of_the_run_or_a_short_one() {
        let seed = |builder: ConfigBuilder| builder.build().unwrap().policy.chaos.unwrap().seed;
        assert_eq!(seed(builder("kill=1/s,seed=7").seed(8)), Some(7));
        assert_eq!(seed(builder("kill=1/s").seed(8)), Some(8));
        assert_eq!(seed(builder("kill=1/s")), Some(345_678));
    }
}
