//! Hands commands on to a run.

use super::reply::{Reply, whole};
use crate::control::{Answer, Command, ask};
use crate::ledger::RunFolder;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use std::time::Duration;

/// The longest command, in bytes.
const MOST_COMMAND: usize = 4096;

/// How long a client may take to send it.
const SENT_IN: Duration = Duration::from_secs(5);

/// Gives the run the command that a request holds, and returns its answer.
pub(super) async fn steer(folder: RunFolder, body: Incoming) -> Reply {
    let body = tokio::time::timeout(SENT_IN, Limited::new(body, MOST_COMMAND).collect()).await;
    let Ok(Ok(body)) = body else {
        return reply(StatusCode::BAD_REQUEST, &Answer::refused("the command is too long, or did not arrive"));
    };
    let command: Command = match serde_json::from_slice(&body.to_bytes()) {
        Ok(command) => command,
        Err(error) => return reply(StatusCode::BAD_REQUEST, &Answer::refused(format!("this is no command: {error}"))),
    };
    let asked = tokio::task::spawn_blocking(move || ask(&folder.path, &command)).await;
    match asked {
        Ok(Ok(answer @ Answer::Refused { .. })) => reply(StatusCode::CONFLICT, &answer),
        Ok(Ok(answer)) => reply(StatusCode::OK, &answer),
        Ok(Err(error)) => reply(StatusCode::CONFLICT, &Answer::refused(error.to_string())),
        Err(_) => reply(StatusCode::INTERNAL_SERVER_ERROR, &Answer::refused("this is a bug of batchmill")),
    }
}

fn reply(status: StatusCode, answer: &Answer) -> Reply {
    // It consists of text and numbers.
    whole(status, "application/json", serde_json::to_vec(answer).unwrap_or_default())
}
