//! Detects the encoding of a file.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// An encoding, and how it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DetectedEncoding {
    pub(crate) encoding: &'static Encoding,
    /// Whether the text starts with a byte order mark.
    pub(crate) mark: bool,
    pub(crate) guessed: bool,
    /// Whether it holds whatever follows.
    pub(crate) settled: bool,
}

impl DetectedEncoding {
    /// The encoding that the workflow names.
    pub(crate) fn given(encoding: &'static Encoding, head: &[u8]) -> Self {
        let mark = Encoding::for_bom(head);
        // A byte order mark wins when text is decoded, except over UTF-8, where it is dropped.
        let encoding = mark.filter(|_| encoding != UTF_8).map_or(encoding, |(marked, _)| marked);
        let mark = mark.is_some_and(|(marked, _)| marked == encoding);
        Self { encoding, mark, guessed: false, settled: true }
    }

    /// The encoding that the beginning of the text suggests: that of its mark, or UTF-8 until something contradicts it.
    pub(crate) fn of(head: &[u8]) -> Self {
        if let Some((encoding, _)) = Encoding::for_bom(head) {
            return Self { encoding, mark: true, guessed: false, settled: true };
        }
        let plain = Self { encoding: UTF_8, mark: false, guessed: false, settled: false };
        match std::str::from_utf8(head) {
            // A character that is cut in two at the end proves nothing.
            Err(error) if error.error_len().is_some() => {
                guess(head).map_or(Self { settled: true, ..plain }, Self::guessed)
            }
            _ => plain,
        }
    }

    /// The encoding that an earlier pass has guessed.
    pub(crate) fn guessed(encoding: &'static Encoding) -> Self {
        Self { encoding, mark: false, guessed: true, settled: true }
    }
}

/// The likely encoding of bytes that are not UTF-8; none if they are UTF-8 with some bad bytes, because text of another
/// encoding is hardly ever valid UTF-8 by chance.
pub(crate) fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|char| !char.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    if good >= bad {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, false);
    Some(detector.guess(None, Utf8Detection::Deny))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_known_by_its_mark_or_guessed() {
        let of = |bytes: &[u8]| DetectedEncoding::of(bytes).encoding.name();
        assert_eq!(of(b"plain"), "UTF-8");
        assert_eq!(of(b"\xFF\xFEa\0"), "UTF-16LE");
        assert_eq!(of("Größe und Länge, Köln, Zürich".as_bytes()), "UTF-8");
        assert_eq!(of(b"Gr\xF6\xDFe und L\xE4nge, K\xF6ln, Z\xFCrich"), "windows-1252");
        assert_eq!(of("Größe und Länge, K\u{f6}ln, Zürich".as_bytes().split_last().unwrap().1), "UTF-8");
        let (russian, _, _) = encoding_rs::WINDOWS_1251.encode("Москва, Санкт-Петербург и Новосибирск");
        assert_eq!(of(&russian), "windows-1251");
    }

    #[test]
    fn good_text_with_a_bad_byte_is_not_taken_for_another_encoding() {
        let detected = DetectedEncoding::of(b"K\xC3\xB6ln, Z\xC3\xBCrich, \xFFx");
        assert_eq!((detected.encoding.name(), detected.settled), ("UTF-8", true));
    }
}
