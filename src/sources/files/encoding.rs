//! Detects the encoding of a file.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

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
        if let Some(encoding) = utf16_without_mark(head) {
            return Self::guessed(encoding);
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

/// UTF-16 without a byte order mark, as its zeros show: every ASCII character has one, always on the same side. Other text with
/// zeros in it has few of them, or has them on both sides.
fn utf16_without_mark(head: &[u8]) -> Option<&'static Encoding> {
    const SHARE: usize = 8;
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let units = head.len() / 2;
    let (encoding, right, wrong, ordered): (_, _, _, fn([u8; 2]) -> u16) = if second > first {
        (UTF_16LE, second, first, u16::from_le_bytes)
    } else {
        (UTF_16BE, first, second, u16::from_be_bytes)
    };
    if right * SHARE < units.max(1) || wrong * SHARE > right {
        return None;
    }
    let text = head.chunks_exact(2).map(|unit| ordered([unit[0], unit[1]]));
    let mut breaks = 0;
    for unit in text {
        match unit {
            0x09 => {}
            0x0A | 0x0D => breaks += 1,
            // No text has these.
            0..0x20 | 0xFFFE..=0xFFFF => return None,
            _ => {}
        }
    }
    (breaks > 0).then_some(encoding)
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
    fn utf_16_without_a_mark_is_known_by_its_zeros() {
        let of = |bytes: &[u8]| DetectedEncoding::of(bytes).encoding.name();
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        for text in ["a,b\n1,2\n", "name;größe\r\nKöln;😀\r\n", "名,市\n田中,東京\n1,2\n", "год,город\n2024,Москва\n"]
        {
            assert_eq!((of(&little(text)), of(&big(text))), ("UTF-16LE", "UTF-16BE"), "{text}");
            // The beginning of a file may end within a character.
            assert_eq!(of(little(text).split_last().unwrap().1), "UTF-16LE", "{text}");
        }
        for bytes in [&b"a,b\n1\0,2\n"[..], b"\0\0\0\0\n\0", b"n\n\0x\0\0y\n", b"a\0b\0c\0", b"", b"\0", b"\0\n\0\x01"]
        {
            assert_eq!(of(bytes), "UTF-8", "{bytes:?}");
        }
    }

    #[test]
    fn good_text_with_a_bad_byte_is_not_taken_for_another_encoding() {
        let detected = DetectedEncoding::of(b"K\xC3\xB6ln, Z\xC3\xBCrich, \xFFx");
        assert_eq!((detected.encoding.name(), detected.settled), ("UTF-8", true));
    }
}
