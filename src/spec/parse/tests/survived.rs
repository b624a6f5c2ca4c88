//! Whatever the bytes, the answer is a workflow or errors that can be shown.

use super::*;
use proptest::prelude::*;

/// Reads the bytes, and renders what is wrong with them.
fn survive(bytes: &[u8]) {
    if let Err(errors) = parse(Path::new("f.yaml"), bytes) {
        let text = &errors.source().text;
        for span in errors.errors().iter().filter_map(|error| error.span) {
            assert!(text.get(..span.start).is_some() && span.start <= span.end, "{span:?}");
        }
        errors.render(Style::Plain);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
    }

    #[test]
    fn any_yaml_characters_are_survived(text in "[-a:{}\\[\\]\"'|>&*!%#?, \n\r\tä0.$()~<@`\\\\]{0,80}") {
        survive(text.as_bytes());
    }

    #[test]
    fn mutations_of_a_good_file_are_survived(
        which in 0..EXAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
    ) {
        let mut bytes = EXAMPLES[which].1.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"-:{}[]\"'|>&*!%#?, \n\t"[byte as usize % 20]),
                _ => drop(bytes.remove(at)),
            }
        }
        survive(&bytes);
    }
}
