//! The time of day.

use jiff::Timestamp;
use std::time::SystemTime;

/// What the clock of the machine says. It may be set wrong, and may go backwards. What no date can express counts as the nearest
/// one that it can: 1970, or the end of the year 9999.
pub fn wall_clock() -> Timestamp {
    nearest(SystemTime::now())
}

fn nearest(time: SystemTime) -> Timestamp {
    if time < SystemTime::UNIX_EPOCH {
        Timestamp::UNIX_EPOCH
    } else {
        Timestamp::try_from(time).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn any_clock_is_a_time_of_which_a_date_can_be_made() {
        let (epoch, day) = (SystemTime::UNIX_EPOCH, Duration::from_secs(86_400));
        let date = |time| nearest(time).strftime("%Y%m%d").to_string();
        assert_eq!(date(epoch + day), "19700102");
        assert_eq!(date(epoch - day), "19700101");
        assert_eq!(date(epoch - day * 100_000_000), "19700101");
        assert_eq!(date(epoch + day * 100_000_000), "99991230");
    }
}
