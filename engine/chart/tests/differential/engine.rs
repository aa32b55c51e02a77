//! The real engine, in a process of its own: questions in, answers out, a line of JSON each.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Output(String),
    Refusal(String),
}

/// The interpreter that has the engine; says so if there is none.
pub(crate) fn python() -> Option<String> {
    let found = std::env::var("KPKG_HELM_PYTHON").ok();
    if found.is_none() {
        println!("skipped: KPKG_HELM_PYTHON names no interpreter with helm-python-sdk");
    }
    found
}

/// Asks all questions (`reference.py` says which there are).
pub(crate) fn ask(python: &str, questions: &[Value]) -> Vec<Answer> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/reference.py");
    let mut child = Command::new(python)
        .arg(script)
        .env("TZ", "UTC")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the interpreter starts");
    let mut stdin = child.stdin.take().expect("piped");
    let lines: Vec<String> = questions.iter().map(Value::to_string).collect();
    let writer = std::thread::spawn(move || lines.iter().for_each(|line| drop(writeln!(stdin, "{line}"))));
    let answers = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| {
        let json: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        text("out").map(Answer::Output).or_else(|| text("err").map(Answer::Refusal)).expect("an answer")
    });
    let answers = answers.collect();
    writer.join().expect("written");
    drop(child.wait());
    answers
}
