//! What goes wrong: by a script, by chance from a seed, or not at all.

use std::collections::VecDeque;

/// A place where something may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The consumer reads the state of hourly rows.
    RowStates,
    /// The consumer asks the budget of an hour; persisting means that the reply alone is lost.
    AskBudget,
    /// A budget reads its log.
    BudgetLoad,
    /// A budget appends to its log.
    BudgetAppend,
    /// The consumer stores raw rows.
    StoreEvents,
    /// The consumer stores dead letters.
    StoreDeadLetters,
    /// A replay looks for letters.
    FindLetters,
    /// A replay reads bodies of letters.
    ReadLetters,
    /// A replay changes its letters.
    SettleLetters,
    /// The consumer calls an object; persisting means that the reply alone is lost.
    Call,
    /// An object reads its log.
    Load,
    /// An object appends to its log.
    Append,
    /// An object writes its checkpoint.
    Checkpoint,
    /// An object writes its count of duplicates.
    Tally,
    /// The consumer notes hours that wait.
    NoteWaiting,
    /// An object sets its alarm.
    SetAlarm,
    /// An object writes its row to D1.
    Flush,
    /// An object marks its row sealed.
    Seal,
    /// An object deletes itself.
    Delete,
    /// The alerts' cron reads states and silences.
    LoadAlerts,
    /// It keeps a minute: sample, states, notifications.
    CommitAlerts,
    /// It reads what waits to be sent.
    ReadNotifications,
    /// It claims a notification.
    ClaimNotification,
    /// It sends one; persisting means that the receiver's answer alone is lost.
    SendNotification,
    /// It notes how an attempt ended.
    EndNotification,
    /// The platform kills the alerts' cron before or behind one of its steps.
    KillCron,
    /// The platform evicts an object between two awaits of its alarm, which goes on.
    Evict,
    /// The platform kills an object between two awaits of its alarm, which ends there.
    Die,
}

/// How one attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Works,
    /// It fails before anything was done.
    Fails,
    /// It is done, and says that it failed.
    FailsButPersists,
}

impl Fate {
    /// Whether the work is done.
    pub fn persists(self) -> bool {
        self != Self::Fails
    }

    /// What the caller is told.
    pub fn told<T>(self, value: T) -> Result<T, Outage> {
        if self == Self::Works {
            Ok(value)
        } else {
            Err(Outage)
        }
    }
}

/// What a caller is told of a failure: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage;

impl core::fmt::Display for Outage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("an outage of the test")
    }
}

/// A plan of faults. The same seed makes the same faults.
#[derive(Debug, Clone)]
pub struct Faults {
    percent: u64,
    state: u64,
    script: VecDeque<(Step, Fate)>,
}

impl Faults {
    /// Nothing goes wrong unless scripted.
    pub fn none() -> Self {
        Self::by_chance(0, 0)
    }

    /// So many attempts of a hundred go wrong.
    pub fn by_chance(percent: u64, seed: u64) -> Self {
        Self { percent, state: seed, script: VecDeque::new() }
    }

    /// The next attempt of `step` that is not scripted yet ends so.
    pub fn script(&mut self, step: Step, fate: Fate) {
        self.script.push_back((step, fate));
    }

    /// Whether everything scripted has come to pass.
    pub fn all_happened(&self) -> bool {
        self.script.is_empty()
    }

    /// From now on chance does no harm.
    pub fn calm(&mut self) {
        self.percent = 0;
    }

    /// How this attempt of `step` ends.
    pub fn fate(&mut self, step: Step) -> Fate {
        if let Some(at) = self.script.iter().position(|(scripted, _)| *scripted == step) {
            return self.script.remove(at).unwrap().1;
        }
        if self.below(100) >= self.percent {
            Fate::Works
        } else if self.below(2) == 0 {
            Fate::Fails
        } else {
            Fate::FailsButPersists
        }
    }

    /// Whether the platform strikes now.
    pub fn strikes(&mut self, step: Step) -> bool {
        self.fate(step) != Fate::Works
    }

    /// A number below `bound`, from the seed (`SplitMix64`).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Whether one of `chances` came up.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// Puts items in another order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.index(end + 1);
            items.swap(end, other);
        }
    }
}
