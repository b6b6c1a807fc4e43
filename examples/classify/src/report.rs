//! What the demo shows: as text while it happens, or as one JSON document at the end.

use crate::bars::{self, Bar};
use crate::checks::Check;
use crate::labels::label;
use crate::scores::Guess;
use crate::timing::{Timing, short};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// A classified photo.
#[derive(Clone, Debug)]
pub(crate) struct Classified {
    /// As the user named it.
    pub(crate) file: String,
    /// In pixels, upright.
    pub(crate) width: u32,
    /// In pixels, upright.
    pub(crate) height: u32,
    /// Decoding the file, and writing the planes in place.
    pub(crate) prepared: Duration,
    /// The network alone, as the worker measured it.
    pub(crate) network: Duration,
    /// The most probable classes, the most probable first.
    pub(crate) guesses: Vec<Guess>,
}

/// One way to make the same call, and how long it takes.
pub(crate) type Way = (&'static str, Timing);

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Bars of block characters and colours.
    Terminal,
    /// ASCII, for files and pipes.
    Plain,
}

/// Takes what happens and shows it on `out`.
pub(crate) struct Report<W> {
    out: W,
    form: Form,
    last_topic: &'static str,
    failed: bool,
}

enum Form {
    Text(Look),
    Json(Document),
}

#[derive(Default)]
struct Document {
    photos: Vec<Value>,
    checks: Vec<Value>,
    ways: Vec<Value>,
    bytes: usize,
}

impl Report<io::Stdout> {
    /// A report on stdout.
    pub(crate) fn on_stdout(json: bool) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let look = if terminal { Look::Terminal } else { Look::Plain };
        let form = if json { Form::Json(Document::default()) } else { Form::Text(look) };
        Self::new(out, form)
    }
}

impl<W: Write> Report<W> {
    fn new(out: W, form: Form) -> Self {
        Self { out, form, last_topic: "", failed: false }
    }

    /// True when a check did not hold.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Shows a photo and what the network says about it.
    pub(crate) fn photo(&mut self, photo: &Classified) -> io::Result<()> {
        let look = match &mut self.form {
            Form::Json(document) => {
                document.photos.push(photo_json(photo));
                return Ok(());
            }
            Form::Text(look) => *look,
        };
        let Classified { file, width, height, prepared, network, guesses } = photo;
        let about =
            format!("{width} x {height}, prepared in {}, network {}", short(*prepared), short(*network));
        writeln!(self.out, "{}  {}", bold(file, look), dim(&about, look))?;
        let bars: Vec<Bar> = guesses.iter().map(guess_bar).collect();
        self.bars(bars::linear(&bars, 30, look == Look::Terminal))
    }

    /// Shows checks. They share a heading with the ones before when they have the same topic.
    pub(crate) fn checks(&mut self, checks: &[Check]) -> io::Result<()> {
        self.failed |= checks.iter().any(|check| !check.held);
        for check in checks {
            let look = match &mut self.form {
                Form::Json(document) => {
                    document
                        .checks
                        .push(json!({"topic": check.topic, "held": check.held, "seen": check.seen}));
                    continue;
                }
                Form::Text(look) => *look,
            };
            if check.topic != self.last_topic {
                writeln!(self.out, "{}", bold(&capital(check.topic), look))?;
                self.last_topic = check.topic;
            }
            writeln!(self.out, "  {}  {}", verdict(check.held, look), check.seen)?;
        }
        Ok(())
    }

    /// Shows the ways to make the same call with `bytes` bytes; the first one is ours.
    pub(crate) fn ways(&mut self, bytes: usize, ways: &[Way]) -> io::Result<()> {
        let look = match &mut self.form {
            Form::Json(document) => {
                document.ways.extend(ways.iter().map(way_json));
                document.bytes = bytes;
                return Ok(());
            }
            Form::Text(look) => *look,
        };
        let title =
            format!("One call with {bytes} bytes, written anew each time; the model only reads one number");
        writeln!(self.out, "{}", bold(&title, look))?;
        let first = ways.first().map_or(0.0, |(_, timing)| timing.median.as_secs_f64());
        let bars: Vec<Bar> = ways.iter().map(|way| way_bar(way, first)).collect();
        self.bars(bars::logarithmic(&bars, 6, look == Look::Terminal))?;
        writeln!(self.out, "  {}\n", dim("bars: median, six cells for every factor of ten", look))
    }

    /// Ends the report.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match &self.form {
            Form::Json(Document { photos, checks, ways, bytes }) => {
                let calls = json!({"bytes": bytes, "ways": ways});
                let document =
                    json!({"photos": photos, "checks": checks, "calls": calls, "ok": !self.failed});
                writeln!(self.out, "{document:#}")?;
            }
            Form::Text(look) => {
                let verdict = if self.failed { "a check failed" } else { "every check held" };
                writeln!(self.out, "\n{}", bold(verdict, *look))?;
            }
        }
        self.out.flush()
    }

    fn bars(&mut self, lines: Vec<String>) -> io::Result<()> {
        lines.iter().try_for_each(|line| writeln!(self.out, "  {line}"))?;
        Ok(())
    }
}

fn guess_bar(guess: &Guess) -> Bar {
    Bar {
        label: label(guess.class).to_owned(),
        value: guess.probability,
        note: format!("{:.1} %", guess.probability * 100.0),
    }
}

fn way_bar((name, timing): &Way, first: f64) -> Bar {
    let median = timing.median.as_secs_f64();
    let ratio =
        if first > 0.0 && median > first { format!(", {:.0} x", median / first) } else { String::new() };
    Bar {
        label: (*name).to_owned(),
        value: median,
        note: format!("{} (p99 {}, {} calls){ratio}", short(timing.median), short(timing.p99), timing.calls),
    }
}

fn photo_json(photo: &Classified) -> Value {
    let guesses: Vec<Value> = photo
        .guesses
        .iter()
        .map(|guess| json!({"class": guess.class, "label": label(guess.class), "probability": guess.probability}))
        .collect();
    json!({
        "file": photo.file,
        "width": photo.width,
        "height": photo.height,
        "prepared_us": micros(photo.prepared),
        "network_us": micros(photo.network),
        "top": guesses,
    })
}

fn way_json((name, timing): &Way) -> Value {
    json!({
        "way": name,
        "median_us": micros(timing.median),
        "p99_us": micros(timing.p99),
        "calls": timing.calls,
    })
}

fn micros(duration: Duration) -> f64 {
    // To the nanosecond: what lies below is the conversion's.
    duration.as_nanos() as f64 / 1e3
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn verdict(held: bool, look: Look) -> &'static str {
    match (held, look) {
        (true, Look::Terminal) => "\x1b[32mok\x1b[0m    ",
        (false, Look::Terminal) => "\x1b[31mFAILED\x1b[0m",
        (true, Look::Plain) => "ok    ",
        (false, Look::Plain) => "FAILED",
    }
}

fn bold(text: &str, look: Look) -> String {
    styled(text, "1", look)
}

fn dim(text: &str, look: Look) -> String {
    styled(text, "2", look)
}

fn styled(text: &str, code: &str, look: Look) -> String {
    match look {
        Look::Terminal => format!("\x1b[{code}m{text}\x1b[0m"),
        Look::Plain => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form, held: bool) -> (String, bool) {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out, form);
        report
            .photo(&Classified {
                file: "cat.png".to_owned(),
                width: 451,
                height: 300,
                prepared: Duration::from_micros(5_700),
                network: Duration::from_millis(28),
                guesses: vec![
                    Guess { class: 285, probability: 0.5 },
                    Guess { class: 281, probability: 0.25 },
                ],
            })
            .unwrap();
        report.checks(&[Check { topic: "the same memory", held, seen: "inode 7".to_owned() }]).unwrap();
        let timing = |micros| Timing {
            median: Duration::from_micros(micros),
            p99: Duration::from_micros(2 * micros),
            calls: 100,
        };
        report.ways(602_112, &[("tensorbridge", timing(10)), ("pickle pipe", timing(1000))]).unwrap();
        let failed = report.failed();
        report.finish().unwrap();
        (String::from_utf8(out).unwrap(), failed)
    }

    #[test]
    fn plain_text_is_ascii() {
        let (text, failed) = shown(Form::Text(Look::Plain), true);
        assert!(!failed && text.is_ascii() && !text.contains('\x1b'), "{text}");
        for part in [
            "cat.png  451 x 300, prepared in 5.7 ms, network 28.0 ms\n",
            "Egyptian cat  ##############################  50.0 %\n",
            "The same memory\n  ok      inode 7\n",
            "tensorbridge  ######              10.0 us (p99 20.0 us, 100 calls)\n",
            "pickle pipe   ##################  1.0 ms (p99 2.0 ms, 100 calls), 100 x\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn a_terminal_gets_blocks_and_colours() {
        let (text, _) = shown(Form::Text(Look::Terminal), true);
        assert!(text.contains('█') && text.contains("\x1b[32mok"), "{text}");
    }

    #[test]
    fn a_failed_check_is_seen() {
        let (text, failed) = shown(Form::Text(Look::Plain), false);
        assert!(failed && text.contains("FAILED  inode 7") && text.ends_with("a check failed\n"), "{text}");
        let (text, failed) = shown(Form::Json(Document::default()), false);
        assert!(failed && text.contains("\"ok\": false"), "{text}");
    }

    #[test]
    fn json_is_one_document() {
        let (text, _) = shown(Form::Json(Document::default()), true);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["photos"][0]["top"][0]["label"], "Egyptian cat");
        assert_eq!(document["checks"][0]["held"], true);
        assert_eq!(document["calls"]["bytes"], 602_112);
        assert_eq!(document["calls"]["ways"][1]["median_us"], 1000.0);
        assert_eq!(document["ok"], true);
    }
}
