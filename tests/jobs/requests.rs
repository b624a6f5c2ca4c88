//! Requests against a server that has bad days, and a table of what it answered by a threshold.

use crate::job::{Job, flights};
use crate::support::{Answer, Request, Sandbox, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const WORKFLOW: &str = r#"
params:
  server: {type: string, required: true}
  month: {type: string, default: '01'}
  least: {type: number, default: 20}
steps:
  - name: fetch
    task: batch
    inputs:
      items: {csv: airports.csv}
      max_parallel: 4
      continue_on_error: true
      task:
        type: http_request
        url: '{{ server }}/delays/{{ item.airport }}'
        params: {month: '{{ month }}'}
        retry: {max_attempts: 2, delay: 0}
  - name: judge
    for_each: '{{ steps.fetch.result }}'
    task: python
    inputs:
      setup: log = open('ran', 'a', buffering=1)
      code: |
        print(item['json']['airport'], file=log)
        return {**item['json'], 'slow': item['json']['mean'] > params.least}
    outputs: {path: out/airports.csv}
    aggregate: {count: true, group_by: slow}
  - name: report
    task: python
    inputs:
      code: |
        return [steps.judge.aggregate, [bad.item['airport'] for bad in steps.fetch.failed]]
    outputs: {path: out/report.jsonl}
"#;

/// The mean delay at departure to each airport.
fn delays() -> BTreeMap<String, f64> {
    let mut delays: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in flights(1).lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let Ok(delay) = fields[5].parse::<f64>() else { continue };
        let (sum, count) = delays.entry(fields[13].to_owned()).or_default();
        (*sum, *count) = (*sum + delay, *count + 1.0);
    }
    delays.into_iter().map(|(airport, (sum, count))| (airport, sum / count)).collect()
}

/// What the server cannot answer at present: once, and at all.
#[derive(Default)]
struct Weather {
    once: BTreeSet<String>,
    any: BTreeSet<String>,
}

fn answer(request: &Request, delays: &BTreeMap<String, f64>, weather: &Mutex<Weather>) -> Answer {
    let (path, month) = request.url.split_once("?month=").unwrap();
    let airport = path.rsplit('/').next().unwrap();
    let mut weather = weather.lock().unwrap();
    if weather.once.remove(airport) || weather.any.contains(airport) {
        return (503, vec![], "later".to_owned());
    }
    let Some(mean) = delays.get(airport) else { return (404, vec![], "no such airport".to_owned()) };
    let body = format!(r#"{{"airport":"{airport}","month":"{month}","mean":{mean}}}"#);
    (200, vec![("Content-Type", "application/json".to_owned())], body)
}

fn write(job: &Job, airports: &[&str]) {
    job.write("airports.csv", airports.iter().fold("airport\n".to_owned(), |text, airport| text + airport + "\n"));
}

/// How many requests there have been for each of these, which are all there were.
fn asked(server: &Server) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in server.requests() {
        let path = request.url.split_once('?').unwrap().0;
        *asked.entry(path.rsplit('/').next().unwrap().to_owned()).or_default() += 1;
    }
    asked
}

fn times(airports: &[(&str, usize)]) -> BTreeMap<String, usize> {
    airports.iter().map(|(airport, times)| ((*airport).to_owned(), *times)).collect()
}

#[test]
#[ignore = "heavy: five days of requests"]
fn airports_are_asked_for_until_they_have_answered_and_not_again() {
    let delays = Arc::new(delays());
    let weather = Arc::new(Mutex::new(Weather::default()));
    let server = {
        let (delays, weather) = (delays.clone(), weather.clone());
        Server::start(move |request| answer(request, &delays, &weather))
    };
    let url = format!("server={}", server.url(""));
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["judge", "report"], made: &["out"] };
    let bad_days = |once: &[&str], any: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        *weather.lock().unwrap() = Weather { once: set(once), any: set(any) };
    };
    let is_as_fresh = |code, more: &[&str]| {
        job.is_as_fresh(code, &[&[&*url], more].concat());
        asked(&server);
    };
    let mut airports: Vec<&str> = delays.keys().map(String::as_str).take(40).collect();
    let (a, b, c) = (airports[3], airports[20], airports[30]);

    // One answers at the second attempt, two do not, and one does not exist.
    bad_days(&[a], &[b, c]);
    airports.insert(10, "NOWHERE");
    write(&job, &airports);
    job.sandbox.run(&[&url]).exits_with(1).says(&["3 failures, 2 causes"]);
    let seen = asked(&server);
    assert_eq!((seen.len(), seen[a], seen[b], seen["NOWHERE"]), (41, 2, 2, 1));
    assert_eq!(job.ran().len(), 38);
    is_as_fresh(1, &[]);

    // One of them has come back.
    bad_days(&[], &[c]);
    job.sandbox.batchmill(&["retry"]).exits_with(1);
    assert_eq!(asked(&server), times(&[(b, 1), (c, 2), ("NOWHERE", 1)]));
    assert_eq!(job.ran(), [b]);
    is_as_fresh(1, &[]);

    // The wrong one is mended, another has vanished, one is new, and all are well.
    bad_days(&[], &[]);
    let new = delays.keys().nth(40).unwrap();
    let other = delays.keys().nth(41).unwrap();
    airports[10] = other;
    airports.remove(5);
    airports.push(new);
    write(&job, &airports);
    job.day(&[&url]).exits_with(0).says(&["3 of 41 items will run"]);
    assert_eq!(asked(&server), times(&[(c, 1), (other, 1), (new, 1)]));
    assert_eq!(job.ran().len(), 3);
    is_as_fresh(0, &[]);

    // Another threshold: nothing is asked again, and all are judged again.
    job.sandbox.batchmill(&["resume", "latest", "least=5"]).exits_with(0).says(&["fetch: 0 of 41 items will run"]);
    assert_eq!((asked(&server).len(), job.ran().len()), (0, 41));
    is_as_fresh(0, &["least=5"]);

    // Another month: all are asked again, on a day on which one does not answer. The day after it does.
    bad_days(&[], &[a]);
    job.day(&[&url, "month=02"]).exits_with(1);
    assert_eq!((asked(&server).len(), job.ran().len()), (41, 40));
    is_as_fresh(1, &["month=02"]);
    bad_days(&[a], &[]);
    job.day(&[&url, "month=02"]).exits_with(0).says(&["1 of 41 items will run: 1 failed before"]);
    assert_eq!((asked(&server), job.ran()), (times(&[(a, 2)]), vec![a.to_owned()]));
    is_as_fresh(0, &["month=02"]);
}
