//! A process per item from one thread: launch, collect its output, reap. Items are processes.
//!
//! `SPAWN_PROGRAM` replaces `/bin/true`, best by a small static program: with a dynamic one, most of the measured time
//! is the dynamic linker's.

use divan::counter::ItemsCount;
use std::sync::Arc;
use supervisor::command::capture::{Collector, Progress};
use supervisor::command::exec::{Commander, Execution, Launch};
use supervisor::model::config::ExecSpec;
use supervisor::model::ids::{Attempt, ItemId, WorkerId};
use supervisor::model::time::Instant;
use supervisor::sys::poller::{Interest, Poller, Ready};
use supervisor::sys::spawn::Spawner;
use supervisor::sys::spill::SpillFile;

/// Processes in one measurement.
const PROCESSES: u64 = 500;

fn main() {
    divan::main();
}

struct Bench {
    commander: Commander,
    spawner: Spawner,
    collector: Collector,
    poller: Poller,
}

impl Bench {
    fn new() -> Self {
        let program = std::env::var_os("SPAWN_PROGRAM").unwrap_or("/bin/true".into());
        let spec = ExecSpec {
            argv: vec![program],
            shell: false,
            quoting_shell: None,
            stdin: false,
            merges: false,
            item_tmp: false,
            terminal: false,
            insertion: supervisor::model::arrangement::Insertion::default(),
        };
        Self {
            commander: Commander::new(&spec, &supervisor::config::Surroundings::default(), "bench").unwrap(),
            spawner: Spawner::new().unwrap(),
            collector: Collector::new(Arc::new(SpillFile::new())),
            poller: Poller::new().unwrap(),
        }
    }

    fn launch(&mut self, slot: usize, item: u64) -> Execution {
        let launch = Launch {
            worker: WorkerId::from_index(slot),
            item: ItemId(item),
            attempt: Attempt::FIRST,
            bytes: b"item",
            register: None,
            terminal: None,
            tmp: None,
            now: Instant(0),
        };
        let execution = self.commander.launch(&mut self.spawner, &launch).unwrap();
        self.poller.add(&execution.process, Interest::READ, slot as u64).unwrap();
        execution
    }

    fn finish(&mut self, mut execution: Execution) {
        while execution.read_stdout(&mut self.collector).unwrap() == Progress::More {}
        while execution.read_stderr(&mut self.collector).unwrap() == Progress::More {}
        self.poller.remove(&execution.process).unwrap();
        assert!(execution.process.reap().unwrap().is_some_and(|(status, _)| status.is_success()));
    }
}

#[divan::bench(args = [2, 16], sample_count = 10, sample_size = 1)]
fn process_per_item(bencher: divan::Bencher, slots: usize) {
    let mut bench = Bench::new();
    bencher.counter(ItemsCount::new(PROCESSES)).bench_local(|| {
        let mut running: Vec<Option<Execution>> = (0..slots).map(|slot| Some(bench.launch(slot, 0))).collect();
        let mut ready: Vec<Ready> = Vec::new();
        let (mut launched, mut finished) = (slots as u64, 0);
        while finished < PROCESSES {
            bench.poller.wait(&mut ready, None).unwrap();
            for event in &ready {
                let slot = event.token as usize;
                bench.finish(running[slot].take().unwrap());
                finished += 1;
                if launched < PROCESSES {
                    launched += 1;
                    running[slot] = Some(bench.launch(slot, launched));
                }
            }
        }
    });
}
