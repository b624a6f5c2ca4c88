//! What the threads of a step may be doing.

/// What a slot is doing. At each instant it is doing exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// Not needed: the step is narrower than its pool.
    Parked,
    /// Held back by a pause.
    Held,
    /// Waiting for work: the source is slower than the slots, items wait for a retry, or there are none left.
    Idle,
    /// Waiting until an outcome is taken, because recording is slower than the slots.
    Blocked,
    /// Waiting for `rate_limit`.
    RateLimited,
    /// Starting a process: a command, or a worker with its imports and `setup`.
    Start,
    /// Preparing items for the task: templates, messages for a worker.
    Encode,
    /// Sending items to a worker.
    Send,
    /// The task at work.
    Task,
    /// Taking over results.
    Receive,
}

impl SlotState {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Parked,
        Self::Held,
        Self::Idle,
        Self::Blocked,
        Self::RateLimited,
        Self::Start,
        Self::Encode,
        Self::Send,
        Self::Task,
        Self::Receive,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Idle => "idle",
            Self::Blocked => "blocked",
            Self::RateLimited => "rate-limited",
            Self::Start => "start",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Task => "task",
            Self::Receive => "receive",
        }
    }

    /// What the slot is doing then, as a phrase.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Parked => "not needed, because the step is narrower than its pool",
            Self::Held => "held back by a pause, or by a machine that is short of something",
            Self::Idle => "waiting for items",
            Self::Blocked => "waiting until results are recorded",
            Self::RateLimited => "waiting for `rate_limit`",
            Self::Start => "starting a command, or a worker with its imports and `setup`",
            Self::Encode => "preparing items: templates, messages for a worker",
            Self::Send => "sending items to a worker",
            Self::Task => "the task at work",
            Self::Receive => "taking over results",
        }
    }

    /// Whether the slot works on items then.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Start | Self::Encode | Self::Send | Self::Task | Self::Receive)
    }
}

/// What the feeder is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeederState {
    /// Reading items.
    Read,
    /// Waiting: for slots to take what it has, or for items.
    Wait,
}

/// What the aggregator is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregatorState {
    /// Waiting for outcomes.
    Wait,
    /// Recording outcomes.
    Commit,
    /// Telling listeners, and whoever writes the output file.
    Publish,
}
