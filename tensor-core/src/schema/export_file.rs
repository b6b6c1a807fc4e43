//! Generated Python modules as files: several schemas share one, each writes and checks its own class.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use super::Schema;
use super::export::HEADER;

/// Set to `write`, tests write what they otherwise compare.
const VARIABLE: &str = "TENSORBRIDGE_EXPORT";

/// How long another process's lock on the file is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the line above each class begins.
const MARK: &str = "# Rust: `";

/// Compares the class `class` in the file at `path`, relative to the package in `package`, with `schema`, or writes it
/// there when the environment variable `TENSORBRIDGE_EXPORT` says so. `source` is the Rust file that declares the schema.
///
/// # Panics
/// When the file is missing, stale or cannot be used, with a text that says what to do.
#[track_caller]
pub fn check_export(schema: &Schema, class: &str, source: &str, package: &str, path: &str) {
    let source = relative(Path::new(source), Path::new(package));
    let section = format!("{MARK}{class}` in {source}\n{}", schema.python_class(class));
    let export = Export { file: Path::new(package).join(path), shown: path, class, section };
    let done = match std::env::var(VARIABLE).as_deref() {
        Err(_) | Ok("") => export.check(),
        Ok("write") => export.write(),
        Ok(other) => Err(format!("`{VARIABLE}={other}` means nothing: expected `write`")),
    };
    if let Err(problem) = done {
        panic!("{problem}");
    }
}

/// The path of a source file from the package on: the compiler may have been given it from the workspace on.
fn relative(source: &Path, package: &Path) -> String {
    let components: Vec<Component<'_>> = source.components().collect();
    let shared = (1..components.len())
        .rev()
        .find(|count| package.ends_with(components[..*count].iter().collect::<PathBuf>()));
    let own = &components[shared.unwrap_or(0)..];
    own.iter().map(|component| component.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

struct Export<'a> {
    file: PathBuf,
    /// The path as the user wrote it.
    shown: &'a str,
    class: &'a str,
    section: String,
}

impl Export<'_> {
    fn check(&self) -> Result<(), String> {
        let help = format!("help: run `{VARIABLE}=write cargo test` and keep the file under version control");
        let Export { shown, class, .. } = self;
        let mut text = String::new();
        let read = File::open(&self.file).and_then(|mut file| {
            locked(PATIENCE, || file.try_lock_shared())?;
            file.read_to_string(&mut text)
        });
        if let Err(error) = read {
            return Err(format!("`{shown}` cannot be read: {error}\n{help}"));
        }
        let module = Module::parse(&text);
        let Some(found) = module.section(class) else {
            return Err(format!("`{shown}` has no class `{class}`\n{help}"));
        };
        let mut lines = found.lines().zip(self.section.lines());
        let difference = lines.find(|(found, expected)| found != expected);
        match difference {
            Some((found, expected)) => Err(format!(
                "class `{class}` in `{shown}` is stale:\n  found    {found}\n  expected {expected}\n{help}"
            )),
            None if found.trim_end() != self.section.trim_end()
                || module.header.trim_end() != HEADER.trim_end() =>
            {
                Err(format!("class `{class}` in `{shown}` is stale\n{help}"))
            }
            None => Ok(()),
        }
    }

    /// Reads, changes and writes the file under a lock on it: the tests of several schemas run at the same time.
    fn write(&self) -> Result<(), String> {
        let Export { shown, .. } = self;
        let failed = |error: std::io::Error| format!("`{shown}` cannot be written: {error}");
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let options = File::options().read(true).write(true).create(true).truncate(false).open(&self.file);
        let mut file = options.map_err(failed)?;
        locked(PATIENCE, || file.try_lock()).map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let mut module = Module::parse(&text);
        if !module.header.trim().is_empty() && !module.header.starts_with(first_line(HEADER)) {
            return Err(format!("`{shown}` was not generated: export to another file, or delete this one"));
        }
        module.put(self.class, self.section.clone());
        let new = module.text();
        if new != text {
            file.set_len(0).map_err(failed)?;
            file.rewind().map_err(failed)?;
            file.write_all(new.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Waits for a file's lock, which others need for a moment; one of them may be stopped.
fn locked(patience: Duration, attempt: impl Fn() -> Result<(), TryLockError>) -> std::io::Result<()> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                let text = format!("another process has had it locked for {patience:?}: is it stopped?");
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A generated module taken apart.
struct Module {
    /// What is above the first class.
    header: String,
    /// Each class with its mark, by name.
    sections: Vec<(String, String)>,
}

impl Module {
    fn parse(text: &str) -> Module {
        let mut module = Module { header: String::new(), sections: Vec::new() };
        for line in text.lines() {
            if let Some(class) = line.strip_prefix(MARK).and_then(|rest| rest.split('`').next()) {
                module.sections.push((class.to_owned(), String::new()));
            }
            let part = module.sections.last_mut().map_or(&mut module.header, |(_, section)| section);
            part.push_str(line);
            part.push('\n');
        }
        module
    }

    fn section(&self, class: &str) -> Option<&str> {
        self.sections.iter().find(|(name, _)| name == class).map(|(_, section)| section.as_str())
    }

    fn put(&mut self, class: &str, section: String) {
        self.sections.retain(|(name, _)| name != class);
        self.sections.push((class.to_owned(), section));
        self.sections.sort();
    }

    fn text(&self) -> String {
        let sections: String =
            self.sections.iter().map(|(_, section)| format!("\n\n{}\n", section.trim_end())).collect();
        format!("{HEADER}{sections}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DType, Field, Shape};
    use super::*;

    /// A directory of its own for each test, gone when it ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Scratch {
            let directory = std::env::temp_dir().join(format!("tensorbridge-{test}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            Scratch(directory)
        }

        fn export<'a>(&self, class: &'a str, dtype: DType) -> Export<'a> {
            let field = Field::new("x", dtype, Shape::SCALAR);
            let schema = Schema::new(class.to_lowercase(), 0, "", vec![], vec![field]).unwrap();
            let section = format!("{MARK}{class}` in src/lib.rs\n{}", schema.python_class(class));
            Export { file: self.0.join("python/it.py"), shown: "python/it.py", class, section }
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_written_is_current() {
        let scratch = Scratch::new("written");
        let export = scratch.export("Image", DType::F32);
        assert!(export.check().unwrap_err().contains("TENSORBRIDGE_EXPORT=write cargo test"));
        export.write().unwrap();
        assert_eq!(export.check(), Ok(()));
        let expected = format!("{HEADER}\n\n{}", export.section);
        assert_eq!(fs::read_to_string(&export.file).unwrap(), expected);
    }

    #[test]
    fn a_stale_class_is_shown_line_by_line_and_replaced() {
        let scratch = Scratch::new("stale");
        scratch.export("Image", DType::F32).write().unwrap();
        let changed = scratch.export("Image", DType::F16);
        let problem = changed.check().unwrap_err();
        assert!(problem.contains("found        x = tb.f32()\n  expected     x = tb.f16()"), "{problem}");
        changed.write().unwrap();
        assert_eq!(changed.check(), Ok(()));
    }

    #[test]
    fn whoever_keeps_the_file_locked_keeps_nobody_for_ever() {
        let scratch = Scratch::new("locked");
        let export = scratch.export("Image", DType::F32);
        export.write().unwrap();
        let open = || File::open(&export.file).unwrap();
        let (keeps, file) = (open(), open());
        keeps.lock().unwrap();
        let error = locked(Duration::from_millis(10), || file.try_lock_shared()).unwrap_err();
        assert!(error.to_string().contains("is it stopped?"), "{error}");
        drop(keeps);
        locked(Duration::ZERO, || file.try_lock_shared()).unwrap();
    }

    #[test]
    fn classes_share_a_file_in_an_order_of_their_own() {
        let classes = ["Scores", "Image", "Tokens", "Audio", "Box"];
        let scratch = Scratch::new("shared");
        std::thread::scope(|scope| {
            for class in classes {
                scope.spawn(|| scratch.export(class, DType::U8).write().unwrap());
            }
        });
        assert!(classes.iter().all(|class| scratch.export(class, DType::U8).check().is_ok()));
        let text = fs::read_to_string(scratch.export("Image", DType::U8).file).unwrap();
        let found: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("class ")?.split('(').next()).collect();
        assert_eq!(found, ["Audio", "Box", "Image", "Scores", "Tokens"]);
        assert!(scratch.export("Other", DType::U8).check().unwrap_err().contains("has no class `Other`"));
    }

    #[test]
    fn a_file_of_the_users_own_is_left_alone() {
        let scratch = Scratch::new("own");
        let export = scratch.export("Image", DType::F32);
        fs::create_dir_all(export.file.parent().unwrap()).unwrap();
        fs::write(&export.file, "import numpy\n").unwrap();
        assert!(export.write().unwrap_err().contains("was not generated"));
        assert_eq!(fs::read_to_string(&export.file).unwrap(), "import numpy\n");
    }

    #[test]
    fn a_source_is_named_from_its_package_on() {
        let relative = |source: &str, package: &str| relative(Path::new(source), Path::new(package));
        assert_eq!(relative("examples/classify/src/main.rs", "/code/examples/classify"), "src/main.rs");
        assert_eq!(relative("src/main.rs", "/code/classify"), "src/main.rs");
        assert_eq!(relative("src/main.rs", "/code/src"), "main.rs");
    }
}
