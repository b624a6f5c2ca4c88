//! What editors show as examples, as YAML.

/// Examples of the values of a key, by the names of its group and of the key. Each key has one at least.
pub fn examples(group: &str, key: &str) -> &'static [&'static str] {
    match group {
        "workflow" => workflow(key),
        "param" => param(key),
        "step" => step(key),
        "batch" => batch(key),
        "outputs" | "aggregate" => results(key),
        "resources" => resources(key),
        "items" | "rows" | "on_bad_row" | "sql" | "range" => source(key),
        _ => task(key),
    }
}

fn workflow(key: &str) -> &'static [&'static str] {
    match key {
        "name" => &["nightly"],
        "description" => &["Resizes the pictures of the day"],
        "params" => &["{day: {type: string, description: the day to load}, limit: 100}"],
        "env" => &["{TZ: UTC}"],
        "shell" => &["bash"],
        "seed" => &["42"],
        "secrets" => &["[API_TOKEN]"],
        "keep_runs" => &["10"],
        "time_limit" => &["2h"],
        "min_free_memory" => &["2GiB"],
        "max_load" => &["8"],
        "steps" => &[
            "{resize: {for_each: {glob: '*.jpg'}, task: shell, inputs: {command: 'convert {{ item }} out/{{ item }}'}}}",
        ],
        "on_failure" => &["{type: shell, command: 'notify-send \"{{ summary.status }}\"'}"],
        "finally" => &["{type: shell, command: rm -rf tmp}"],
        _ => &[],
    }
}

fn param(key: &str) -> &'static [&'static str] {
    match key {
        "type" => &["string", "integer"],
        "default" => &["100", "[a, b]"],
        "required" => &["false"],
        "description" => &["the factor for each price"],
        _ => &[],
    }
}

fn step(key: &str) -> &'static [&'static str] {
    match key {
        "name" => &["resize"],
        "task" | "type" => &["shell", "batch"],
        "inputs" => &["{command: 'echo {{ item }}'}"],
        "outputs" => &["pictures", "{path: out/pictures.csv}"],
        "shell" => &["bash"],
        _ => batch(key),
    }
}

fn batch(key: &str) -> &'static [&'static str] {
    match key {
        "items" | "for_each" => {
            &["{glob: 'data/*.csv'}", "[a, b, c]", "{csv: data/*.csv, types: infer}", "$(ls *.csv)"]
        }
        "task" => &["{type: shell, command: 'echo {{ item }}'}"],
        "batch_size" => &["100", "auto"],
        "where" => &["item.size > 1000"],
        "batch_format" => &["pandas"],
        "seed" => &["42", "'{{ params.seed }}'"],
        "allow_empty" | "repeatable" | "batched" | "parallel" | "continue_on_error" | "bisect_on_error" => &["true"],
        "max_parallel" => &["4", "auto"],
        "resources" => &["{cpus: 4, memory: 8GB}"],
        "queue_size" => &["16"],
        "max_failures" => &["10", "5%"],
        "on_item_error" => &["{type: echo, message: '{{ item }}: {{ error }}'}"],
        "aggregate" => &["{sum: price, group_by: city}", "return sum(results)"],
        _ => task(key),
    }
}

fn resources(key: &str) -> &'static [&'static str] {
    match key {
        "cpus" => &["4", "0.5"],
        "memory" => &["8GB"],
        "gpus" => &["1"],
        "custom" => &["{license: 1}"],
        _ => &[],
    }
}

fn results(key: &str) -> &'static [&'static str] {
    match key {
        "name" => &["pictures"],
        "path" => &["out/results.csv"],
        "format" => &["csv"],
        "parts" | "only_new" | "bom" | "drop_null" | "count" => &["true"],
        "compression" => &["gzip"],
        "columns" => &["[id, name]"],
        "include" => &["[item, error]"],
        "delimiter" => &[";", "tab"],
        "quote" => &["all"],
        "null" => &["NA"],
        "on_type_conflict" => &["text"],
        "on_missing" => &["ignore"],
        "sql" => &["sqlite:///out/shop.db", "'{{ env.DATABASE_URL }}'"],
        "table" => &["prices", "sales.prices"],
        "key" => &["id", "[day, id]"],
        "if_exists" => &["append"],
        "item_files" => &["out/pictures"],
        "code" => &["return sum(results)"],
        "inputs" => &["{factor: 2}"],
        "at" => &["[0.5, 0.99]"],
        "top_size" => &["3"],
        "sum" | "mean" | "std" | "min" | "max" | "quantiles" | "distinct" | "top" | "first" | "last" => {
            &["price", "[price, stats.total]", "true"]
        }
        "group_by" => &["city", "[city, year]"],
        _ => &[],
    }
}

fn source(key: &str) -> &'static [&'static str] {
    match key {
        "glob" => &["data/*.csv", "['*.jpg', '*.png']"],
        "range" => &["100", "[1, 10]", "{start: 0, stop: 100, step: 5}"],
        "lines" => &["names.txt"],
        "command" => &["find . -name '*.log'"],
        "csv" => &["data/*.csv"],
        "jsonl" => &["events.jsonl.gz"],
        "parquet" => &["part-*.parquet"],
        "sql" => &["SELECT id, name FROM users WHERE age > ?"],
        "url" => &["sqlite:///data.db", "postgresql://me@localhost/shop"],
        "params" => &["[18]"],
        "columns" => &["[id, name]"],
        "types" => &["infer", "{id: integer, born: date}"],
        "delimiter" => &[";", "tab"],
        "dialect" => &["auto"],
        "escape" => &["'\\'"],
        "stray_quotes" => &["literal"],
        "ragged" => &["pad", "truncate", "fill"],
        "trailing_delimiter" | "trim" | "partitions" => &["true"],
        "nul" => &["drop"],
        "skip_lines" | "skip_footer" => &["3"],
        "header_lines" => &["2"],
        "skip_after_header" => &["1"],
        "comment" => &["'#'"],
        "names" => &["error"],
        "nan" => &["drop", "keep"],
        "decimal" => &["','"],
        "thousands" => &["','"],
        "dates" => &["{day: '%d/%m/%Y'}"],
        "true_values" => &["[yes, y]"],
        "false_values" => &["['no', n]"],
        "quote" => &["none"],
        "header" => &["false", "[id, name]"],
        "encoding" => &["windows-1252"],
        "null" => &["NA", "[NA, '-']"],
        "compression" => &["gzip"],
        "where_from" => &["file"],
        "limit" => &["1000"],
        "on_bad_row" => &["skip", "{save: bad.csv}"],
        "on_schema_drift" => &["union"],
        "save" => &["bad.csv", "'bad/{{ run.id }}.jsonl'"],
        "product" => &["{lr: [0.1, 0.01], seed: {range: 5}}"],
        "start" => &["1"],
        "stop" => &["100"],
        "skip" | "step" => &["10"],
        _ => &[],
    }
}

/// Examples for the inputs of all tasks: no two of them have an input of the same name that means another thing.
fn task(key: &str) -> &'static [&'static str] {
    match key {
        "type" | "task" => &["shell"],
        "inputs" => &["{command: 'echo {{ item }}'}"],
        "retry" => &["3", "{max_attempts: 5, delay: 2s, backoff: exponential}"],
        "timeout" | "batch_timeout" => &["30s", "5m"],
        "command" => &["convert {{ item }} out/", "[convert, '{{ item }}', out/]"],
        "working_dir" => &["/tmp"],
        "env" => &["{LANG: C}"],
        "shell" => &["bash", "[bash, -euo, pipefail, -c]"],
        "stdin" => &["'{{ item }}'", "{batch: jsonl}"],
        "batch" => &["jsonl"],
        "code" => &["return item * 2"],
        "function" => &["mypackage.resize:run"],
        "script" => &["resize.py"],
        "operation" => &["multiply"],
        "item" => &["'{{ item }}'"],
        "factor" => &["2"],
        "setup" => &["import pandas as pd"],
        "teardown" => &["connection.close()"],
        "max_memory" => &["512MB", "2GiB"],
        "max_items_per_worker" => &["1000"],
        "url" => &["https://api.example.com/users/{{ item }}"],
        "method" => &["POST"],
        "headers" => &["{Accept: application/json}"],
        "params" => &["{page: '{{ item }}', tag: [a, b]}"],
        "json" => &["{name: '{{ item }}'}"],
        "body" => &["'{{ item }}'"],
        "auth" => &["{bearer: '{{ env.API_TOKEN }}'}", "{username: me, password: '{{ env.PASSWORD }}'}"],
        "form" => &["{name: '{{ item }}', tag: [a, b]}"],
        "files" => &["{picture: '{{ item }}'}", "{pages: [a.png, b.png]}"],
        "fields" => &["[status, json.id]", "{code: status, id: json.id}"],
        "ok_statuses" => &["[200, 404]", "2xx", "200-299"],
        "cookies" | "forward_body" => &["true"],
        "verify" => &["false"],
        "ca_file" => &["certs/ca.pem"],
        "client_cert" => &["certs/client.pem"],
        "client_key" => &["certs/client.key"],
        "save_to" => &["out/{{ item }}.json"],
        "rate_limit" => &["10/s", "5"],
        "message" => &["'{{ item }}'", "{id: '{{ item }}'}"],
        "max_attempts" => &["5"],
        "delay" => &["2s", "0.5"],
        "backoff" => &["exponential"],
        "max_delay" => &["1m"],
        "jitter" => &["0.5"],
        "on" => &["[timeout, crash, 503]", "ConnectionError"],
        "username" => &["me"],
        "password" => &["'{{ env.PASSWORD }}'"],
        "bearer" => &["'{{ env.API_TOKEN }}'"],
        _ => &[],
    }
}
