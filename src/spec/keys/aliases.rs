//! Words of other tools for what has another name here. They are suggested, and not accepted: each thing has one name.

/// Words that people try, and the keys, types or values that they mean, the likeliest first.
const ALIASES: &[(&[&str], &[&str])] = &[
    (
        &["workers", "jobs", "njobs", "numworkers", "maxworkers", "threads", "processes", "concurrency", "parallelism"],
        &["max_parallel"],
    ),
    (&["onerror", "ignoreerrors", "keepgoing", "failfast", "allowfailure"], &["continue_on_error", "on_failure"]),
    (&["attempts", "tries", "retries", "maxretries", "times", "limit"], &["max_attempts", "retry"]),
    (&["cmd", "run", "bash", "sh", "exec", "script"], &["command"]),
    (&["vars", "variables", "parameters", "arguments", "defaults", "config"], &["params"]),
    (&["loop", "foreach", "withitems", "each", "matrix", "map", "over"], &["for_each", "items"]),
    (&["product", "grid", "matrix", "sweep"], &["product"]),
    (&["cwd", "workdir", "workingdirectory", "chdir", "dir", "directory"], &["working_dir"]),
    (&["environment", "envs"], &["env"]),
    (&["when", "if", "condition", "filter"], &["where"]),
    (&["output", "saveto", "save", "writeto"], &["outputs", "path"]),
    (&["chunksize", "chunk", "batch", "groupsize"], &["batch_size"]),
    (&["input", "pipe"], &["stdin"]),
    (&["uri", "address", "endpoint", "href"], &["url"]),
    (&["verb"], &["method"]),
    (&["data", "payload", "content"], &["body", "json"]),
    (&["query", "querystring"], &["params", "sql"]),
    (&["text", "msg", "print"], &["message"]),
    (&["wait", "sleep", "interval", "initialdelay"], &["delay"]),
    (&["separator", "sep", "delim"], &["delimiter"]),
    (&["memory", "memlimit", "memorylimit"], &["max_memory"]),
    (&["executable", "interpreter", "bash", "sh"], &["shell"]),
    (&["finalize", "always", "cleanup"], &["finally"]),
    (&["auto", "detect", "guess"], &["infer"]),
    (&["http", "request", "get", "curl"], &["http_request"]),
    (&["py", "function"], &["python"]),
    (&["foreach", "map", "parallel"], &["batch"]),
];

/// The candidate that this word means in other tools.
pub(super) fn meant<'a>(plain: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let means = ALIASES.iter().filter(|(words, _)| words.contains(&plain)).flat_map(|(_, means)| *means);
    means.filter_map(|name| candidates.iter().copied().find(|candidate| candidate == name)).next()
}

#[cfg(test)]
mod tests {
    use crate::spec::keys::{BATCH, RETRY, SHELL, STEP, TASK_TYPES, WORKFLOW, nearest};

    #[test]
    fn words_of_other_tools_are_suggestions() {
        assert_eq!(nearest("workers", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("n_jobs", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("on_error", BATCH.names()), Some("continue_on_error"));
        assert_eq!(nearest("on_error", WORKFLOW.names()), Some("on_failure"));
        assert_eq!(nearest("attempts", RETRY.names()), Some("max_attempts"));
        assert_eq!(nearest("retries", STEP.names()), Some("retry"));
        assert_eq!(nearest("cmd", SHELL.names()), Some("command"));
        assert_eq!(nearest("script", SHELL.names()), Some("command"));
        assert_eq!(nearest("vars", WORKFLOW.names()), Some("params"));
        assert_eq!(nearest("bash", TASK_TYPES.iter().copied()), Some("shell"));
        assert_eq!(nearest("cmd", WORKFLOW.names()), None);
    }
}
