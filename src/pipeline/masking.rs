//! Keeps secrets out of the failures that the recorder and the listeners get.

use crate::model::{BatchReport, Failure};
use crate::text::{CUT, Secrets};

/// Masks the secrets in a failure.
pub fn mask_failure(secrets: &Secrets, failure: &mut Failure) {
    secrets.mask(&mut failure.class);
    if secrets.is_empty() {
        return;
    }
    // The message of an exception is its first line. If the detail has more of it, a secret may go on there.
    let goes_on = failure.detail.as_ref().and_then(|detail| detail.split_once(&format!("{}\n", failure.message)));
    let mark = if goes_on.is_some_and(|(_, rest)| !rest.trim().is_empty()) { CUT } else { "" };
    failure.message.push_str(mark);
    secrets.mask(&mut failure.message);
    failure.message.truncate(failure.message.len() - mark.len());
    failure.detail.iter_mut().for_each(|detail| secrets.mask(detail));
}

/// Masks the secrets in a report, except in its results, which are the user's data.
pub(super) fn mask_report(secrets: &Secrets, report: &mut BatchReport) {
    if secrets.is_empty() {
        return;
    }
    for failed in &mut report.failed {
        mask_failure(secrets, &mut failed.failure);
        failed.handler.iter_mut().for_each(|failure| mask_failure(secrets, failure));
        let mut item = String::from_utf8_lossy(&failed.item).into_owned();
        secrets.mask(&mut item);
        failed.item = item.into_bytes();
    }
    report.retries.iter_mut().for_each(|(_, _, failure)| mask_failure(secrets, failure));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    fn masked(class: &str, message: &str, detail: &str) -> [String; 3] {
        let mut failure =
            Failure::new(FailureKind::Exception, class, message.to_owned()).with_detail(detail.to_owned());
        mask_failure(&Secrets::new(["hunter2-long".to_owned()]), &mut failure);
        [failure.class, failure.message, failure.detail.unwrap()]
    }

    #[test]
    fn each_part_of_a_failure_is_masked() {
        let failure = masked("E_hunter2-long", "no hunter2-long", "at hunter2-long");
        assert_eq!(failure, ["E_***", "no ***", "at ***"]);
    }

    #[test]
    fn a_message_that_is_the_first_line_of_more_shows_no_beginning_of_a_secret() {
        let [_, message, _] = masked("E", "no hunter2", "E: no hunter2\n-long\n");
        assert_eq!(message, "no ***");
        // Nothing comes after this one.
        let [_, message, _] = masked("E", "no hunter2", "E: no hunter2\n");
        assert_eq!(message, "no hunter2");
    }
}
