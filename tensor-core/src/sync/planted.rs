//! Mistakes that a model plants in the real code, to show that it would find them.

/// A mistake. Only loom's models can make one; everywhere else [`planted`] is `false` at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A transition is a store instead of a compare-and-swap.
    StoresBlindly,
    /// Transitions order nothing.
    OrdersNothing,
    /// Whoever gives a slot away clears its hint, when it may be somebody else's already.
    ClearsAnothersHint,
    /// Hints decide that there is nothing, and that one may sleep.
    SleepsOnHints,
    /// A request whose caller has left is handed to another worker.
    PublishesWhatWasLeft,
    /// No fence between announcing a sleep and the last look.
    NoFenceBeforeSleep,
    /// No fence between a transition and the look for sleepers and at the hint.
    NoFenceBeforeWake,
    /// Whoever was woken does not wake the next.
    KeepsTheRing,
    /// Recovery settles every slot, not only those of the dead.
    SettlesAnothersSlot,
    /// Recovery leaves what the dead held as a sender.
    LeavesLoansBehind,
    /// Recovery sets no hints.
    RecoversWithoutHints,
    /// Recovery wakes nobody.
    RecoversSilently,
    /// One look at the tickets is believed.
    LooksOnce,
    /// A record is ready before it has its ticket.
    TicketAfterReady,
    /// A run takes whatever lies beside it.
    GrowsBlindly,
    /// A request that another server was faster to take is gathered all the same.
    GathersAnothers,
    /// Requests of a run are taken as if each were alone.
    TakesRunsAsIfAlone,
    /// A slot becomes free while one of two still holds it.
    FreesUnderAHold,
    /// A caller's bell is rung without a hint at which of its calls was answered.
    RingsWithoutAHint,
    /// Whoever finds a hint stale takes it back without another look at the word.
    TakesHintsBackBlindly,
    /// No fence between taking a hint back and the look at the word.
    NoFenceAfterHint,
}

#[cfg(loom)]
impl Bug {
    const ALL: [Bug; 21] = [
        Bug::StoresBlindly,
        Bug::OrdersNothing,
        Bug::ClearsAnothersHint,
        Bug::SleepsOnHints,
        Bug::PublishesWhatWasLeft,
        Bug::NoFenceBeforeSleep,
        Bug::NoFenceBeforeWake,
        Bug::KeepsTheRing,
        Bug::SettlesAnothersSlot,
        Bug::LeavesLoansBehind,
        Bug::RecoversWithoutHints,
        Bug::RecoversSilently,
        Bug::LooksOnce,
        Bug::TicketAfterReady,
        Bug::GrowsBlindly,
        Bug::GathersAnothers,
        Bug::TakesRunsAsIfAlone,
        Bug::FreesUnderAHold,
        Bug::RingsWithoutAHint,
        Bug::TakesHintsBackBlindly,
        Bug::NoFenceAfterHint,
    ];
}

/// Names the mistake that this process makes.
#[cfg(loom)]
const PLANT: &str = "TENSORBRIDGE_PLANT";

/// Whether to make this mistake.
#[cfg(loom)]
pub(crate) fn planted(bug: Bug) -> bool {
    static PLANTED: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var(PLANT).ok()?;
        Some(Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name).expect("a mistake"))
    });
    *PLANTED == Some(bug)
}

/// Explores the model `test` in a process of its own, with this mistake planted, and asserts that it is found, for the
/// reason `why`.
///
/// In a process of its own because loom, when it has found a deadlock, may panic in a destructor and abort.
#[cfg(all(test, loom))]
pub(crate) fn assert_found(bug: Bug, test: &str, why: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(PLANT, format!("{bug:?}"))
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("running 1 test"), "there is no model `{test}`: {said}");
    assert!(!output.status.success(), "`{test}` does not find {bug:?}");
    assert!(said.contains(why), "`{test}` fails for another reason than {bug:?}: {said}");
}

/// Whether to make this mistake: never.
#[cfg(not(loom))]
#[inline]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
