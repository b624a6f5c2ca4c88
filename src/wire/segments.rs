//! Segments: how a worker writes results that are Python objects, so that a client reads many of them at once.
//!
//! A segment is a count (u32, little-endian), the length of what follows (u32) and a pickle: of a list of so many results, or,
//! if the count is 0, of one result. Each result is written as soon as it is there, so nothing that happens to the object later
//! can change it.

/// The opcodes around the elements of a list: PROTO 5 and MARK, LIST and STOP.
const LIST: ([u8; 3], [u8; 2]) = ([0x80, 5, b'('], *b"l.");

/// The bytes of count and length.
const HEADER: usize = 8;

/// Segments that are being written.
#[derive(Debug, Default)]
pub struct Segments {
    bytes: Vec<u8>,
    /// Where the segment begins that takes more results, and how many it has.
    open: Option<(usize, u32)>,
}

impl Segments {
    /// Appends a result that is given as opcodes which refer to nothing outside themselves.
    pub fn push_opcodes(&mut self, opcodes: &[u8]) {
        let (at, count) = self.open.unwrap_or_else(|| {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(&[0; HEADER]);
            self.bytes.extend_from_slice(&LIST.0);
            (at, 0)
        });
        self.bytes.extend_from_slice(opcodes);
        self.open = Some((at, count + 1));
    }

    /// Appends a result that is given as a whole pickle.
    pub fn push_pickle(&mut self, pickle: &[u8]) {
        self.close();
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER]);
        self.bytes.extend_from_slice(pickle);
        self.end(at, 0);
    }

    /// How many bytes there are so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All segments. Leaves none.
    pub fn take(&mut self) -> Vec<u8> {
        self.close();
        std::mem::take(&mut self.bytes)
    }

    fn close(&mut self) {
        if let Some((at, count)) = self.open.take() {
            self.bytes.extend_from_slice(&LIST.1);
            self.end(at, count);
        }
    }

    fn end(&mut self, at: usize, count: u32) {
        let length = self.bytes.len() - at - HEADER;
        let length = u32::try_from(length).expect("a worker sends what it has long before it comes to 4 GiB");
        self.bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
        self.bytes[at + 4..at + HEADER].copy_from_slice(&length.to_le_bytes());
    }
}

/// The pickles of results that are in segments of their own; none if some share one.
pub fn single_results(mut segments: &[u8]) -> Option<Vec<&[u8]>> {
    let mut results = Vec::new();
    while !segments.is_empty() {
        let (count, rest) = segments.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (pickle, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if u32::from_le_bytes(*count) != 0 {
            return None;
        }
        results.push(pickle);
        segments = rest;
    }
    Some(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_both_kinds_keep_their_order() {
        let mut segments = Segments::default();
        segments.push_opcodes(b"K\x01");
        segments.push_opcodes(b"N");
        segments.push_pickle(b"whole");
        segments.push_opcodes(b"N");
        let bytes = segments.take();
        let first = b"\x02\0\0\0\x08\0\0\0\x80\x05(K\x01Nl.".as_slice();
        let second = b"\0\0\0\0\x05\0\0\0whole".as_slice();
        let third = b"\x01\0\0\0\x06\0\0\0\x80\x05(Nl.".as_slice();
        assert_eq!(bytes, [first, second, third].concat());
        assert!(segments.is_empty() && segments.take().is_empty());
        assert_eq!(single_results(second), Some(vec![b"whole".as_slice()]));
        assert_eq!((single_results(&bytes), single_results(&second[..9])), (None, None));
    }
}
