//! Whether `item` is one item or the whole batch.

use crate::task::Batching;

/// The decision, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batched {
    /// Whether `item` is the batch.
    pub batched: bool,
    /// The reason, as the end of a sentence that begins with "because".
    pub why: &'static str,
}

/// The rule: a command that reads batches takes them; otherwise as `batched` says; otherwise true if the task is Python, `batch_size` is above 1 and the items are mappings
/// (records). `first_is_record` says whether the first item is one.
pub fn batched_rule(
    given: Option<bool>,
    batching: Batching,
    above_one: bool,
    first_is_record: Option<bool>,
) -> Batched {
    let record = first_is_record == Some(true);
    let (batched, why) = match (batching, given, above_one, record) {
        (Batching::Always, ..) => (true, "`stdin` has `batch`"),
        (_, Some(true), ..) => (true, "`batched` is true"),
        (_, Some(false), ..) => (false, "`batched` is false"),
        (Batching::Never, ..) => {
            (false, "only Python tasks, and commands with `stdin: {batch: ..}`, take whole batches")
        }
        (_, None, false, _) => (false, "`batch_size` is 1"),
        (_, None, true, false) => (false, "the items are not records (mappings)"),
        (_, None, true, true) => (true, "the task is Python, `batch_size` is above 1 and the items are records"),
    };
    Batched { batched, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_in_batches_go_to_python_as_a_list_and_all_else_one_by_one() {
        let rule = |given, python, size, record| {
            let batching = if python { Batching::Either } else { Batching::Never };
            batched_rule(given, batching, size > 1, record).batched
        };
        assert!(rule(None, true, 100, Some(true)));
        assert!(!rule(None, true, 5, Some(false)));
        assert!(!rule(None, true, 100, None));
        assert!(!rule(None, true, 1, Some(true)));
        assert!(!rule(None, false, 100, Some(true)));
        assert!(rule(Some(true), true, 1, Some(false)));
        assert!(!rule(Some(false), true, 100, Some(true)));
    }
}
