//! One call: from the first message on its socket to the last.

use super::given::{Arrived, GivenItems, KeptResults};
use super::kept::{self, CallRecorder};
use super::sender::Outgoing;
use super::settings::step_settings;
use super::shared::Shared;
use crate::ledger::CallRecords;
use crate::measure::SlotClocks;
use crate::model::{Failure, FailureKind, Form, Listener, Stats, StepName};
use crate::pipeline::{Alarm, Announcer, Carried, Feed, PipelineError, StepEnd, StepJob, StepStart, Width, run_step};
use crate::task::python::{Found, Host, PickledProgram};
use crate::task::{Cancel, CurrentItems, StepContext, TaskHost, Withdrawn, make_room};
use crate::text::Secrets;
use crate::wire::{CallEnd, CallSettings, ClientMessage, FrameReader, WireError, write_frame};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Answers the call on this socket, to its end.
///
/// # Errors
/// If the system refuses descriptors or threads.
pub(super) fn answer(shared: &Shared, socket: UnixStream) -> io::Result<()> {
    let mut input = Input { socket: socket.try_clone()?, reader: FrameReader::default() };
    let settings = match input.reader.read(&mut input.socket) {
        Ok(Some(ClientMessage::Open(settings))) => settings,
        Err(WireError::Json(error)) => {
            let failure = Failure::new(FailureKind::Start, "CallRefused", format!("cannot read the settings: {error}"));
            let end = CallEnd { stats: Stats::default(), failure: Some(failure) };
            // A client that has gone need not know.
            let _ = write_frame(&mut input.socket, &ClientMessage::Ended(end));
            return Ok(());
        }
        _ => return Ok(()),
    };
    let cancel = shared.cancel.inner()?;
    let (given, arriving) = unbounded();
    let (outgoing, writer) = Outgoing::start(socket.try_clone()?)?;
    std::thread::scope(|threads| {
        let reading = cancel.clone();
        threads.spawn(move || read(&mut input, given, &reading));
        let end = Call { shared, settings, cancel, outgoing: outgoing.clone() }.run(arriving);
        outgoing.send(ClientMessage::Ended(end));
        drop(outgoing);
        // All is written, or the client is gone.
        let _ = writer.join();
        // The reader may still wait for the client.
        let _ = socket.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Reads items until the last one is there. When the client closes the socket, that ends the call.
fn read(input: &mut Input, given: Sender<Arrived>, cancel: &Cancel) {
    let mut given = Some(given);
    while let Some(message) = input.next() {
        let arrived = match message {
            ClientMessage::Given(items) => Arrived::Given(items),
            ClientMessage::Keyed(items) => Arrived::Keyed(items),
            ClientMessage::End => {
                given = None;
                continue;
            }
            _ => break,
        };
        drop(given.as_ref().map(|given| given.send(arrived)));
    }
    cancel.stop.fire();
    cancel.kill.fire();
}

struct Input {
    socket: UnixStream,
    reader: FrameReader,
}

impl Input {
    /// The next message; none if there is none, or nothing that makes sense.
    fn next(&mut self) -> Option<ClientMessage> {
        self.reader.read(&mut self.socket).ok().flatten()
    }
}

struct Call<'a> {
    shared: &'a Shared,
    settings: Box<CallSettings>,
    cancel: Cancel,
    outgoing: Outgoing,
}

impl Call<'_> {
    fn run(&mut self, arriving: Receiver<Arrived>) -> CallEnd {
        match self.run_step(arriving) {
            Ok(StepEnd { stats, failure, .. }) => CallEnd { stats, failure },
            Err(failure) => CallEnd { stats: Stats::default(), failure: Some(failure) },
        }
    }

    fn run_step(&mut self, arriving: Receiver<Arrived>) -> Result<StepEnd, Failure> {
        let refused = |message: String| Failure::new(FailureKind::Start, "CallRefused", message).permanent();
        let step = step_settings(&self.settings).map_err(refused)?;
        let wanted = step.lane.width;
        let room = make_room(wanted, true);
        if room.slots < wanted {
            let limit = room.limit;
            return Err(refused(format!("the limit of {limit} open files allows no more than {} workers", room.slots)));
        }
        let CallSettings { program, folder, search_path, max_memory, max_items_per_worker, .. } = &*self.settings;
        let program = PickledProgram {
            path: program.clone(),
            folder: folder.clone(),
            search_path: search_path.clone(),
            max_memory: *max_memory,
            max_items_per_worker: max_items_per_worker.and_then(NonZeroUsize::new),
        };
        let program = program.compile();
        let context = self.context(&step).map_err(refused)?;
        let name = context.step.clone();
        let job = StepJob::new(&program, None, context, &step);
        let (records, kept) = self.ledger()?.unzip();
        let mut source = GivenItems::new(arriving, self.cancel.clone(), kept);
        let (width, alarm) = (Width::default(), Alarm::default());
        let start = StepStart {
            name,
            feed: Feed::Fresh(&mut source),
            total: None,
            carried: Carried::default(),
            slow_after: Duration::MAX,
            width: &width,
            alarm: &alarm,
        };
        let mut listeners: [Box<dyn Listener>; 1] = [Box::new(self.outgoing.clone())];
        let secrets = Secrets::default();
        let mut recorder = CallRecorder { outgoing: self.outgoing.clone(), kept: records };
        let ended = run_step(start, &job, &mut recorder, Announcer::new(&mut listeners, &secrets));
        let ended = ended.map_err(|error| match error {
            PipelineError::Threads(error) => refused(format!("cannot start {wanted} threads: {error}")),
            PipelineError::Record(error) => kept::failure(&error),
        });
        if let Some(refusal) = source.refusal.take() {
            return Err(refusal);
        }
        // Nobody waits for the disk if the client is gone.
        if let Some(records) = recorder.kept.filter(|_| ended.is_ok() && !self.cancel.stop.is_fired()) {
            records.sync().map_err(|error| kept::failure(&error))?;
        }
        ended
    }

    /// Opens the ledger of the call, if it has one.
    fn ledger(&self) -> Result<Option<(CallRecords, KeptResults)>, Failure> {
        let Some(ledger) = &self.settings.ledger else { return Ok(None) };
        let (records, found) = kept::open(ledger, &self.cancel, &self.outgoing)?;
        let seen = ledger.unique.then(HashMap::new);
        Ok(Some((records, KeptResults { found, outgoing: self.outgoing.clone(), seen })))
    }

    fn context(&self, step: &crate::compile::StepSettings) -> Result<StepContext, String> {
        let host = self.host()?;
        let withdrawn = Withdrawn::new().map_err(|error| error.to_string())?;
        let width = step.lane.width;
        Ok(StepContext {
            run: self.shared.run.clone(),
            step: StepName::new("map").ok_or("no step can be called `map`")?,
            scope: Arc::default(),
            settings: Arc::clone(&step.lane),
            forms: Arc::new([Form::Pickle]),
            file_keys: None,
            host: Arc::new(host),
            cancel: self.cancel.clone(),
            item_files: None,
            withdrawn: Arc::new(withdrawn),
            current_items: Arc::new(CurrentItems::new(width)),
            clocks: Arc::new(SlotClocks::new(width)),
        })
    }

    fn host(&self) -> Result<TaskHost, String> {
        let CallSettings { python, version, hosts_workers, env, .. } = &*self.settings;
        let python = if *hosts_workers {
            Host::of_client(python, version)
        } else {
            let found = Found { interpreter: PathBuf::from(python), by: "`python=`" };
            Host::settle(found, &[], &[]).map_err(|error| format!("{error}; {}", error.hint_for("`python=`")))?.host
        };
        let env = env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(TaskHost {
            env: Arc::new(env),
            guard: Some(Arc::clone(&self.shared.guard)),
            python: Some(Arc::new(python)),
            warm: Some(Arc::clone(&self.shared.warm)),
            remote: None,
            logs: std::env::temp_dir(),
            samples: None,
            secrets: Arc::default(),
            source: Arc::default(),
        })
    }
}
