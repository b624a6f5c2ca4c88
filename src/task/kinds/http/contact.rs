//! What the current request of a thread has had to do with its connection: so that it can be sent again if a connection that
//! was kept open turns out to be closed, and so that its time is known.
//!
//! ureq does not say which connection a request uses. A request stays in the thread that sends it, so its connection can
//! note here what happens to it.

use crate::model::RequestTimes;
use std::cell::Cell;
use std::io::ErrorKind;
use std::time::Instant;
use ureq::Error;
use ureq::http::Method;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What has happened since the request began.
#[derive(Debug, Clone, Copy, Default)]
struct Contact {
    /// A connection was opened for it.
    opened: bool,
    /// Bytes of it were sent.
    sent: bool,
    /// Bytes of a response came.
    received: bool,
    /// Nothing was written yet.
    begins: bool,
}

thread_local! {
    static CONTACT: Cell<Contact> = const { Cell::new(Contact { opened: false, sent: false, received: false, begins: false }) };
    static TIMES: Cell<RequestTimes> = const { Cell::new(RequestTimes { connect: 0, wait: 0, transfer: 0 }) };
}

/// How the requests of this thread have spent their time since the last call.
pub(super) fn take_times() -> RequestTimes {
    TIMES.take()
}

/// A part of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// Opening a connection.
    Connect,
    /// Waiting for the response.
    Wait,
    /// Sending and receiving.
    Transfer,
}

/// Times a part of a request.
pub(super) fn timed<T>(part: Part, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = run();
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut times = TIMES.get();
    match part {
        Part::Connect => times.connect += took,
        Part::Wait => times.wait += took,
        Part::Transfer => times.transfer += took,
    }
    TIMES.set(times);
    result
}

fn note(change: impl FnOnce(&mut Contact)) {
    let mut contact = CONTACT.get();
    change(&mut contact);
    CONTACT.set(contact);
}

/// A request begins in this thread.
pub(super) fn begin() {
    CONTACT.set(Contact { begins: true, ..Contact::default() });
}

/// Bytes have left.
pub(super) fn sent() {
    note(|contact| contact.sent = true);
}

/// Whether what is written now is the beginning of a request. True once for each.
pub(super) fn takes_beginning() -> bool {
    let begins = CONTACT.get().begins;
    note(|contact| contact.begins = false);
    begins
}

/// Whether the request may be sent again after this error: its connection had been kept open, and was closed before anything
/// came back. The server may have got the request, so one that must not be repeated goes only if no byte of it was sent.
pub(super) fn may_repeat(method: &Method, error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    let is_closed = matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    );
    let Contact { opened, sent, received, .. } = CONTACT.get();
    is_closed && !opened && !received && (method.is_idempotent() || !sent)
}

/// Makes connections that note what happens to them.
#[derive(Debug)]
pub(super) struct Watch;

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        note(|contact| contact.opened = true);
        Ok(chained.map(Watched))
    }
}

/// A connection that notes when a response begins.
#[derive(Debug)]
pub(super) struct Watched<T>(T);

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Contact { opened, sent, .. } = CONTACT.get();
        // What is written first to a new connection waits for TLS to be agreed on.
        let is_handshake = opened && !sent && self.0.is_tls();
        timed(if is_handshake { Part::Connect } else { Part::Transfer }, || self.0.transmit_output(amount, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let is_first = !CONTACT.get().received;
        let progress = timed(if is_first { Part::Wait } else { Part::Transfer }, || self.0.await_input(timeout))?;
        if progress {
            note(|contact| contact.received = true);
        }
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_again_only_if_its_old_connection_was_closed_and_it_does_no_harm() {
        let closed = || Error::Io(ErrorKind::ConnectionReset.into());
        begin();
        assert!(may_repeat(&Method::GET, &closed()) && may_repeat(&Method::POST, &closed()));
        assert!(!may_repeat(&Method::GET, &Error::Timeout(ureq::Timeout::Global)));
        assert!(!may_repeat(&Method::GET, &Error::Io(ErrorKind::Other.into())));
        sent();
        let again = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
        assert!(again.iter().all(|method| may_repeat(method, &closed())));
        assert!([Method::POST, Method::PATCH].iter().all(|method| !may_repeat(method, &closed())));
        for change in [|contact: &mut Contact| contact.received = true, |contact: &mut Contact| contact.opened = true] {
            begin();
            note(change);
            assert!(!may_repeat(&Method::GET, &closed()));
        }
    }
}
