//! From a scenario to a reactor on the fake system, as `engine/assembly.rs` does it on the real one.

use crate::channel::FakeTransport;
use crate::descriptor;
use crate::observer::{EarlyObserver, Observer, Record};
use crate::poll_set::Object;
use crate::source::FakeSource;
use crate::system::FakeSystem;
use crate::world::Shared;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use supervisor::core::Core;
use supervisor::core::action::Action;
use supervisor::core::input::Input;
use supervisor::engine::parts::{
    CommandPool, Commit, Components, Conversation, EarlierItems, EarlyOutput, Feed, Fleet, Handshake, LaunchSpec,
    LauncherMailboxes, LiveRegion, MemoryRelief, OutputStreams, Port, Program, ProgressDisplay, ProgressForm,
    ProgressSource, Reactor, Residents, RunPace, StartPermits, Stdio, Turn, WorkerStreams,
};
use supervisor::engine::replay::Replay;
use supervisor::model::command::{Command, Origin};
use supervisor::model::spec::Leftovers;
use supervisor::model::spec::ProtocolKind;
use supervisor::reporter::Reporter;
use supervisor::reporter::results::{RawResults, Tag};
use supervisor::sys::outbox::Outbox;
use supervisor::sys::poller::Interest;
use supervisor::trace::record::TraceRecord;
use supervisor::trace::tracer::Tracer;

/// A run, ready to begin.
///
/// # Errors
/// Its journal cannot be written.
pub fn build(world: &Shared) -> Result<Reactor, String> {
    let scenario = world.borrow().scenario.clone();
    let mut turn = Turn::new(Box::new(FakeSystem { world: world.clone() }));
    // Without a listener the shell goes other ways.
    if scenario.policy.explains {
        turn.trace = tracer(world);
    }
    let reporters: Vec<Box<dyn Reporter>> =
        vec![Box::new(Observer(world.clone())), Box::new(RawResults::new(Tag::None, true))];
    let bar = scenario.bar.then(|| LiveRegion::new(Outbox::new(descriptor::real()).expect("take /dev/null"), false));
    let progress = bar.is_some().then(|| ProgressDisplay::new(ProgressForm::Bar { has_rows: true }, None));
    let output = output(world);
    let output = if let Some(bar) = bar { output.with_live(bar) } else { output };
    let mut commit = Commit::new(output, reporters, scenario.wants_inputs);
    if scenario.early {
        let results = RawResults::new(Tag::None, true);
        let shower = Box::new(EarlyObserver { world: world.clone(), results });
        let (keep_order, first) = (scenario.policy.keep_order, scenario.policy.first_item);
        commit = commit.with_early(Some(EarlyOutput::new(shower, keep_order, first)));
    }
    commit.output.watch(&mut turn);
    let policy = scenario.policy;
    let earlier = (!scenario.finished.is_empty()).then(|| EarlierItems::new(scenario.finished, None));
    let feed = Feed::new(Box::new(FakeSource::new(world)), policy.first_item, policy.reads_far()).after(earlier);
    let feed = match scenario.record {
        Some(_) => {
            let (journaled, feed) = Record::begin(world, feed)?;
            commit = commit.with_record(journaled);
            feed
        }
        None => feed,
    };
    let fleet = match scenario.launchers {
        Some(launchers) => commands(world, launchers, &mut turn),
        None => residents(world),
    };
    if let Some(workers) = scenario.scale {
        turn.report(Input::Command { command: Command::Scale { workers }, origin: Origin::Caller });
    }
    let components = Components { feed, fleet, commit, workers: policy.workers };
    let rules = scenario.start_rules;
    let permits = rules.is_any().then(|| StartPermits::new(rules, true));
    let relief = MemoryRelief::of(scenario.memory_rules, true);
    let search = scenario.workers_max.map(|max| (policy.workers.min(max), max));
    let reactor = Reactor::new(Core::new(policy), components, turn).with_pace(RunPace::of(permits, relief, search));
    Ok(reactor.with_progress(progress))
}

fn output(world: &Shared) -> OutputStreams {
    let outbox = || Outbox::new(descriptor::real()).expect("take /dev/null");
    let number = |outbox: &Outbox| outbox.watch_fd().map_or(-1, |fd| fd.as_raw_fd());
    let (out, err) = (outbox(), outbox());
    let world = &mut *world.borrow_mut();
    (world.output.out.fd, world.output.err.fd) = (number(&out), number(&err));
    world.poll_set.opened(number(&out), Object::Stdout);
    world.poll_set.opened(number(&err), Object::Stderr);
    OutputStreams::new(out, err)
}

fn commands(world: &Shared, launchers: usize, turn: &mut Turn) -> Fleet {
    let mailboxes = LauncherMailboxes::new(launchers).expect("open mailboxes");
    let pool = CommandPool::new(&mailboxes, None);
    {
        let world = &mut *world.borrow_mut();
        world.poll_set.opened(pool.as_fd().as_raw_fd(), Object::Reports);
        world.commands.mailboxes = Some(mailboxes);
    }
    turn.system.watch(pool.as_fd(), Interest::READ, Port::Launchers.token()).expect("watch the launchers");
    Fleet::Commands(pool)
}

fn residents(world: &Shared) -> Fleet {
    let scenario = &world.borrow().scenario;
    let program = Program::Process(Box::new(LaunchSpec {
        path: CString::from(c"/worker"),
        argv: vec![CString::from(c"worker")],
        env: Vec::new(),
        streams: WorkerStreams { stdin: File::from(descriptor::real()), stdio: Stdio::Own, pipes_stderr: false },
        folder: None,
        nice: None,
        kept: Vec::new(),
        leftovers: Leftovers::Kill,
        transport: Box::new(FakeTransport { world: world.clone() }),
        handshake: if scenario.hello { Handshake::Hello } else { Handshake::None },
        progress: if scenario.page { ProgressSource::Page } else { ProgressSource::OldestHeld },
    }));
    let conversation = Conversation {
        protocol: ProtocolKind::Frames,
        tells_silence: false,
        gives_way_from: scenario.gives_way_from,
        delimiter: b'\n',
        message_items_max: scenario.message_items_max,
        spill: Arc::clone(&world.borrow().spill),
    };
    Fleet::Residents(Residents::new(program, conversation, scenario.channel.spin))
}

/// A trace that compares every frame with the world, and runs the core again with what it was told.
fn tracer(world: &Shared) -> Tracer {
    let world = world.clone();
    let mut replay = Replay::new(world.borrow().scenario.policy.clone());
    Tracer::with_listener(Box::new(move |record| {
        let mut world = world.borrow_mut();
        if let TraceRecord::Frame(frame) = record {
            world.traced(frame);
        }
        if let TraceRecord::Order(order) = record
            && matches!(**order, Action::Spawn { .. })
        {
            world.ordered_start();
        }
        let replayed = replay.take(record);
        world.replayed(replayed);
    }))
}
