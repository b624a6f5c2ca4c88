//! Metrics in OpenMetrics' text format.
//!
//! The textfile collector of node_exporter reads the older format of Prometheus. Two rules make a text right in both: no
//! metric is of a type that only OpenMetrics has (`info`, `stateset`, `unknown`), and no help text needs an escape.

use super::run_metrics::{RunMetrics, StepMetrics};
use crate::model::{Stats, Status};
use crate::text::Printable;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

/// How a file of metrics begins.
pub const METRICS_START: &str = "# HELP batchmill_";

/// The text of a file that is written now.
pub(super) fn text(run: RunMetrics, now: i64) -> String {
    let mut registry = Registry::with_prefix("batchmill");
    registry.register_collector(Box::new(Snapshot { run, now }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("only a writer can fail, and a string does not");
    text
}

#[derive(Debug)]
struct Snapshot {
    run: RunMetrics,
    now: i64,
}

type Labels = Vec<(&'static str, String)>;

/// One metric: its name without unit, what it means, and a value for each set of labels.
struct Family<'a> {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    values: &'a [(Labels, f64)],
}

impl Family<'_> {
    fn gauge(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.encode(encoder, MetricType::Gauge, |value| match whole(value) {
            Some(value) => Box::new(ConstGauge::new(value)),
            None => Box::new(ConstGauge::new(value)),
        })
    }

    fn counter(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.encode(encoder, MetricType::Counter, |value| match whole(value) {
            Some(value) => Box::new(ConstCounter::new(value)),
            None => Box::new(ConstCounter::new(value)),
        })
    }

    fn encode(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        kind: MetricType,
        metric: impl Fn(f64) -> Box<dyn EncodeMetric>,
    ) -> fmt::Result {
        if self.values.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), kind)?;
        for (labels, value) in self.values {
            metric(*value).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}

/// The value as a number that is shown without a decimal point, if it is one.
fn whole(value: f64) -> Option<u64> {
    let is_whole = value.fract() == 0.0 && (0.0..1e15).contains(&value);
    is_whole.then_some(value as u64)
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_run(&mut encoder)?;
        self.encode_items(&mut encoder)?;
        self.encode_steps(&mut encoder)
    }
}

impl Snapshot {
    fn encode_run(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let run = &self.run;
        let info = |run| self.labels([("run", run), ("batchmill", env!("CARGO_PKG_VERSION"))]);
        let info: Vec<_> = run.run.iter().map(|run| (info(&run.0), 1.0)).collect();
        let help = "ID of the run, and version of batchmill; always 1";
        Family { name: "run_info", help, unit: None, values: &info }.gauge(encoder)?;

        let status = match run.ended {
            // Without a status it was refused, or an error of the system ended it.
            Some(_) => run.status.unwrap_or(Status::Failed),
            None => Status::Running,
        };
        let status = STATUSES.map(|(one, name)| (self.labels([("status", name)]), f64::from(u8::from(one == status))));
        let help = "1 for the status that the run has, 0 for all others";
        Family { name: "run_status", help, unit: None, values: &status }.gauge(encoder)?;

        let exit: Vec<_> = run.ended.iter().map(|(_, exit)| (self.labels([]), f64::from(*exit))).collect();
        let help = "Exit code of the run; missing until it ends";
        Family { name: "exit_code", help, unit: None, values: &exit }.gauge(encoder)?;

        let times = [
            ("run_start_timestamp", "When this execution of the run started", Some(run.started)),
            ("run_end_timestamp", "When it ended; missing until then", run.ended.map(|(time, _)| time)),
            ("last_success_timestamp", "When a run of the workflow last succeeded", run.last_success),
            ("update_timestamp", "When this file was written", Some(self.now)),
        ];
        for (name, help, time) in times {
            let value: Vec<_> = time.iter().map(|time| (self.labels([]), *time as f64 / 1e3)).collect();
            Family { name, help, unit: Some(Unit::Seconds), values: &value }.gauge(encoder)?;
        }
        Ok(())
    }

    fn encode_items(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut items = Vec::new();
        for (step, stats) in self.run.steps.iter().filter_map(|step| Some((step, step.stats.as_ref()?))) {
            for (outcome, count) in [
                ("succeeded", stats.succeeded),
                ("failed", stats.failed),
                ("skipped", stats.skipped),
                ("bad_row", stats.bad_rows),
                ("cancelled", stats.cancelled),
            ] {
                items.push((self.labels([("step", step.name.as_str()), ("outcome", outcome)]), count as f64));
            }
        }
        let help = "Items of the step with this outcome, over all executions of the run";
        Family { name: "items", help, unit: None, values: &items }.counter(encoder)?;

        let retries = self.of_steps(|step| Some(step.stats?.retried as f64));
        let help = "Attempts beyond the first of each item";
        Family { name: "retries", help, unit: None, values: &retries }.counter(encoder)?;

        let bytes = self.of_steps(|step| step.bytes.and(step.stats).map(|stats| stats.bytes_done as f64));
        let help = "Bytes of the step's files that are done";
        Family { name: "input", help, unit: Some(Unit::Bytes), values: &bytes }.counter(encoder)
    }

    fn encode_steps(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let total = self.of_steps(|step| step.total.map(|total| total as f64));
        let help = "Items of the step; missing while it is unknown";
        Family { name: "step_items", help, unit: None, values: &total }.gauge(encoder)?;

        let size = self.of_steps(|step| step.bytes.map(|bytes| bytes as f64));
        let help = "Size of the step's files";
        Family { name: "step_size", help, unit: Some(Unit::Bytes), values: &size }.gauge(encoder)?;

        let workers = self.of_steps(|step| Some(if step.running { step.workers as f64 } else { 0.0 }));
        let help = "Workers of the step; 0 when it has ended";
        Family { name: "step_workers", help, unit: None, values: &workers }.gauge(encoder)?;

        let busy = self.of_steps(|step| Some(step.load?.busy_slots));
        let help = "Workers that were busy on average over the last second; missing when the step has ended";
        Family { name: "step_busy_workers", help, unit: None, values: &busy }.gauge(encoder)?;

        let cores = self.of_steps(|step| Some(step.load?.cores));
        let help = "CPU cores that engine and tasks used over the last second; missing when the step has ended";
        Family { name: "step_cpu_cores", help, unit: None, values: &cores }.gauge(encoder)?;

        let memory = self.of_steps(|step| Some(step.load?.memory as f64));
        let help = "Memory of engine and tasks; missing when the step has ended";
        Family { name: "step_memory", help, unit: Some(Unit::Bytes), values: &memory }.gauge(encoder)?;

        let duration = self.of_steps(|step| step.stats.map(|stats: Stats| stats.duration.as_secs_f64()));
        let help = "Time from the start of the step to its latest batch, or to its end";
        Family { name: "step_duration", help, unit: Some(Unit::Seconds), values: &duration }.gauge(encoder)
    }

    /// A value for each step that has one.
    fn of_steps(&self, value: impl Fn(&StepMetrics) -> Option<f64>) -> Vec<(Labels, f64)> {
        let steps = self.run.steps.iter();
        steps.filter_map(|step| Some((self.labels([("step", step.name.as_str())]), value(step)?))).collect()
    }

    /// These labels behind the name of the workflow, which tells the files of a directory apart.
    fn labels<const N: usize>(&self, more: [(&'static str, &str); N]) -> Labels {
        let workflow = ("workflow", Printable::line(&self.run.workflow).to_string());
        [workflow].into_iter().chain(more.map(|(name, value)| (name, value.to_owned()))).collect()
    }
}

const STATUSES: [(Status, &str); 6] = [
    (Status::Running, "running"),
    (Status::Succeeded, "succeeded"),
    (Status::Partial, "partial"),
    (Status::Failed, "failed"),
    (Status::Empty, "empty"),
    (Status::Interrupted, "interrupted"),
];
