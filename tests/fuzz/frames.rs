//! What a worker sends: whatever the bytes, they are messages or an error, and take no more memory than came.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use batchmill::model::{Failure, FailureKind, ItemTime, ResultForm, WorkerTimes};
use batchmill::wire::{Done, FrameReader, Hello, Log, Results, Role, WorkerMessage, write_frame};
use proptest::collection::vec;
use proptest::prelude::*;
use std::process::Command;

/// Lengths and kinds that a decoder pays attention to.
const WORDS: &[&str] = &[
    "\u{6}\0\0\0\0",
    "\u{8}\u{7f}\u{7f}\u{7f}\u{7f}",
    "\0\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}",
    "[",
    "{",
    "\"",
    "null",
    "\n",
];

/// How much memory the whole fuzzer may take on top of what it had, in KiB.
const ROOM: u64 = 256 << 10;

/// What a worker sends in its life.
fn life() -> Vec<u8> {
    let failure = || Failure::new(FailureKind::Exception, "ValueError", "no");
    let results = Results {
        first: 0,
        count: 3,
        failures: vec![(1, failure())],
        bad: vec![(2, failure())],
        nulls: 0,
        list: false,
        form: ResultForm::Lines,
        times: vec![ItemTime { first: 0, count: 3, nanoseconds: 9 }],
        lines: b"1\n".to_vec(),
    };
    let spent = WorkerTimes { decode: 1, task: 2, encode: 3 };
    let messages = [
        WorkerMessage::Hello(Hello::new(Role::Worker)),
        WorkerMessage::Ready,
        WorkerMessage::Log(Log { position: Some(1), stream: "stdout".to_owned(), text: "hello\n".to_owned() }),
        WorkerMessage::Results(results),
        WorkerMessage::Done(Done { executed: 3, times: Vec::new(), spent }),
        WorkerMessage::Broken(failure()),
    ];
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| write_frame(&mut bytes, message).unwrap());
    bytes
}

/// Whether this process runs nothing but the test of this name, so that the memory that it takes is that of the test. If not, one that
/// does so has run it.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "BATCHMILL_FUZZ_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let ended = alone.args(["--exact", test, "--nocapture"]).env(ALONE, "").status().unwrap();
    assert!(ended.success(), "{test}: {ended}");
    false
}

/// The most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads all messages that the bytes hold.
fn survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (mut input, mut reader) = (bytes, FrameReader::default());
    let mut messages = 0;
    while let Ok(Some(_)) = reader.read::<WorkerMessage>(&mut input) {
        messages += 1;
    }
    prop_assert!(messages <= bytes.len() / 5, "{messages} messages in {} bytes", bytes.len());
    Ok(())
}

#[test]
fn mutated_frames_of_a_worker_are_read_or_refused() {
    if !is_alone("frames::mutated_frames_of_a_worker_are_read_or_refused") {
        return;
    }
    let (life, before) = (life(), most_memory());
    fuzz(2_000, &mutations(WORDS), |changes: Vec<Mutation>| survive(&mutated(&life, &changes)));
    assert!(most_memory() < before + ROOM, "{} KiB, then {}", before, most_memory());
}

#[test]
fn random_frames_of_a_worker_are_read_or_refused() {
    if !is_alone("frames::random_frames_of_a_worker_are_read_or_refused") {
        return;
    }
    let before = most_memory();
    let frame = (0..12_u8, any::<u32>(), vec(any::<u8>(), 0..100));
    fuzz(2_000, &vec(frame, 0..4), |frames: Vec<(u8, u32, Vec<u8>)>| {
        let mut bytes = Vec::new();
        for (kind, length, payload) in frames {
            bytes.push(kind);
            // Half of the lengths are right.
            let length = if length % 2 == 0 { u32::try_from(payload.len()).unwrap() } else { length };
            bytes.extend(length.to_le_bytes());
            bytes.extend(payload);
        }
        survive(&bytes)
    });
    assert!(most_memory() < before + ROOM, "{} KiB, then {}", before, most_memory());
}
