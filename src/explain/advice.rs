//! What limits a step, in a sentence.

use crate::measure::{Sample, SlotState, SlotTimes};

/// A share from which on something is worth naming.
const MUCH: f64 = 0.25;

/// What kept the slots of a step from finishing sooner: where most of their time went. `total` is the whole step, `hosts` the number
/// of machines that ran it if it ran on a cluster.
pub(super) fn limited_by(total: &Sample, times: &SlotTimes, hosts: Option<usize>) -> String {
    let all = times.iter().sum::<u64>().max(1) as f64;
    let share = |state: SlotState| times[state as usize] as f64 / all;
    let feeder = total.feeder.iter().sum::<u64>().max(1) as f64;
    let (idle, start, task) = (share(SlotState::Idle), share(SlotState::Start), share(SlotState::Task));
    if share(SlotState::Blocked) > MUCH {
        return format!(
            "Recording results limits it: slots waited {} of their time for that.",
            percent(share(SlotState::Blocked))
        );
    }
    if share(SlotState::RateLimited) > MUCH {
        return format!(
            "`rate_limit` limits it: slots waited {} of their time for it.",
            percent(share(SlotState::RateLimited))
        );
    }
    if share(SlotState::Held) > MUCH {
        return format!("It was paused for {} of the time.", percent(share(SlotState::Held)));
    }
    if idle > MUCH && total.feeder[0] as f64 / feeder > 0.5 {
        return format!("Its source limits it: slots waited {} of their time for items.", percent(idle));
    }
    if idle > MUCH {
        let why = "there were too few items at a time, or items waited for a retry";
        return format!("Slots were idle {} of their time: {why}.", percent(idle));
    }
    if start > MUCH {
        return format!("Starting processes takes {} of the slots' time.", percent(start));
    }
    let working = (times[SlotState::Task as usize] + times[SlotState::Start as usize]).max(1) as f64;
    if let Some(hosts) = hosts.filter(|_| task > 0.5) {
        return on_hosts(hosts, total.workers[1] as f64 / working);
    }
    let cpu = total.usage.task_cpu as f64 / working;
    if task > 0.5 && cpu > 0.75 {
        return format!("The CPU limits it: tasks computed in {} of their time.", percent(cpu.min(1.0)));
    }
    if task > 0.5 && cpu < 0.25 {
        return format!(
            "Its tasks mostly wait: they used the CPU in {} of their time. More workers may help.",
            percent(cpu)
        );
    }
    if task > 0.5 {
        return format!("Its tasks limit it: they used the CPU in {} of their time.", percent(cpu));
    }
    format!("No single thing limits it: the task itself took {} of the slots' time.", percent(task))
}

/// The same for tasks on a cluster, of which only the time of Python code is known: its share of the time of frames.
fn on_hosts(hosts: usize, python: f64) -> String {
    let machines = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
    if python == 0.0 {
        return format!("Its tasks limit it: they ran on {machines}, whose CPU time is not measured.");
    }
    let share = percent(python.min(1.0));
    if python < 0.5 {
        let advice = "Larger batches, or more items, would keep it busier.";
        return format!(
            "The cluster limits it: Python code ran in {share} of the time of frames, on {machines}. {advice}"
        );
    }
    format!("Its tasks limit it: Python code ran in {share} of the time of frames, on {machines}.")
}

fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}
