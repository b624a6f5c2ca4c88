//! Samples what a worker does while it uses the CPU, for `batchmill profile` alone.
//!
//! After each hundredth of a second of CPU time the kernel interrupts the process. The handler notes where it was interrupted,
//! which tells the interpreter from a library, and has CPython call `samples.py` at its next chance, which notes the functions
//! that are running. Both are counted, and go to a file of the process.
//!
//! Contains unsafe code: neither CPython nor a crate gives the interrupted address.
#![expect(unsafe_code, reason = "a signal handler that reads the interrupted address")]

use super::embedded::SAMPLES;
use crate::wire::{SAMPLE_PERIOD, Samples};
use nix::libc::{self, c_int, c_void, siginfo_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often samples are written to the file.
const PAUSE: Duration = Duration::from_millis(500);

/// Samples that are kept until then.
const ROOM: usize = 1 << 14;

/// Interrupted addresses, and how many there were.
static ADDRESSES: [AtomicU64; ROOM] = [const { AtomicU64::new(0) }; ROOM];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Samples this process until it is dropped.
pub(super) struct Sampler {
    file: RefCell<File>,
    images: RefCell<Images>,
    take: Py<PyAny>,
    written: Cell<Instant>,
}

impl Sampler {
    /// Begins, with a file of this process in `folder`.
    pub(super) fn begin(py: Python<'_>, folder: &str) -> PyResult<Self> {
        let path = Path::new(folder).join(format!("{}.jsonl", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let python = SAMPLES.load(py)?;
        python.call_method0("begin")?;
        let handler = SigHandler::SigAction(note);
        let action = SigAction::new(handler, SaFlags::SA_RESTART | SaFlags::SA_ONSTACK, SigSet::empty());
        // SAFETY: `note` does nothing that a signal handler must not do.
        unsafe { sigaction(Signal::SIGPROF, &action) }.map_err(std::io::Error::from)?;
        COUNT.store(0, Ordering::Relaxed);
        set_timer(SAMPLE_PERIOD);
        Ok(Self {
            file: RefCell::new(file),
            images: RefCell::default(),
            take: python.getattr("take")?.unbind(),
            written: Cell::new(Instant::now()),
        })
    }

    /// Writes what was sampled, now and then.
    pub(super) fn look(&self, py: Python<'_>) {
        if self.written.get().elapsed() >= PAUSE {
            self.write(py);
        }
    }

    /// Writes what was sampled. A file that cannot be written has fewer samples.
    fn write(&self, py: Python<'_>) {
        self.written.set(Instant::now());
        let count = COUNT.swap(0, Ordering::Relaxed).min(ROOM);
        let addresses = ADDRESSES[..count].iter().map(|address| address.load(Ordering::Relaxed));
        let code = self.images.borrow_mut().counted(addresses);
        let stacks = self.take.bind(py).call0().and_then(|taken| taken.extract()).unwrap_or_default();
        let mut line = serde_json::to_vec(&Samples { code, stacks }).unwrap_or_default();
        line.push(b'\n');
        let _ = self.file.borrow_mut().write_all(&line);
    }

    /// Ends.
    pub(super) fn end(self, py: Python<'_>) {
        set_timer(Duration::ZERO);
        self.write(py);
    }
}

fn set_timer(period: Duration) {
    let interval = libc::timeval { tv_sec: 0, tv_usec: period.subsec_micros().into() };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the kernel reads `timer` and keeps nothing of it.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
}

/// The signal handler: touches only atomics, and what CPython offers to signal handlers.
extern "C" fn note(signal: c_int, _: *mut siginfo_t, context: *mut c_void) {
    let at = COUNT.fetch_add(1, Ordering::Relaxed);
    if let Some(place) = ADDRESSES.get(at) {
        // SAFETY: the kernel gives the handler a context, which is its own until it returns.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        place.store(address(context), Ordering::Relaxed);
    }
    // SAFETY: CPython allows a call of it in a signal handler, by any thread.
    unsafe { pyo3::ffi::PyErr_SetInterruptEx(signal) };
}

#[cfg(target_arch = "x86_64")]
fn address(context: &libc::ucontext_t) -> u64 {
    context.uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned()
}

#[cfg(target_arch = "aarch64")]
fn address(context: &libc::ucontext_t) -> u64 {
    context.uc_mcontext.pc
}

/// What is mapped into this process, by address.
#[derive(Debug, Default)]
struct Images(BTreeMap<u64, (u64, String)>);

impl Images {
    /// How many addresses are in the code of what.
    fn counted(&mut self, addresses: impl Iterator<Item = u64>) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        let mut is_new = true;
        for address in addresses {
            if self.name(address).is_none() && std::mem::take(&mut is_new) {
                // A library may have been loaded since.
                *self = Self::read();
            }
            *counts.entry(self.name(address).unwrap_or("other").to_owned()).or_default() += 1;
        }
        counts
    }

    fn name(&self, address: u64) -> Option<&str> {
        let (_, (to, name)) = self.0.range(..=address).next_back()?;
        (address < *to).then_some(name)
    }

    fn read() -> Self {
        let maps = read_to_string("/proc/self/maps").unwrap_or_default();
        Self(maps.lines().filter_map(mapped).collect())
    }
}

/// A line of `/proc/self/maps`: from where, to where, whose code.
fn mapped(line: &str) -> Option<(u64, (u64, String))> {
    let mut words = line.splitn(6, ' ');
    let (from, to) = words.next()?.split_once('-')?;
    words.next().filter(|allowed| allowed.contains('x'))?;
    let path = words.nth(3).unwrap_or_default().trim();
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some((hex(from)?, (hex(to)?, owner(path))))
}

/// Whose code a file is: the name of a package, `Python` for the interpreter and its standard library, or the name of a library.
fn owner(path: &str) -> String {
    let within = ["/site-packages/", "/dist-packages/"].iter().find_map(|folder| path.rsplit_once(folder));
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = match within {
        Some((_, rest)) => rest.split(['/', '.']).next().unwrap_or(rest),
        None if path.contains("/lib-dynload/") || file.contains("python") => "Python",
        None if ["libc.", "ld-linux", "[vdso]", "libpthread"].iter().any(|start| file.starts_with(start)) => "libc",
        None => file.split('.').next().unwrap_or(file),
    };
    if name.is_empty() { "other".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_belongs_to_the_package_that_brought_it() {
        let owned = [
            ("/v/lib/python3.11/site-packages/numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", "numpy"),
            ("/v/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_-ff651d7f.so", "numpy"),
            ("/v/lib/python3.11/site-packages/ujson.cpython-311-x86_64-linux-gnu.so", "ujson"),
            ("/usr/lib/python3/dist-packages/lxml/etree.so", "lxml"),
            ("/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", "Python"),
            ("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", "Python"),
            ("/opt/batchmill-python", "Python"),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc"),
            ("[vdso]", "libc"),
            ("/usr/lib/x86_64-linux-gnu/libm.so.6", "libm"),
            ("", "other"),
        ];
        for (path, expected) in owned {
            assert_eq!(owner(path), expected, "{path}");
        }
    }

    #[test]
    fn a_line_of_the_map_counts_if_it_is_code() {
        let line = "7f0a1000-7f0a2000 r-xp 00001000 fd:00 1234                       /lib/libm.so.6";
        assert_eq!(mapped(line), Some((0x7f0a_1000, (0x7f0a_2000, "libm".to_owned()))));
        assert_eq!(mapped(&line.replace("r-xp", "r--p")), None);
        assert_eq!(mapped("7f0a1000-7f0a2000 r-xp 00000000 00:00 0 ").map(|found| found.1.1), Some("other".to_owned()));
    }
}
