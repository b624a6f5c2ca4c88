//! Room for the slots of a step: the limit of open files.

use super::env::StepEnv;
use crate::compile::OpenStep;
use crate::task::{FileRoom, make_room};
use std::sync::Arc;

/// Raises the soft limit of open files as far as the slots of the step need it and the hard limit allows. If that is not enough,
/// the step gets fewer slots.
pub(super) fn fit_to_files(env: &mut StepEnv<'_>, open: &mut OpenStep) {
    let programs = [Some(&env.step.program), env.step.handler.as_ref()];
    let starts_processes = programs.into_iter().flatten().any(|program| program.starts_processes());
    let wanted = open.settings.lane.width;
    let FileRoom { slots, limit } = make_room(wanted, starts_processes);
    if slots < wanted {
        let lane = Arc::make_mut(&mut open.settings.lane);
        lane.width = slots;
        open.settings.first_width = open.settings.first_width.map(|first| first.min(slots));
        env.notice(format!(
            "{slots} instead of {wanted} workers, because only {limit} files may be open at once (`ulimit -Hn`)"
        ));
    }
}
