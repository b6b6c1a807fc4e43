//! What is measured: each system, in each form and each way to wait that it has.

use serde::{Deserialize, Serialize};

/// Which side of the comparison a row is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// What the machine allows.
    Limit,
    /// tensorbridge.
    Ours,
    /// What people use today.
    Peer,
}

/// The program that measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A module of `python/systems`, with its variant.
    Python(&'static str),
    /// A system, or a line of a curve, of the program `rivals`.
    Rust(&'static str),
}

/// One system in one form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    /// What `--only` calls it; several forms share it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
    /// The language of the client and of the server.
    pub(crate) pair: &'static str,
    pub(crate) program: Program,
    pub(crate) waits: &'static [&'static str],
    /// Its own processes go where they like.
    pub(crate) unpinned: bool,
    /// As people find it in its tutorial, rather than in its fastest form.
    pub(crate) plain: bool,
}

const BLOCKING: &[&str] = &["blocking"];
const SPINNING: &[&str] = &["spinning"];
const BOTH: &[&str] = &["spinning", "blocking"];

const RUST: &str = "Rust-Rust";
const MIXED: &str = "Rust-Python";
const PYTHON: &str = "Python-Python";

const fn limit(name: &'static str, title: &'static str, waits: &'static [&'static str]) -> System {
    System {
        name,
        title,
        kind: Kind::Limit,
        pair: RUST,
        program: Program::Rust(name),
        waits,
        unpinned: false,
        plain: false,
    }
}

const fn ours(pair: &'static str, program: Program, waits: &'static [&'static str]) -> System {
    System {
        name: "ours",
        title: "**tensorbridge**",
        kind: Kind::Ours,
        pair,
        program,
        waits,
        unpinned: false,
        plain: false,
    }
}

const fn peer(
    name: &'static str,
    title: &'static str,
    pair: &'static str,
    program: Program,
    waits: &'static [&'static str],
) -> System {
    System { name, title, kind: Kind::Peer, pair, program, waits, unpinned: false, plain: false }
}

/// A form that is known to be slower than another of the same system, but is what people begin with.
const fn plain(name: &'static str, title: &'static str, module: &'static str) -> System {
    System { plain: true, ..peer(name, title, PYTHON, Program::Python(module), BLOCKING) }
}

/// Everything that is measured, in the order of the runs.
pub(crate) const SYSTEMS: &[System] = &[
    limit("memcpy", "memcpy of the request", BLOCKING),
    limit("cache-line", "bare cache line, there and back", SPINNING),
    limit("futex", "bare futex, there and back", BLOCKING),
    limit("socket", "bare pair of sockets, a byte there and back", BLOCKING),
    ours(RUST, Program::Rust("ours-rust"), &["spinning", "adaptive", "blocking"]),
    ours(MIXED, Program::Rust("ours-python"), &["spinning", "adaptive", "blocking"]),
    ours(PYTHON, Program::Python("ours"), BOTH),
    ours(PYTHON, Program::Python("ours:adaptive"), &["adaptive"]),
    peer("iceoryx2", "iceoryx2, two topics", RUST, Program::Rust("topics-rust"), SPINNING),
    peer("iceoryx2", "iceoryx2, two topics", MIXED, Program::Rust("topics-python"), SPINNING),
    peer("iceoryx2", "iceoryx2, two topics", PYTHON, Program::Python("iceoryx_topics"), SPINNING),
    peer("iceoryx2", "iceoryx2", RUST, Program::Rust("iceoryx-rust"), BOTH),
    peer("iceoryx2", "iceoryx2", MIXED, Program::Rust("iceoryx-python"), BOTH),
    peer("iceoryx2", "iceoryx2", PYTHON, Program::Python("iceoryx"), BOTH),
    peer(
        "embedded",
        "embedded interpreter, copying (one process)",
        MIXED,
        Program::Python("embedded_call"),
        SPINNING,
    ),
    peer("shared-memory", "SharedMemory by hand, flag", PYTHON, Program::Python("shared_memory"), SPINNING),
    peer(
        "shared-memory",
        "SharedMemory by hand, semaphores",
        PYTHON,
        Program::Python("shared_memory:semaphore"),
        BLOCKING,
    ),
    peer(
        "shared-memory",
        "SharedMemory by hand, pipe",
        PYTHON,
        Program::Python("shared_memory:pipe"),
        BLOCKING,
    ),
    peer("zeromq", "ZeroMQ", PYTHON, Program::Python("zeromq"), BLOCKING),
    peer("http", "raw HTTP, http.server", PYTHON, Program::Python("http_bytes:standard"), BLOCKING),
    peer("http", "raw HTTP, uvicorn", PYTHON, Program::Python("http_bytes:uvicorn"), BLOCKING),
    peer(
        "torch-queue",
        "torch.multiprocessing.Queue, memory by name",
        PYTHON,
        Program::Python("queues:torch-named"),
        BLOCKING,
    ),
    plain("torch-queue", "torch.multiprocessing.Queue", "queues:torch"),
    peer("queue", "multiprocessing.Queue", PYTHON, Program::Python("queues:numpy"), BLOCKING),
    peer("grpc", "gRPC, asyncio", PYTHON, Program::Python("grpc_bytes"), BLOCKING),
    plain("grpc", "gRPC as its tutorial", "grpc_bytes:tutorial"),
    peer("mosec", "Mosec", PYTHON, Program::Python("mosec_http"), BLOCKING),
    System {
        unpinned: true,
        ..peer("ray", "Ray actor (not pinned)", PYTHON, Program::Python("ray_actor"), BLOCKING)
    },
    System {
        unpinned: true,
        ..peer(
            "ray",
            "Ray compiled graph, beta (not pinned)",
            PYTHON,
            Program::Python("ray_actor:compiled"),
            BLOCKING,
        )
    },
    peer("json", "JSON, FastAPI with orjson", PYTHON, Program::Python("http_json:fast"), BLOCKING),
    plain("json", "JSON, FastAPI as its tutorial", "http_json:tutorial"),
];

/// The systems that `--only` names; all of them when it names none.
pub(crate) fn chosen(only: &[String]) -> Vec<System> {
    let wanted = |system: &&System| only.is_empty() || only.iter().any(|name| name == system.name);
    SYSTEMS.iter().filter(wanted).copied().collect()
}
