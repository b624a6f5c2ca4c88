//! The run's end of the socket.

use super::address::bind;
use super::command::{Answer, Command};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Uid, geteuid};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Does what a command says.
pub type Obey = dyn Fn(&Command) -> Answer + Send + Sync;

/// How many may be connected at a time. Each has a thread, which costs a run nothing while it waits.
const MOST_CLIENTS: usize = 16;

/// How long a client may take to send a command or to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest command, in bytes.
const MOST_COMMAND: u64 = 4096;

/// The socket of a run. Dropping it removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
}

impl Server {
    /// Listens in the folder of a run whose lock this process has.
    ///
    /// # Errors
    /// If there can be no socket.
    pub fn start(run_folder: &Path, obey: Arc<Obey>) -> io::Result<Self> {
        let (listener, path) = bind(run_folder)?;
        let server = Self { path };
        // Not joined: it lives as long as the process, and holds nothing that must be released.
        std::thread::Builder::new().name("control".to_owned()).spawn(move || serve(&listener, &obey))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn serve(listener: &UnixListener, obey: &Arc<Obey>) {
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, for example: do not spin.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let Some(seat) = Seat::take(&clients) else { continue };
        let obey = Arc::clone(obey);
        let talk = move || {
            let _seat = seat;
            // A client that vanishes harms nobody.
            drop(talk(&stream, &*obey));
        };
        drop(std::thread::Builder::new().name("control-client".to_owned()).spawn(talk));
    }
}

/// One of [`MOST_CLIENTS`].
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(clients: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(Arc::clone(clients));
        (clients.fetch_add(1, Ordering::SeqCst) < MOST_CLIENTS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers the commands of a client until it hangs up.
fn talk(stream: &UnixStream, obey: &Obey) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let caller = socket_peercred(stream)?.uid;
    let may = caller == geteuid() || caller == Uid::ROOT;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        (&mut reader).take(MOST_COMMAND).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&line) {
            _ if !may => Answer::refused("the run belongs to another user"),
            Ok(command) => obey(&command),
            Err(error) => Answer::refused(format!("this version of batchmill does not know the command: {error}")),
        };
        let mut answer = serde_json::to_vec(&answer)?;
        answer.push(b'\n');
        (&*stream).write_all(&answer)?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::{AskError, ask};
    use super::*;

    fn echo() -> Arc<Obey> {
        Arc::new(|command: &Command| Answer::done(format!("{command:?}")))
    }

    #[test]
    fn a_run_answers_however_deep_its_folder_is() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a".repeat(200)).join("b".repeat(200));
        std::fs::create_dir_all(&folder).unwrap();
        let refused = ask(&folder, &Command::Pause);
        assert!(matches!(refused, Err(AskError::NotRunning(_))), "{refused:?}");
        let server = Server::start(&folder, echo()).unwrap();
        assert_eq!(ask(&folder, &Command::Pause).unwrap(), Answer::done("Pause"));
        let mode = std::os::unix::fs::PermissionsExt::mode(&folder.join("ctl").metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        drop(server);
        assert!(!folder.join("ctl").exists());
        assert!(matches!(ask(&folder, &Command::Pause), Err(AskError::NotRunning(_))));
    }

    #[test]
    fn the_socket_of_a_run_that_was_killed_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(folder.path().join("ctl")).unwrap());
        assert!(matches!(ask(folder.path(), &Command::Stop), Err(AskError::NotRunning(_))));
        let _server = Server::start(folder.path(), echo()).unwrap();
        assert_eq!(ask(folder.path(), &Command::Stop).unwrap(), Answer::done("Stop"));
    }

    #[test]
    fn what_is_no_command_is_refused_and_a_long_line_ends_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let _server = Server::start(folder.path(), echo()).unwrap();
        let stream = UnixStream::connect(folder.path().join("ctl")).unwrap();
        (&stream).write_all(b"{\"command\":\"dance\"}\n{\"command\":\"pause\"}\n").unwrap();
        let mut lines = BufReader::new(&stream).lines();
        assert!(lines.next().unwrap().unwrap().contains("does not know the command"));
        assert_eq!(lines.next().unwrap().unwrap(), "{\"done\":{\"text\":\"Pause\"}}");
        drop((&stream).write_all(&[b' '; 2 * MOST_COMMAND as usize]));
        assert!(lines.next().is_none_or(|line| line.is_err()));
    }

    #[test]
    fn many_clients_that_vanish_do_not_keep_others_out() {
        let folder = tempfile::tempdir().unwrap();
        let _server = Server::start(folder.path(), echo()).unwrap();
        let connect = || UnixStream::connect(folder.path().join("ctl")).unwrap();
        let gone: Vec<UnixStream> = (0..3 * MOST_CLIENTS).map(|_| connect()).collect();
        drop(gone);
        let answered = (0..1000).any(|_| ask(folder.path(), &Command::State).is_ok());
        assert!(answered);
    }
}
