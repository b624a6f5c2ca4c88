//! A file, read up to the size that it had when it was opened. Truncation is an error, and rows that are added later are
//! not read.

use super::file_state::{Change, FileState};
use super::meter::Meter;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// How many bytes of its beginning and of its end are read again if the file has become longer.
const SAMPLE: usize = 4 << 10;

/// A file that is read up to the size it had when it was opened. Reading fails if the file was truncated or overwritten
/// meanwhile.
pub(super) struct WholeFile {
    file: File,
    opened: FileState,
    meter: Meter,
    phase: Phase,
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// Where reading stands.
enum Phase {
    /// This many bytes are left.
    Within(u64),
    /// Past the size that it had, up to the end of the last line.
    Line,
    /// The kernel generates it, so only its end tells its size.
    Endless,
    /// Everything was read.
    Ended,
}

impl WholeFile {
    /// A file that is in this state, or was when somebody looked at it first.
    pub(super) fn new(file: File, opened: FileState, meter: Meter) -> io::Result<Self> {
        if let Change::Other(what) = opened.change_to(&FileState::of(&file.metadata()?)) {
            return Err(io::Error::other(what));
        }
        let phase = if opened.is_without_size() { Phase::Endless } else { Phase::Within(opened.size) };
        Ok(Self { file, opened, meter, phase, head: Vec::new(), tail: Vec::new() })
    }

    /// Keeps what is compared if the file grows: its beginning and its end.
    fn sample(&mut self, bytes: &[u8], is_last: bool) {
        if self.head.is_empty() {
            self.head.extend_from_slice(&bytes[..bytes.len().min(SAMPLE)]);
        }
        if is_last {
            self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(SAMPLE)..]);
        }
    }

    /// What follows the bytes that the file had: nothing, or the rest of its last line.
    fn behind(&mut self) -> io::Result<Phase> {
        match self.opened.change_to(&FileState::of(&self.file.metadata()?)) {
            Change::None => Ok(Phase::Ended),
            Change::Other(what) => Err(io::Error::other(what)),
            Change::Longer => {
                self.check_samples()?;
                self.meter.note_growth();
                // Text in encodings that do not extend ASCII contains zeros.
                let is_in_line = self.tail.last() != Some(&b'\n') && !self.head.contains(&0);
                Ok(if is_in_line { Phase::Line } else { Phase::Ended })
            }
        }
    }

    /// A rewritten file that is longer now differs somewhere, most likely at its beginning or at its old end.
    fn check_samples(&self) -> io::Result<()> {
        for (sample, offset) in [(&self.head, 0), (&self.tail, self.opened.size - self.tail.len() as u64)] {
            let mut now = vec![0; sample.len()];
            self.file.read_exact_at(&mut now, offset)?;
            if now != *sample {
                return Err(io::Error::other("it was rewritten after it was opened"));
            }
        }
        Ok(())
    }

    /// The file ends before the size that it had.
    fn ended_early(&mut self) -> io::Result<usize> {
        match self.opened.change_to(&FileState::of(&self.file.metadata()?)) {
            Change::Other(what) => Err(io::Error::other(what)),
            // The kernel generates it, and its size is only an estimate.
            Change::None | Change::Longer => {
                self.phase = Phase::Ended;
                Ok(0)
            }
        }
    }

    /// The rest of the line in which the file ended when it was opened.
    fn read_line(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if read == 0 {
            return Err(io::Error::other("it is still being written: its last line is not complete"));
        }
        Ok(match memchr::memchr(b'\n', &buffer[..read]) {
            Some(end) => {
                self.phase = Phase::Ended;
                end + 1
            }
            None => read,
        })
    }
}

impl Read for WholeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.phase {
                Phase::Within(0) => self.phase = self.behind()?,
                Phase::Within(left) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                    let read = self.file.read(&mut buffer[..most])?;
                    if read == 0 {
                        return self.ended_early();
                    }
                    let left = left - read as u64;
                    self.sample(&buffer[..read], left == 0);
                    self.phase = Phase::Within(left);
                    return Ok(read);
                }
                Phase::Line => return self.read_line(buffer),
                Phase::Endless => return self.file.read(buffer),
                Phase::Ended => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn open(path: &Path, meter: &Meter) -> WholeFile {
        let file = File::open(path).unwrap();
        let state = FileState::of(&file.metadata().unwrap());
        WholeFile::new(file, state, meter.clone()).unwrap()
    }

    /// What is read of `text` if half of it is read first, and then `change` happens; and whether the file has grown.
    fn read(text: &str, change: &dyn Fn(&Path)) -> (io::Result<String>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, text).unwrap();
        let times = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        let meter = Meter::default();
        let mut file = open(&path, &meter);
        let mut bytes = vec![0; text.len() / 2];
        file.read_exact(&mut bytes).unwrap();
        change(&path);
        let ended = file.read_to_end(&mut bytes);
        (ended.map(|_| String::from_utf8(bytes).unwrap()), meter.has_grown())
    }

    fn append(path: &Path, text: &str) {
        use std::io::Write;
        File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_file_is_read_to_the_size_that_it_had_and_its_last_line_to_its_end() {
        let (read_text, grown) = read("a\nb\nc\n", &|_| {});
        assert_eq!((read_text.unwrap().as_str(), grown), ("a\nb\nc\n", false));
        let (read_text, grown) = read("a\nb\nc\n", &|path| append(path, "d\n"));
        assert_eq!((read_text.unwrap().as_str(), grown), ("a\nb\nc\n", true));
        let (read_text, grown) = read("a\nb\n1,23", &|path| append(path, "45\n2,3"));
        assert_eq!((read_text.unwrap().as_str(), grown), ("a\nb\n1,2345\n", true));
        let (half, _) = read("a\nb\n1,23", &|path| append(path, "45"));
        assert!(half.unwrap_err().to_string().contains("its last line is not complete"));
    }

    #[test]
    fn a_file_that_is_cut_off_or_written_over_is_an_error() {
        let text = "a\nb\nc\nd\n";
        let cut = |path: &Path| File::options().write(true).open(path).unwrap().set_len(6).unwrap();
        let empty = |path: &Path| drop(File::create(path).unwrap());
        let over = |path: &Path| fs::write(path, "1\n2\n3\n4\n").unwrap();
        let longer = |path: &Path| fs::write(path, "1\n2\n3\n4\n5\n6\n").unwrap();
        type Harm<'a> = &'a dyn Fn(&Path);
        let changes: [(Harm<'_>, &str); 4] =
            [(&cut, "truncated"), (&empty, "truncated"), (&over, "changed"), (&longer, "rewritten")];
        for (change, says) in changes {
            let error = read(text, change).0.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        // What was moved to its path is another file, and this one is still whole.
        let other = |path: &Path| {
            fs::write(path.with_extension("new"), "9\n").unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        };
        assert_eq!(read(text, &other).0.unwrap(), text);
    }

    #[test]
    fn a_file_that_the_kernel_makes_up_is_read_to_its_end() {
        for path in ["/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled"] {
            if let Ok(whole) = fs::read(path) {
                let mut bytes = Vec::new();
                open(Path::new(path), &Meter::default()).read_to_end(&mut bytes).unwrap();
                assert!(!bytes.is_empty() && bytes.len().abs_diff(whole.len()) < 100, "{path}");
            }
        }
    }
}
