//! One table of everything that can go wrong, with codes that never change.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::schema::{Difference, InvalidSchema, SchemaFormError};

/// Everything that can go wrong, in any language.
///
/// Each variant has a stable [`code`](Error::code), which is the same in Python. Match on the variant to act on an
/// error; print it to tell a person what was found, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A schema breaks a rule.
    #[error(transparent)]
    InvalidSchema(#[from] InvalidSchema),
    /// Bytes in an arena are not a schema.
    #[error("the schema in the arena cannot be read: {0}")]
    SchemaForm(#[from] SchemaFormError),
    /// Two sides do not mean the same record.
    #[error(transparent)]
    SchemaMismatch(Box<SchemaMismatch>),

    /// Nobody hosts this name.
    #[error(
        "nobody hosts `{name}` (waited {waited:?}, looked at {}): start the host first, or wait longer with a larger timeout",
        path.display()
    )]
    NotFound {
        /// The name asked for.
        name: String,
        /// How long was waited.
        waited: Duration,
        /// Where its socket would be.
        path: PathBuf,
    },
    /// A live process hosts this name already.
    #[error("`{name}` is hosted by process {pid} already: choose another name or stop that process")]
    NameTaken {
        /// The name.
        name: String,
        /// Who hosts it.
        pid: u32,
    },
    /// Another process is about to take this name and has not finished.
    #[error(
        "`{name}` is just being taken by {}, which has not finished after {waited:?}: if it is stopped, let it go on or end it",
        process(*pid)
    )]
    NameBusy {
        /// The name.
        name: String,
        /// Who is taking it; `None` where the kernel does not say.
        pid: Option<u32>,
        /// How long was waited.
        waited: Duration,
    },
    /// A meeting point's name breaks the rule.
    #[error("`{name}` cannot be a meeting point: expected `[a-z][a-z0-9_.]*` of at most 63 bytes")]
    InvalidName {
        /// The name found.
        name: String,
    },
    /// Something else listens where the arena's host should.
    #[error("{} is not a tensorbridge socket: {found}", path.display())]
    NotTensorbridge {
        /// The path.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The two processes were built with different memory layouts.
    #[error(
        "ABI number {ours} here, {theirs} at the other side: use builds of tensorbridge with the same ABI number"
    )]
    AbiMismatch {
        /// This process's ABI number.
        ours: u32,
        /// The other side's.
        theirs: u32,
    },
    /// The memory handed over is not an arena, or not whole.
    #[error("the memory handed over is not a usable arena: {reason}")]
    BadSegment {
        /// What is wrong with it.
        reason: String,
    },
    /// The other side runs as another user.
    #[error(
        "{what} belongs to user {found}, but this process runs as user {expected}: both must be the same user"
    )]
    WrongUser {
        /// What was looked at.
        what: String,
        /// The user found.
        found: u32,
        /// This process's user.
        expected: u32,
    },
    /// The host turned this process away.
    #[error("the host of `{name}` refused: {reason}")]
    Refused {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// An arena cannot have this many slots.
    #[error("`{name}` cannot have {found} slots: expected {min}..={max}")]
    InvalidSlots {
        /// The name of the arena.
        name: String,
        /// The number found.
        found: usize,
        /// The fewest there can be.
        min: usize,
        /// The most there can be.
        max: usize,
    },
    /// The directory of the meeting points cannot be used.
    #[error("{} cannot hold meeting points: {reason}; set TENSORBRIDGE_DIR to a private directory", path.display())]
    BadDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// Not enough memory for an arena, or for a run of records.
    #[error("{bytes} bytes of memory are not to be had: {reason}; use fewer slots, or `sparse`")]
    OutOfMemory {
        /// How many bytes were asked for.
        bytes: usize,
        /// What the system said.
        reason: String,
    },
    /// No file descriptors left.
    #[error("this process has no file descriptors left ({what}): raise RLIMIT_NOFILE")]
    TooManyFiles {
        /// What needed one.
        what: &'static str,
    },
    /// Every slot is in use, or this client holds as many as it may.
    #[error(transparent)]
    Full(Box<Full>),
    /// This platform or kernel lacks what connecting needs.
    #[error("{what} is not supported here: tensorbridge connects on 64-bit little-endian Linux {needs}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What it needs.
        needs: &'static str,
    },
    /// The system refused something that has no variant of its own.
    #[error("{what} failed: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },

    /// A required field was never written.
    #[error("required field `{field}` of `{schema}` was never written")]
    MissingField {
        /// The schema.
        schema: String,
        /// The field.
        field: String,
    },
    /// A symbolic dimension was never set.
    #[error("dimension `{dim}` of `{schema}` is not set: set it before writing or sending its fields")]
    DimUnset {
        /// The schema.
        schema: String,
        /// The dimension.
        dim: String,
    },
    /// A length beyond a symbolic dimension's bounds.
    #[error("dimension `{dim}` of `{schema}` cannot be {found}: expected {min}..={max}")]
    DimOutOfRange {
        /// The schema.
        schema: String,
        /// The dimension.
        dim: String,
        /// The length found, which from Python may be any number.
        found: i128,
        /// Its minimum.
        min: u64,
        /// Its capacity.
        max: u64,
    },
    /// The record is no longer this program's to touch.
    #[error("this record was {how} already: its memory belongs to somebody else now")]
    Released {
        /// `sent`, `called` or `released`.
        how: &'static str,
    },
    /// `strict` forbids sending while an alias of a field lives.
    #[error(
        "field `{field}` still has {aliases} alias(es) in this process: drop them before sending, or do not ask for `strict`"
    )]
    Aliased {
        /// The field.
        field: String,
        /// How many aliases live.
        aliases: usize,
    },
    /// No such field.
    #[error("`{schema}` has no field `{field}`; it has: {known}")]
    UnknownField {
        /// The schema.
        schema: String,
        /// The name asked for.
        field: String,
        /// The names there are.
        known: String,
    },
    /// A value of the wrong dtype.
    #[error("field `{field}` is {expected}, the value is {found}: convert it first")]
    WrongDType {
        /// The field.
        field: String,
        /// The dtype it has.
        expected: String,
        /// The dtype found.
        found: String,
    },
    /// A value of the wrong shape.
    #[error("field `{field}` has shape {expected}, the value has shape {found}")]
    WrongShape {
        /// The field.
        field: String,
        /// The shape it has.
        expected: String,
        /// The shape found.
        found: String,
    },
    /// A framework cannot alias this memory and `strict` forbids a copy.
    #[error("field `{field}` cannot be handed over without a copy: {reason}")]
    NeedsCopy {
        /// The field.
        field: String,
        /// Alignment, strides or dtype.
        reason: String,
    },
    /// A write to a record that is received.
    #[error("field `{field}` was received and is read-only: copy it, or loan a record of your own")]
    ReadOnly {
        /// The field.
        field: String,
    },
    /// A description of a field came too late.
    #[error(
        "the record described is gone: slot {slot} has left generation {generation}; whoever describes a \
         field has to hold its record until the other side is done"
    )]
    StaleDescriptor {
        /// The slot.
        slot: u32,
        /// The generation it had.
        generation: u64,
    },
    /// A description of a field describes none.
    #[error("the descriptor cannot be opened: {reason}")]
    BadDescriptor {
        /// Why.
        reason: String,
    },

    /// Some records of a run have a field and some lack it.
    #[error(
        "optional field `{field}` is absent in {absent} of {records} records: say what to put there (`fill`), or look at the \
         records one by one"
    )]
    PartlyPresent {
        /// The field.
        field: String,
        /// How many records lack it.
        absent: usize,
        /// How many records there are.
        records: usize,
    },
    /// A text is no W3C trace context.
    #[error(
        "{found:?} is no traceparent: {reason}; expected `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`"
    )]
    BadTraceparent {
        /// The text.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// Something was asked of an arena, or of a record, that is not of the kind that offers it.
    #[error("`{name}` {reason}")]
    WrongKind {
        /// The name of the arena, or of the record's schema.
        name: String,
        /// What it is instead, and what to do.
        reason: String,
    },

    /// A wait reached its deadline.
    #[error("{what} took longer than {after:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The timeout.
        after: Duration,
    },
    /// The process that hosts the arena is gone, or hosts it no more.
    #[error("the host of `{name}` (process {pid}) died or closed it: reconnect once a new one runs")]
    HostDied {
        /// The name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// Whoever had taken the request is gone without an answer, and nobody else may answer it.
    #[error("`{name}` has no answer after {attempts} attempt(s): {reason}")]
    WorkerDied {
        /// The service.
        name: String,
        /// How many workers had taken the request.
        attempts: u32,
        /// Why nobody else may answer it.
        reason: &'static str,
    },
    /// The worker's own code failed; the worker lives on.
    #[error(transparent)]
    Remote(Box<RemoteError>),
    /// A shared word has a value that no honest peer writes.
    #[error("shared memory of `{name}` was corrupted by a peer: {what}")]
    Corrupt {
        /// The arena.
        name: String,
        /// Which word, and what was found.
        what: String,
    },
    /// A record was used in a forked child.
    #[error(
        "this endpoint was created before fork(): connect again in the child (in Python, `copy.copy(endpoint)` does), or \
         spawn the process instead of forking it"
    )]
    Forked,
    /// The endpoint was closed.
    #[error("this {what} is closed")]
    Closed {
        /// `client`, `sender`, ...
        what: &'static str,
    },
    /// A worker process could not be started, or ended while it was waited for.
    #[error("worker `{command}` {reason}")]
    WorkerExited {
        /// The command line.
        command: String,
        /// How it ended.
        reason: String,
    },
    /// A wait was ended by a signal, on behalf of the program's own handler.
    #[error("the wait was interrupted by a signal")]
    Interrupted,
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Both sides of a schema mismatch.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{arena}`: the {what} schema here is not the one in the arena; first difference: {difference}\n\
     here ({ours_fingerprint}):\n{ours}\nthere ({theirs_fingerprint}):\n{theirs}"
)]
#[non_exhaustive]
pub struct SchemaMismatch {
    /// The name of the arena.
    pub arena: String,
    /// `record`, `request` or `reply`.
    pub what: &'static str,
    /// The schema of this process, as text.
    pub ours: String,
    /// Its fingerprint.
    pub ours_fingerprint: String,
    /// The schema in the arena, as text.
    pub theirs: String,
    /// Its fingerprint.
    pub theirs_fingerprint: String,
    /// The first difference.
    pub difference: Difference,
}

/// An arena without a free slot, or a client that may hold no more of them, and who has them.
#[derive(Debug)]
pub struct Full {
    /// The name of the arena.
    pub arena: String,
    /// How many slots it has.
    pub slots: usize,
    /// How many slots this client may hold at once, when it holds them all; `None` when no slot was free.
    pub budget: Option<usize>,
    /// How long was waited for one.
    pub waited: Duration,
    /// Who holds slots, most first.
    pub holders: Vec<Holder>,
}

/// A process that holds slots of an arena.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The process; `None` for records that were sent one way and not received yet, which nobody holds.
    pub pid: Option<u32>,
    /// The command line of that process, shortened; empty where the system does not say.
    pub command: String,
    /// What it holds them as: `loaned`, `waiting to be received`, `received`, an alias.
    pub how: &'static str,
    /// How many slots.
    pub slots: usize,
    /// Age of the oldest of these holds.
    pub oldest: Duration,
    /// The fields that are aliased, where this process can know it: its own.
    pub fields: Vec<String>,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.budget {
            None => {
                write!(
                    f,
                    "no free slot among the {} of `{}` after {:?}",
                    self.slots, self.arena, self.waited
                )?;
            }
            Some(budget) => write!(
                f,
                "this client still holds all {budget} of the {} slots of `{}` that it may hold at once, after {:?}: drop replies \
                 that are done with, call less at once, or allow it more (`max_slots`, and the service's `slots_per_client`)",
                self.slots, self.arena, self.waited
            )?,
        }
        for holder in &self.holders {
            let Holder { pid, command, how, slots, oldest, fields } = holder;
            match pid {
                Some(pid) if command.is_empty() => write!(f, "\n  process {pid}: ")?,
                Some(pid) => write!(f, "\n  process {pid} ({command}): ")?,
                None => write!(f, "\n  nobody: ")?,
            }
            write!(f, "{slots} {how}, the oldest for {oldest:.1?}")?;
            if !fields.is_empty() {
                write!(f, " (aliases of {})", fields.join(", "))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Full {}

/// An exception in a worker's own code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker raised {type_name}: {message}")]
pub struct RemoteError {
    /// The exception's type: `ValueError`, or the type of a Rust error.
    pub type_name: String,
    /// Its message.
    pub message: String,
    /// Its traceback as text, empty when there is none; shortened at the front if it was too long.
    pub traceback: String,
}

/// One line of the error table: the code, the variant, the builtin exception its Python class also inherits.
pub type ErrorRow = (&'static str, &'static str, &'static str);

macro_rules! codes {
    ($($variant:ident => $code:literal, $builtin:literal;)*) => {
        impl Error {
            /// Every error there is: its code, its name, and the builtin that its Python class also inherits.
            pub const TABLE: &'static [ErrorRow] = &[$(($code, stringify!($variant), $builtin)),*];

            /// The stable code, for example `TB401`.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    $(Error::$variant { .. } => $code,)*
                }
            }

            /// The name of the variant, which is also the name of the Python class.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Error::$variant { .. } => stringify!($variant),)*
                }
            }
        }
    };
}

codes! {
    InvalidSchema => "TB101", "ValueError";
    SchemaForm => "TB102", "ValueError";
    SchemaMismatch => "TB103", "TypeError";
    NotFound => "TB201", "FileNotFoundError";
    NameTaken => "TB202", "FileExistsError";
    InvalidName => "TB203", "ValueError";
    NotTensorbridge => "TB204", "ConnectionError";
    AbiMismatch => "TB205", "ConnectionError";
    BadSegment => "TB206", "ConnectionError";
    WrongUser => "TB207", "PermissionError";
    Refused => "TB208", "ConnectionError";
    BadDirectory => "TB209", "OSError";
    NameBusy => "TB210", "TimeoutError";
    InvalidSlots => "TB211", "ValueError";
    OutOfMemory => "TB301", "MemoryError";
    TooManyFiles => "TB302", "OSError";
    Full => "TB303", "TimeoutError";
    Unsupported => "TB304", "OSError";
    Io => "TB305", "OSError";
    MissingField => "TB401", "ValueError";
    DimUnset => "TB402", "ValueError";
    DimOutOfRange => "TB403", "ValueError";
    Released => "TB404", "BufferError";
    Aliased => "TB405", "BufferError";
    UnknownField => "TB406", "AttributeError";
    WrongDType => "TB407", "TypeError";
    WrongShape => "TB408", "ValueError";
    NeedsCopy => "TB409", "BufferError";
    ReadOnly => "TB410", "BufferError";
    StaleDescriptor => "TB411", "BufferError";
    BadDescriptor => "TB412", "ValueError";
    PartlyPresent => "TB413", "ValueError";
    BadTraceparent => "TB414", "ValueError";
    WrongKind => "TB415", "TypeError";
    Timeout => "TB501", "TimeoutError";
    HostDied => "TB502", "ConnectionError";
    WorkerDied => "TB503", "ConnectionError";
    Remote => "TB504", "RuntimeError";
    Corrupt => "TB505", "RuntimeError";
    Forked => "TB506", "RuntimeError";
    Closed => "TB507", "ValueError";
    WorkerExited => "TB508", "RuntimeError";
    Interrupted => "TB509", "InterruptedError";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<&str> = Error::TABLE.iter().map(|row| row.0).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
        assert_eq!(Error::Forked.code(), "TB506");
        assert_eq!(Error::Forked.name(), "Forked");
    }

    #[test]
    fn an_error_is_small_enough_to_return_by_value() {
        assert!(size_of::<Error>() <= 96, "{}", size_of::<Error>());
    }

    #[test]
    fn full_names_the_holders() {
        let full = Full {
            arena: "resnet".into(),
            slots: 2,
            budget: None,
            waited: Duration::from_secs(1),
            holders: vec![Holder {
                pid: Some(7),
                command: "python client.py".into(),
                how: "loaned",
                slots: 2,
                oldest: Duration::from_secs(3),
                fields: vec!["pixels".into()],
            }],
        };
        let text = full.to_string();
        assert!(
            text.contains("process 7 (python client.py): 2 loaned, the oldest for 3.0s (aliases of pixels)"),
            "{text}"
        );
    }
}
